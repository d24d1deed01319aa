"""Virtual router ids: a free one is picked by listening, and a stranger on ours is named."""
import subprocess

from pair import PairTest, VIP

# Version 3 adverts of priority 50 for the VRIDs of its arguments, to the multicast group, forever.
SENDER = """
import socket, struct, sys, time
def advert(vrid):
    message = struct.pack("!BBBBHH4s", 0x31, vrid, 50, 1, 100, 0, socket.inet_aton("10.77.0.200"))
    total = sum(struct.unpack("!6H", message))
    return message[:6] + struct.pack("!H", ~((total >> 16) + (total & 0xffff)) & 0xffff) + message[8:]
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.77.0.50"))
while True:
    for number, vrid in enumerate(map(int, sys.argv[1:])):
        s.sendto(advert(vrid), ("224.0.0.18", 0))
        if number % 32 == 31:
            time.sleep(0.005)
    print("all sent", flush=True)
    time.sleep(0.1)
"""


class Vrids(PairTest):
    nodes = 1
    formed, serves = False, False

    def advertise(self, vrids):
        sender = self.lab.popen("client", "python3", "-c", SENDER, *map(str, vrids), stdout=subprocess.PIPE)
        self.addCleanup(sender.communicate)
        self.addCleanup(sender.kill)
        self.assertEqual(sender.stdout.readline(), b"all sent\n")

    def test_a_group_gets_an_id_that_nobody_uses(self):
        free = 77
        self.advertise(vrid for vrid in range(1, 256) if vrid != free)
        self.lab.start("lb1")
        self.cli("lb1", "init")
        self.assertEqual(self.json("lb1", "vrrpgroup show default")["vrid"], free)
        self.assertIn("All 255 virtual router ids are taken", self.cli("lb1", "vrrpgroup create --name more", code=4))

    def test_groups_of_one_cluster_get_different_ids(self):
        self.lab.start("lb1")
        self.cli("lb1", "init")
        for name in "a", "b":
            self.cli("lb1", "vrrpgroup create --name " + name)
        ids = [group["vrid"] for group in self.json("lb1", "vrrpgroup list")]
        self.assertEqual(len(set(ids)), 3, ids)
        free = next(vrid for vrid in range(1, 256) if vrid not in ids)
        self.cli("lb1", "vrrpgroup set --vrid %d --preempt-delay-s 5 a" % free)
        self.assertEqual(self.json("lb1", "vrrpgroup show a")["vrid"], free)
        self.cli("lb1", "vrrpgroup delete b")
        self.assertEqual(len(self.json("lb1", "vrrpgroup list")), 2)

    def test_a_stranger_on_our_id_is_named(self):
        self.lab.start("lb1")
        self.cli("lb1", "init")
        self.serve()
        self.eventually(lambda: self.lab.holds("lb1", VIP), 5, "lb1 has the address")
        self.advertise([self.json("lb1", "vrrpgroup show default")["vrid"]])
        said = "10.77.0.50, which is no node, uses virtual router"
        self.eventually(lambda: said in self.lab.lbnode("lb1", "status").stdout, 5, "status names it")
        self.tells("lb1", "events", "10.77.0.50")
        self.assertTrue(self.lab.holds("lb1", VIP), "it is not followed")
