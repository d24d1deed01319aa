"""TCP on the gossip port: who is no node, or only looks like one, holds nothing up, hears nothing and changes nothing."""
import json
import os
import subprocess
import sys

from pair import ROOT, PairTest

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import attack  # noqa: E402

# Connections that each begin as one line of standard input says (hex), say the rest of the line when something came,
# and nothing more: argv = ADDRESS. One line of JSON for each: [seconds until it was closed, bytes that came].
CALLER = """
import json, select, socket, sys, time
calls = {}
for line in sys.stdin:
    call = socket.create_connection((sys.argv[1], 7850))
    first, _, rest = line.strip().partition(" ")
    call.sendall(bytes.fromhex(first))
    calls[call] = [time.monotonic(), 0, bytes.fromhex(rest)]
ends = time.monotonic() + 8
while calls and time.monotonic() < ends:
    for call in select.select(list(calls), [], [], 0.1)[0]:
        try:
            got = call.recv(4096)
        except ConnectionResetError:
            got = b""
        calls[call][1] += len(got)
        if got:
            call.sendall(calls[call][2])
        else:
            since, size, _ = calls.pop(call)
            print(json.dumps([time.monotonic() - since, size]))
print("left", len(calls))
"""
# One byte at a time: argv = ADDRESS. Tells after how many seconds it was closed.
TRICKLER = """
import socket, sys, time
call = socket.create_connection((sys.argv[1], 7850))
since = time.monotonic()
try:
    for byte in bytes.fromhex("0090") + bytes(1000):
        call.sendall(bytes([byte]))
        call.settimeout(0.2)
        try:
            if not call.recv(1):
                break
        except TimeoutError:
            pass
except OSError:
    pass
print(time.monotonic() - since)
"""


class Streams(PairTest):
    serves = False
    lasts = 12

    def setUp(self):
        super().setUp()
        self.cli("lb1", "loadbalancer create --name web --vip-address 10.77.0.100")
        self.cli("lb1", "pool create --name workers --protocol HTTP --lb-algorithm ROUND_ROBIN --loadbalancer web")

    def call(self, host, beginnings):
        """Connections from HOST to lb2, as a process. BEGINNINGS: of each one, the first bytes and those after an
        answer."""
        process = self.lab.popen(host, sys.executable, "-c", CALLER, self.lab.address("lb2"),
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdin.write("".join(" ".join(part.hex() for part in parts) + "\n" for parts in beginnings))
        process.stdin.close()
        return process

    def ends(self, process):
        """[(seconds, bytes)] of its connections; all of them were closed."""
        lines = process.stdout.read().strip().split("\n")
        process.stdout.close()
        process.wait(20)
        self.assertEqual(lines[-1], "left 0", "connections that nobody closed")
        return [tuple(json.loads(line)) for line in lines[:-1]]

    def memory(self, node):
        with open("/proc/%d/status" % self.process(node, "control")) as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def large_change(self, text):
        """One that no datagram holds, made on lb1, is on lb2 when it is answered."""
        members = "".join("    - {name: %s%d, address: 10.9.0.%d, protocol_port: 80}\n" % (text, i, i)
                          for i in range(1, 100))
        said = self.cli("lb1", "apply -f -", text_in=(
            "loadbalancers:\n- name: %s\n  vip_address: 10.77.0.%d\n  pools:\n  - name: %s\n    protocol: HTTP\n"
            "    lb_algorithm: ROUND_ROBIN\n    members:\n%s" % (text, 101 + len(text), text, members)))
        self.assertRegex(said, "1/1", "the answer says where the change is")

    def overheard(self):
        """What went to lb2 on a stream, and the INIT that it begins with."""
        with attack.Attacker(self.lab).tap() as tap:
            self.cli("lb2", "status")
            self.large_change("one")
        stream = b"".join(packet.payload for packet in tap.packets if packet.protocol == attack.TCP and
                          packet.target == self.lab.address("lb2") and packet.ports[1] == attack.GOSSIP_PORT)
        self.assertEqual(stream[2], 5, "a stream begins with an INIT")
        self.assertNotIn(b"10.9.0.7", stream)
        return stream, stream[:2 + int.from_bytes(stream[:2], "big")]

    def state(self, node):
        return self.json(node, "status")["cluster"]["state_hash"]

    def test_who_says_nothing_or_nonsense_is_closed_soon_and_hears_nothing(self):
        _, init = self.overheard()
        before = self.memory("lb2")
        wrong = [b"", b"\x00", init[:40], init[:-1], b"GET / HTTP/1.1\r\n\r\n", os.urandom(400),
                 b"\x00\x00\x00\x6cLB\x01\x01" + os.urandom(100), init[:-16] + os.urandom(16)]
        trickler = self.lab.popen("lb1", sys.executable, "-c", TRICKLER, self.lab.address("lb2"),
                                  stdout=subprocess.PIPE, text=True)
        calls = [self.call(host, [(one, b"") for one in wrong]) for host in ("client", "lb1")]
        for call in calls:
            ends = self.ends(call)
            self.assertEqual({size for _, size in ends}, {0}, "bytes that came back")
            self.assertLess(max(seconds for seconds, _ in ends), 4)
        self.assertLess(float(trickler.communicate(timeout=20)[0]), 4, "seconds, with a byte now and then")
        self.assertLess(self.memory("lb2") - before, 1024, "KiB more")

    def test_strangers_in_great_number_keep_no_node_out(self):
        before = self.memory("lb2")
        call = self.call("client", [(b"", b"")] * 300)
        self.large_change("many")
        self.assertLess(self.memory("lb2") - before, 4096, "KiB more")
        ends = self.ends(call)
        self.assertEqual(len(ends), 300)
        early = sum(seconds < 2.5 for seconds, _ in ends)
        self.assertGreaterEqual(early, 300 - 8 - 5, "one address has 8 of them")

    def test_a_stream_that_was_overheard_changes_nothing_also_after_a_restart(self):
        stream, init = self.overheard()
        before = self.state("lb2")
        replays = [(stream, b""), (init, stream[len(init):]), (init[:-1] + b"\0", b"")]
        self.assertEqual({size for _, size in self.ends(self.call("lb1", replays))}, {0})
        self.lab.kill("lb2")
        self.lab.start("lb2")
        self.eventually(lambda: self.state("lb2") == before, 10, "lb2 is back")
        ends = self.ends(self.call("lb1", replays))
        self.assertEqual(sorted(size for _, size in ends), [0, 0, 86], "an answer that means nothing without a key")
        self.assertLess(max(seconds for seconds, _ in ends), 2, "seconds until what follows did not open")
        self.assertEqual((self.state("lb1"), self.state("lb2")), (before, before))
        self.large_change("after")
