"""Members that are judged by datagrams: PING and UDP-CONNECT monitors."""
import os
import signal
import sys

import namespaces
from pair import PairTest

ECHO = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 5353))
while True:
    text, client = server.recvfrom(512)
    server.sendto(text, client)
"""


class Datagrams(PairTest):
    nodes, serves = 1, False
    lasts = 10

    def setUp(self):
        super().setUp()
        self.cli("lb1", "loadbalancer create --name web --vip-address 10.77.0.100")

    def pool(self, name, protocol, monitor, member):
        self.cli("lb1", "pool create --name %s --protocol %s --lb-algorithm ROUND_ROBIN --loadbalancer web"
                 % (name, protocol))
        self.cli("lb1", "member create --name m --address %s --protocol-port 5353 %s" % (self.lab.address(member), name))
        self.cli("lb1", "healthmonitor create --type %s --timeout 1 --max-retries 1 %s"
                 % (monitor, name))

    def becomes(self, pool, status, reason=""):
        def is_so():
            shown = self.json("lb1", "member show %s m" % pool)
            return shown.get("member", shown)["operating_status"] == status
        self.eventually(is_so, 8, "the member of %s is %s" % (pool, status))
        self.tells("lb1", "status", reason)

    def test_a_host_that_stops_answering_pings_goes_and_comes_back(self):
        namespace, address = self.lab.namespace("w1"), [self.lab.address("w1") + "/24", "dev", "eth0"]
        self.pool("hosts", "TCP", "PING --delay 1 --max-retries-down 2", "w1")
        self.becomes("hosts", "ONLINE")
        os.kill(self.process("lb1", "health"), signal.SIGKILL)  # the next one inherits the sockets, too
        namespaces.ip(namespace, "address", "del", *address)
        self.becomes("hosts", "ERROR", "no echo reply after 1 s")
        namespaces.ip(namespace, "address", "add", *address)
        self.becomes("hosts", "ONLINE")

    def test_a_port_that_closes_is_unreachable(self):
        server = self.lab.spawn("w1", sys.executable, "-c", ECHO)
        self.pool("names", "UDP", "UDP-CONNECT --delay 3 --max-retries-down 1", "w1")
        self.becomes("names", "ONLINE")
        server.kill()
        server.wait()
        self.becomes("names", "ERROR", "port unreachable")
