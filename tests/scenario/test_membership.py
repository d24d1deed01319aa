"""Who is in the cluster: tokens, joins, removals."""
import os
import re
import shutil
import sys

from pair import ROOT, VIP, PairTest

sys.path.insert(0, os.path.join(ROOT, "tests", "second"))
try:
    import invite
    import join
    HAS_KEYS = True
except ImportError:
    HAS_KEYS = False

REFUSED = 5
SIX_WORDS = r"\b(?:[a-z]{3,8} ){5}[a-z]{3,8}\b"


class Tokens(PairTest):
    """lb1 is a cluster of one; the others ask to be let in."""

    nodes, workers, formed, serves = 3, 1, False, False

    def setUp(self):
        super().setUp()
        self.lab.form(1)
        for node in "lb2", "lb3":
            self.lab.start(node)

    def events(self, node):
        return self.cli(node, "events")

    def test_a_token_lets_one_node_in_and_both_sides_show_the_same_words(self):
        token = self.lab.token("lb1")
        said = self.cli("lb2", ["join", token])
        words = re.search("fingerprint: (%s)\n" % SIX_WORDS, said)[1]
        for command in "node show lb2", "token list", "events":
            self.tells("lb1", command, words)
        self.tells("lb2", "node show lb2", words)
        self.assertIn("used already", self.cli("lb3", ["join", token], REFUSED))
        self.tells("lb1", "events", "the token was used already")
        self.assertNotIn("lb3", self.cli("lb1", "node list"))

    def test_wrong_expired_and_deleted_tokens_let_nobody_in(self):
        wrong = list(self.lab.token("lb1"))
        wrong[40] = "A" if wrong[40] != "A" else "B"
        self.assertIn("not a complete token", self.cli("lb2", ["join", "".join(wrong)], 1))
        short = self.cli("lb1", "token create --ttl 1s").split()[0]
        self.eventually(lambda: "EXPIRED" in self.cli("lb1", "token list"), 3, "the token is over")
        self.assertIn("has expired", self.cli("lb2", ["join", short], REFUSED))
        self.tells("lb1", "events", "the token has expired")
        taken_back = self.lab.token("lb1")
        tokens = [one["id"] for one in self.json("lb1", "token list") if one["state"] == "OPEN"]
        for one in tokens:
            self.cli("lb1", "token delete " + one)
        self.assertIn("gave no answer", self.cli("lb2", ["join", taken_back], REFUSED))
        self.assertIn("86400", self.cli("lb1", "token create --ttl 25h", 1))
        self.cli("lb2", ["join", self.lab.token("lb1")])

    def test_a_token_of_another_node_is_not_answered(self):
        if not HAS_KEYS:
            self.skipTest("needs python3-cryptography")
        self.cli("lb2", ["join", self.lab.token("lb1")])
        made = join.Token(self.lab.token("lb2"))
        moved = invite.make_token(made.cluster, self.lab.address("lb1"), made.port, made.key, made.secret)
        self.assertIn("comes from another node", self.cli("lb3", ["join", moved], REFUSED))
        self.tells("lb1", "events", "tokens of another node are void here")


