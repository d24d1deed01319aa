"""Who is on the nodes' network and none of them: floods, replays, eavesdropping. The long version is
`tests/bench/run hostile`."""
import os
import sys

from pair import ROOT, VIP, PairTest

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import attack  # noqa: E402

RATE, SECONDS = 100000, 1
VRRP = 112
IGMP = 2  # the kernel says which groups it listens to
MARKER = "xq7-marker-of-this-test"


class HostileTest(PairTest):
    def hash_of(self, node):
        return self.json(node, "status")["cluster"]["state_hash"]

    def hashes(self):
        return {self.hash_of(node) for node in self.lab.node_names() if self.lab.pids(node)}

    def state(self):
        """The state hash, once all nodes agree."""
        self.eventually(lambda: len(self.hashes()) == 1, 10, "the nodes agree")
        return self.hashes().pop()

    def changes_heard_of(self, node):
        return self.cli(node, "events").count("CONFIG_CHANGED")

    def change(self, node, text):
        """A change on NODE is soon on the others."""
        self.cli(node, ["pool", "set", "workers", "--description", text])
        for other in self.lab.node_names():
            if self.lab.pids(other):
                self.eventually(lambda: self.json(other, "pool show workers")["description"] == text, 5,
                                "%s has the change of %s" % (other, node))

    def overhear(self, text="overheard"):
        """What the attacker saw pass to lb2 while changes were made."""
        with attack.Attacker(self.lab).tap() as tap:
            for number in range(4):
                self.change("lb1", "%s %d" % (text, number))
        return [packet for packet in tap.packets if packet.target == self.lab.address("lb2")]

    def datagrams(self, packets):
        return [packet.payload for packet in packets if packet.protocol == attack.UDP]

    def assertNoAnswers(self, answers):
        self.assertEqual([vars(packet) for packet in answers.packets if packet.protocol not in (VRRP, IGMP)], [])


