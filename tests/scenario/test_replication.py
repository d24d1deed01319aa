"""Configuration taken on one node is on all, whoever was away meanwhile."""
import re
import subprocess
import sys

from pair import VIP, PairTest


# A stranger with many connections that say nothing: argv = ADDRESS; closed ones are opened again.
STRANGER = """
import selectors, socket, sys
waiting = selectors.DefaultSelector()
def connect():
    waiting.register(socket.create_connection((sys.argv[1], 7850)), selectors.EVENT_READ)
for _ in range(100):
    connect()
print("ready", flush=True)
while True:
    for key, _ in waiting.select():
        waiting.unregister(key.fileobj)
        key.fileobj.close()
        connect()
"""


class Replication(PairTest):
    def weight(self, node):
        return self.member(node, "w1").get("weight")

    def test_a_change_is_on_the_other_node_when_the_command_returns(self):
        said = self.cli("lb2", "member set --weight 7 workers w1")
        self.assertRegex(said, "1/1", "the answer says where the change is")
        self.eventually(lambda: self.weight("lb1") == 7, 1, "lb1 has the weight")

    def test_strangers_who_hold_connections_keep_no_peer_out(self):
        stranger = self.lab.popen("client", sys.executable, "-c", STRANGER, self.lab.address("lb2"),
                                  stdout=subprocess.PIPE)
        self.addCleanup(stranger.communicate)
        self.addCleanup(stranger.kill)
        stranger.stdout.readline()
        members = "".join("    - {name: m%d, address: 10.9.0.%d, protocol_port: 80}\n" % (i, i)
                          for i in range(1, 200))  # too much for datagrams
        said = self.cli("lb1", "apply -f -", text_in=(
            "loadbalancers:\n- name: big\n  vip_address: 10.77.0.101\n  pools:\n  - name: many\n"
            "    protocol: HTTP\n    lb_algorithm: ROUND_ROBIN\n    members:\n" + members))
        self.assertRegex(said, "1/1", "the answer says where the change is")

    def test_a_change_made_while_a_node_was_down_reaches_it_later(self):
        self.lab.kill("lb2")
        said = self.cli("lb1", "member set --weight 7 workers w1")
        self.assertRegex(said, "not yet replicated|ONLY", "the answer admits that lb2 lacks the change")
        self.lab.start("lb2")
        self.eventually(lambda: self.weight("lb2") == 7, 10, "lb2 caught up")

    def test_a_change_survives_the_death_of_all_nodes(self):
        self.cli("lb1", "member set --weight 7 workers w1")
        for node in "lb1", "lb2":
            self.lab.kill(node)
        for node in "lb1", "lb2":
            self.lab.start(node)
            self.assertEqual(self.weight(node), 7, "the weight on " + node)

    def test_both_sides_of_a_cut_pair_agree_after_healing_and_show_the_conflict(self):
        self.lab.cut("lb1", "lb2")
        self.eventually(lambda: "not" in self.cli("lb1", "member set --weight 3 workers w1"), 10, "lb1 is on its own")
        self.cli("lb2", "member set --weight 4 workers w1")
        self.assertEqual((self.weight("lb1"), self.weight("lb2")), (3, 4))
        self.lab.heal()
        self.eventually(lambda: self.weight("lb1") == self.weight("lb2"), 15, "both show the same weight")
        for node in "lb1", "lb2":
            self.eventually(lambda: re.search("w1|weight", self.cli(node, "conflicts")), 10,
                            "%s shows the conflict" % node)
        self.eventually(lambda: len(self.lab.holders(VIP)) == 1, 5, "one owner again")

    def test_a_member_that_one_side_deleted_and_the_other_edited_can_be_brought_back(self):
        self.lab.cut("lb1", "lb2")
        self.eventually(lambda: "not" in self.cli("lb1", "member set --weight 3 workers w2"), 10, "lb1 is on its own")
        self.cli("lb1", "member delete workers w1")
        self.cli("lb2", "member set --weight 4 workers w1")
        self.lab.heal()
        for node in "lb1", "lb2":
            self.eventually(lambda: "edit-after-delete" in self.cli(node, "conflicts"), 15, "%s shows the conflict" % node)
            self.assertFalse(self.member(node, "w1"), "a deletion is in force")
        found = [entry for entry in self.json("lb2", "conflicts") if entry["kind"] == "edit-after-delete"]
        self.cli("lb2", "resolve %s --take 2" % found[0]["object_id"])
        for node in "lb1", "lb2":
            self.eventually(lambda: self.weight(node) == 4, 5, "w1 is back on " + node)
            self.assertEqual(self.json(node, "conflicts"), [], "the conflict is closed on " + node)

    def test_a_conflict_is_closed_by_choosing_a_value(self):
        self.lab.cut("lb1", "lb2")
        self.eventually(lambda: "not" in self.cli("lb1", "member set --weight 3 workers w1"), 10, "lb1 is on its own")
        self.cli("lb2", "member set --weight 4 workers w1")
        self.lab.heal()
        self.eventually(lambda: self.json("lb1", "conflicts"), 15, "lb1 shows the conflict")
        values = {entry["number"]: entry["values"]["weight"] for entry in self.json("lb1", "conflicts")[0]["entries"]}
        self.assertEqual(sorted(values.values()), [3, 4])
        number = next(number for number, value in values.items() if value == 3)
        self.cli("lb1", "resolve w1 weight --take %d" % number)
        for node in "lb1", "lb2":
            self.eventually(lambda: self.weight(node) == 3 and not self.json(node, "conflicts"), 5,
                            "%s has the chosen weight" % node)

    def test_a_survivor_lets_nodes_in_and_throws_the_dead_out(self):
        self.lab.kill("lb1")
        self.eventually(self.answers, 3, "lb2 serves")
        self.assertGreater(len(self.lab.token("lb2")), 40)
        self.assertIn("stopped answering", self.cli("lb2", "node remove lb1", 4))
        self.assertIn("does not answer", self.cli("lb2", "node remove lb1", 4))
        self.cli("lb2", "node remove --dead lb1")
        self.eventually(lambda: "1/1" not in self.cli("lb2", "member set --weight 9 workers w1"), 5, "lb2 is alone")
        self.assertNotRegex(self.cli("lb2", "node list"), r"(?i)lb1.*active", "lb1 is still in the roster")


class ThreeNodes(PairTest):
    nodes, serves = 3, False

    def test_every_node_of_three_takes_and_shows_changes(self):
        self.cli("lb1", "loadbalancer create --name web --vip-address " + VIP)
        self.cli("lb2", "listener create --name http --protocol HTTP --protocol-port 80 web")
        self.cli("lb3", "pool create --name workers --protocol HTTP --lb-algorithm ROUND_ROBIN --listener http")
        for node in self.lab.node_names():
            self.eventually(lambda: "workers" in self.cli(node, "pool list"), 3, "%s has the pool" % node)
        self.eventually(lambda: len(self.lab.holders(VIP)) == 1, 5, "one owner of three")