class Removal(PairTest):
    """lb1 and lb2 balance; lb3 runs and is in no cluster."""

    nodes, workers = 3, 1
    formed, serves = False, False

    def setUp(self):
        super().setUp()
        self.lab.form(2)
        self.lab.start("lb3")
        self.serve()
        self.eventually(lambda: len(self.lab.holders(VIP)) == 1 and self.answers(), 10, "the pair serves")

    def say_it_was_removed(self, node):
        self.eventually(lambda: "this node was removed from cluster" in self.cli(node, "status"), 10,
                        "%s says that it was removed" % node)
        self.assertIn("lbnode join TOKEN", self.cli(node, "status"))
        refused = self.lab.lbnode(node, "member", "set", "--weight", "77", "workers", "w1")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("was removed from the cluster", refused.stderr)

    def empty(self, node):
        """Moves its state away, as it were."""
        self.lab.stop(node)
        state = self.lab.path(node, "state")
        for name in os.listdir(state):
            path = os.path.join(state, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        self.lab.start(node)

    def come_back_as_a_new_node(self, node, inviter):
        """As `status` of the removed node tells to."""
        self.empty(node)
        self.cli(node, ["join", self.lab.token(inviter)])
        self.eventually(lambda: self.member(node, "w1").get("weight") == self.member(inviter, "w1").get("weight"), 5,
                        "%s has the state again" % node)

    def test_a_node_that_is_removed_gives_its_addresses_away_first_and_nothing_is_lost(self):
        active = self.active()
        other = "lb2" if active == "lb1" else "lb1"
        self.cli(active, "member set --weight 7 workers w1")
        said = self.cli(other, "node remove " + active)
        self.assertIn("nothing is lost", said)
        self.assertEqual(self.lab.holders(VIP), [other])
        self.assertEqual(self.member(other, "w1")["weight"], 7)
        self.say_it_was_removed(active)
        self.lab.stop(active)
        self.lab.start(active)
        self.say_it_was_removed(active)
        self.assertEqual(self.lab.holders(VIP), [other])
        self.come_back_as_a_new_node(active, other)
        self.assertRegex(self.cli(other, "node list"), r"%s .*ACTIVE" % active)

    def test_a_lone_survivor_removes_the_dead_rotates_and_lets_a_new_one_in(self):
        self.lab.kill("lb1")
        self.eventually(self.answers, 3, "lb2 serves")
        self.assertIn("changes that only it had are lost", self.cli("lb2", "node remove --dead lb1"))
        self.cli("lb2", "member set --weight 9 workers w1")
        self.cli("lb3", ["join", self.lab.token("lb2")])
        self.eventually(lambda: self.member("lb3", "w1").get("weight") == 9, 5, "lb3 has the state")
        self.lab.start("lb1")
        self.say_it_was_removed("lb1")
        self.eventually(lambda: self.lab.holders(VIP) == ["lb2"], 3, "what lb1 left in its kernel ends")
        self.assertEqual(self.member("lb2", "w1")["weight"], 9, "what the removed node says is void")

    def test_a_revoked_node_is_shut_out_and_what_it_could_read_is_named(self):
        self.cli("lb1", "secret create --secret-type passphrase --payload-file - tls-key", text_in="hunter2")
        said = self.cli("lb1", "node remove --compromised lb2")
        self.assertRegex(said, r"revoked node lb2(.|\n)*replace these secrets(.|\n)*tls-key")
        self.eventually(lambda: "REVOKED" in self.cli("lb1", "node show lb2"), 3, "the roster says so")
        self.say_it_was_removed("lb2")
        self.eventually(lambda: self.lab.holders(VIP) == ["lb1"], 5, "lb1 serves alone")
        self.come_back_as_a_new_node("lb2", "lb1")

    def test_a_node_gets_a_new_key_and_its_address_stays(self):
        active = self.active()
        other = "lb2" if active == "lb1" else "lb1"
        before = self.key(active)
        refused = self.cli(other, "node rekey " + active, 4)
        self.assertIn("Only node %s itself" % active, refused)
        said = self.cli(active, "node rekey")
        self.assertIn("has a new key", said)
        self.assertNotIn("does not know", said)
        self.assertNotEqual(self.key(active), before)
        self.assertFalse(os.path.exists(self.lab.path(active, "state", "node.key.new")))
        self.cli(active, "member set --weight 5 workers w1")
        self.eventually(lambda: self.member(other, "w1").get("weight") == 5, 3, "changes go on to %s" % other)
        self.assertEqual(self.lab.holders(VIP), [active])
        self.lab.kill(active)
        self.lab.start(active)
        self.cli(active, "member set --weight 6 workers w1")
        self.eventually(lambda: self.member(other, "w1").get("weight") == 6, 5, "and after a restart")

    def key(self, node):
        with open(self.lab.path(node, "state", "node.key"), encoding="ascii") as file:
            return file.read()

    def test_when_every_node_was_removed_a_backup_of_one_starts_a_new_cluster(self):
        self.lab.cut("lb1", "lb2")
        for node, other in ("lb1", "lb2"), ("lb2", "lb1"):
            self.cli(node, "node remove --compromised " + other)
        self.lab.heal()
        saved, passphrase = self.lab.path("lb1", "saved"), self.lab.path("lb1", "passphrase")
        with open(passphrase, "w", encoding="ascii") as file:
            file.write("a long passphrase for the test\n")
        self.cli("lb1", ["backup", "--passphrase-file", passphrase, saved])
        self.empty("lb1")
        said = self.cli("lb1", ["restore", "--new-cluster", "--passphrase-file", passphrase, saved])
        self.assertIn("recovery code", said)
        self.assertEqual(self.json("lb1", "member list workers")[0]["name"], "w1")
        self.empty("lb2")
        self.cli("lb2", ["join", self.lab.token("lb1")])
        self.eventually(lambda: self.member("lb2", "w1"), 5, "lb2 has the state")


class Recovery(PairTest):
    """lb3 removes lb1 and lb2 across a cut, and is lost itself."""

    nodes, workers, formed, serves = 3, 1, False, False

    def lose_everybody(self):
        for node in "lb1", "lb2":
            self.lab.cut(node, "lb3")
        self.cli("lb1", "member set --weight 5 workers w1")
        for node in "lb1", "lb2":
            self.cli("lb3", "node remove --dead " + node)
        self.lab.heal()
        for node in "lb1", "lb2":
            self.hears_of_its_removal(node)
        self.lab.kill("lb3")

    def come_back(self, code):
        wrong = ("B" if code[0] == "A" else "A") + code[1:]
        self.assertIn("stop it", self.recover("lb1", code, 4))
        self.lab.stop("lb1")
        self.assertRegex(self.recover("lb1", code, 4, force=False), "lb[23] is still a member")
        self.assertIn("not a complete recovery code", self.recover("lb1", wrong, 2))
        self.assertIn("the new node lb1 of cluster", self.recover("lb1", code))
        self.lab.start("lb1")
        self.assertNotIn("was removed from cluster", self.cli("lb1", "status"))

    def test_nodes_that_were_all_removed_go_on_with_the_recovery_code(self):
        code = self.form_with_code()
        self.serve()
        self.cli("lb1", "secret create --secret-type passphrase --payload-file - tls-key", text_in="hunter2")
        self.lose_everybody()
        before = self.json("lb1", "history w1")
        self.come_back(code)
        self.assertEqual(self.member("lb1", "w1")["weight"], 5, "what it wrote alone is there")
        self.assertEqual(self.json("lb1", "history w1"), before)
        self.assertIn("recovery code", self.cli("lb1", "history"))
        self.cli("lb1", "audit verify")
        self.lab.stop("lb2")
        shutil.rmtree(self.lab.path("lb2", "state"))
        self.lab.start("lb2")
        self.cli("lb2", ["join", self.lab.token("lb1")])
        self.eventually(lambda: self.json("lb2", "history w1") == before, 5, "lb2 has the past")
        self.cli("lb2", "member set --weight 6 workers w1")
        self.eventually(lambda: self.member("lb1", "w1").get("weight") == 6, 5, "lb2 is heard again")
        for node in "lb1", "lb2":
            self.assertIn("hunter2", self.cli(node, "secret show --payload tls-key"))
            with open(self.lab.log(node), errors="replace") as log:
                self.assertNotIn(code[:20], log.read(), "the code stands in the log of %s" % node)
        self.eventually(lambda: len(self.lab.holders(VIP)) == 1 and self.answers(), 10, "the pair serves")