class Hostile(HostileTest):
    lasts = 12

    def test_a_flood_of_all_kinds_moves_nothing_and_gets_no_answer(self):
        attacker = attack.Attacker(self.lab)
        made, loot = attack.Material(self.datagrams(self.overhear())), attack.Loot(self.lab, "lb1")
        before, holder = self.state(), self.active()
        kinds = [getattr(made, kind)() for kind in attack.KINDS]
        kinds.append(made.init(loot.node_keys["lb1"], loot.version))
        kinds.append(made.init(loot.node_keys["lb1"], loot.version, loot.mac("lb2")))
        mixed = [payload for row in zip(*kinds) for payload in row][:attack.VARIANTS // 2]
        frames = attacker.frames(mixed, "peer") + attacker.frames(mixed, "stranger")
        with attacker.answers() as answers:
            arrived = attack.received(self.lab, "lb2")[0]
            flood = attacker.start(frames, RATE, SECONDS)
            while flood.poll() is None:
                self.assertEqual(self.hashes(), {before})
                self.assertTrue(self.answers())
            sent = attack.wait_for(flood, 5)[0]
            arrived = attack.received(self.lab, "lb2")[0] - arrived
        self.assertGreater(sent, RATE * SECONDS / 2, "the attacker was too slow")
        self.assertGreater(arrived, sent * 0.99, "the flood did not arrive")
        self.assertNoAnswers(answers)
        self.assertEqual((self.state(), self.active()), (before, holder))
        self.change("lb1", "after the flood")
        self.change("lb2", "and back")

    def advice(self):
        """The commands of the document, as it tells them."""
        with open(os.path.join(ROOT, "docs", "security.md")) as file:
            block = file.read().partition("\n## What to do\n")[2].split("```")[1]
        return [line.removeprefix("lbnode ") for line in block.strip().split("\n")]

    def test_what_the_document_tells_to_do_shuts_a_stolen_node_out(self):
        thief = attack.Attacker(self.lab, target="lb1", peer="lb2")
        new = self.lab.path("lb1", "web-key.new")
        with open(new, "w") as file:
            file.write("another one")
        self.cli("lb1", "secret create web-key --payload-file -", text_in="stolen")
        with thief.tap() as tap:
            self.change("lb2", "by the thief, in time")
        self.lab.cut("lb1", "lb2")
        commands = self.advice()
        self.assertGreater(len(commands), 4)
        for command in commands:
            self.assertTrue(self.cli("lb1", command.replace("web-key.new", new)), command)
        self.cli("lb2", ["pool", "set", "workers", "--description", "by the thief, too late"])
        before = self.cli("lb1", "export"), self.cli("lb1", "events").count("on lb2")
        self.lab.heal()
        with thief.tap() as again:
            self.eventually(lambda: self.lab.holders(VIP) == ["lb1"], 5, "lb2, which is out, gives up its addresses")
        self.assertTrue(again.packets)
        with thief.answers() as answers:
            thief.send(self.datagrams(tap.packets + again.packets), "peer")
            thief.send(self.datagrams(tap.packets + again.packets), "stranger")
        self.assertNoAnswers(answers)
        self.assertEqual((self.cli("lb1", "export"), self.cli("lb1", "events").count("on lb2")), before)
        self.assertIn("by the thief, in time", before[0])
        self.assertEqual(self.cli("lb1", "secret show web-key --payload"), "another one")


class OnTheWire(HostileTest):
    nodes, formed, serves = 3, False, False

    def many_pools(self, count):
        """The configuration with so many more pools, which no datagram holds."""
        pool = "  - name: %s-%d\n    protocol: HTTP\n    lb_algorithm: ROUND_ROBIN\n"
        head, found, tail = self.cli("lb1", "export").partition("  pools:\n")
        self.assertTrue(found)
        return head + found + "".join(pool % (MARKER, number + 1) for number in range(count)) + tail

    def test_nothing_of_the_configuration_can_be_read(self):
        for node in self.lab.node_names():
            self.lab.start(node)
        self.cli("lb1", "init")
        with attack.Attacker(self.lab, "client", "lb2", "lb1").tap() as tap:
            self.cli("lb2", "join " + self.lab.token("lb1"))
            self.cli("lb1", "loadbalancer create --name web --vip-address " + VIP)
            self.cli("lb1", "pool create --protocol HTTP --lb-algorithm ROUND_ROBIN --loadbalancer web --name " + MARKER)
            self.cli("lb1", "apply -f -", text_in=self.many_pools(30))
            self.eventually(lambda: MARKER + "-30" in self.cli("lb2", "pool list"), 5, "lb2 has the large change")
            self.cli("lb3", "join " + self.lab.token("lb1"))
            self.eventually(lambda: MARKER + "-30" in self.cli("lb3", "pool list"), 5, "lb3 has the large change")
        for protocol in attack.UDP, attack.TCP:
            said = b"".join(packet.payload for packet in tap.packets if packet.protocol == protocol)
            self.assertGreater(len(said), 1000)
            self.assertNotIn(MARKER.encode(), said)
        # It was there to be read: the same search finds it where nothing is encrypted.
        with open(self.lab.path("lb2", "state", "config.mdb"), "rb") as store:
            self.assertIn(MARKER.encode(), store.read())

    def test_a_session_that_was_overheard_means_nothing_to_a_node_that_restarted(self):
        attacker = attack.Attacker(self.lab)
        with attacker.tap() as tap:
            self.lab.form(2)
            self.cli("lb1", "loadbalancer create --name web --vip-address " + VIP)
            self.cli("lb2", "pool create --protocol HTTP --lb-algorithm ROUND_ROBIN --loadbalancer web --name workers")
            self.change("lb1", "from lb1")
        seen = self.datagrams(packet for packet in tap.packets if packet.target == self.lab.address("lb2"))
        self.assertIn(attack.INIT, [payload[0] for payload in seen])
        self.assertIn(attack.DATA, [payload[0] for payload in seen])
        self.lab.stop("lb2")
        self.lab.start("lb2")
        before, changes = self.state(), self.changes_heard_of("lb2")
        with attacker.answers() as answers:
            for source in "stranger", "peer":
                attacker.send(seen, source)
        self.assertNoAnswers(answers)
        self.assertEqual((self.state(), self.changes_heard_of("lb2")), (before, changes))
        self.change("lb1", "again")
        self.change("lb2", "and again")
