"""Who changed what; taking it back; changes that undo themselves."""
import os
import signal

from pair import PairTest

DOCUMENT = "loadbalancers: [{name: web, vip_address: 10.77.0.100, pools: [{name: workers, protocol: HTTP, " \
           "lb_algorithm: ROUND_ROBIN, description: %s, members: []}]}]\n"


class HistoryTest(PairTest):
    serves, workers = False, 1

    def setUp(self):
        super().setUp()
        self.cli("lb1", "loadbalancer create --name web --vip-address 10.77.0.100")
        self.cli("lb1", "pool create --name workers --protocol HTTP --lb-algorithm ROUND_ROBIN --loadbalancer web")
        self.await_pool("lb2", "description", "")

    def pool(self, node):
        result = self.lab.lbnode(node, "pool", "show", "workers", "-o", "json")
        return self.json(node, "pool show workers") if result.returncode == 0 else {}

    def await_pool(self, node, attribute, value):
        self.eventually(lambda: self.pool(node).get(attribute) == value, 5,
                        "%s: %s of the pool is %r" % (node, attribute, value))

    def newest(self, node):
        return self.json(node, "history workers --limit 1")[0]

    def apply(self, node, description, *options):
        return self.cli(node, ["apply", "-f", "-", *options], text_in=DOCUMENT % description)


class Past(HistoryTest):
    def test_every_node_tells_who_did_what_where(self):
        self.cli("lb1", "pool set --description one workers")
        self.await_pool("lb2", "description", "one")
        self.cli("lb2", "pool set --description two workers")
        self.await_pool("lb1", "description", "two")
        for node in "lb1", "lb2":
            change = self.newest(node)
            self.assertEqual((change["author"], change["via"], change["node"]), ("root", "cli", "lb2"))
            said = self.cli(node, "show " + change["id"])
            self.assertIn("root@lb2 (cli)", said)
            self.assertIn("update pool workers: description one -> two", said)
            self.assertIn("description one -> two", self.cli(node, "history workers --since 2h"))
            self.assertIn("create loadbalancer web", self.cli(node, "history"))
            self.assertIn("create pool workers", self.cli(node, "diff 2h"))
            self.assertIn("description one -> two", self.cli(
                node, "diff %s %s" % (self.json(node, "history workers")[1]["id"], change["id"])))
            self.assertIn("good: ", self.cli(node, "audit verify"))

    def test_what_is_asked_wrongly_is_answered_with_a_sentence(self):
        self.assertIn("'soon'", self.cli("lb1", "history --since soon", code=1))
        self.assertIn("'nobody'", self.cli("lb1", "history nobody", code=3))
        self.assertIn("not the id of a change", self.cli("lb1", "show last", code=3))
        self.assertIn("an age such as 10m", self.cli("lb1", "diff yesterday", code=1))
        self.assertIn("--to TIME", self.cli("lb1", "rollback", code=2))
        self.assertIn("duration such as 60s", self.cli("lb1", "apply -f - --confirm soon", code=2, text_in="{}"))
        self.assertIn("waits for a confirmation", self.cli("lb1", "confirm", code=3))


class Concurrent(HistoryTest):
    def test_what_the_merge_rules_prefer_is_in_force_though_it_is_older(self):
        self.cli("lb1", "pool set --disable workers")
        self.await_pool("lb2", "admin_state_up", False)
        self.lab.cut("lb1", "lb2")
        self.cli("lb1", "pool set --enable workers")
        before = self.newest("lb1")["id"]
        self.cli("lb1", "pool set --disable workers")
        older = self.newest("lb1")["id"]
        self.cli("lb2", "pool set --enable workers")
        self.lab.heal()
        for node in "lb1", "lb2":
            self.eventually(lambda: len(self.json(node, "history workers")) == 5, 10, "%s has both" % node)
            self.assertFalse(self.pool(node)["admin_state_up"])
            newest = self.newest(node)
            self.assertEqual(newest["node"], "lb2")
            self.assertTrue(newest["changes"][0]["overruled"])
            self.assertIn("admin_state_up false -> true (overruled", self.cli(node, "history workers"))
            self.assertIn("admin_state_up true -> false", self.cli(node, "diff %s now" % before))
        self.assertIn("admin_state_up false -> true", self.cli("lb1", "rollback " + older))
        self.await_pool("lb2", "admin_state_up", True)
        self.assertIn("no conflict", self.cli("lb2", "conflicts"))


class Rollback(HistoryTest):
    def test_a_change_is_taken_back_everywhere(self):
        self.cli("lb1", "pool set --description one workers")
        change = self.newest("lb1")["id"]
        self.assertIn("dry run", self.cli("lb1", "rollback --dry-run " + change))
        self.assertIn("description one -> ", self.cli("lb1", "rollback " + change))
        for node in "lb1", "lb2":
            self.await_pool(node, "description", "")

    def test_what_another_node_changed_later_is_not_touched_unless_forced(self):
        self.cli("lb1", "pool set --description one workers")
        change = self.newest("lb1")["id"]
        self.await_pool("lb2", "description", "one")
        self.cli("lb2", "pool set --description two workers")
        self.await_pool("lb1", "description", "two")
        said = self.cli("lb1", "rollback " + change, code=4)
        self.assertIn("root@lb2", said)
        self.assertEqual(self.pool("lb1")["description"], "two")
        self.cli("lb1", "rollback --force " + change)
        self.await_pool("lb2", "description", "")

    def test_a_deleted_load_balancer_returns_with_all_below_it(self):
        before = self.cli("lb1", "export")
        moment = self.json("lb1", "history --limit 1")[0]["id"]
        self.cli("lb1", "loadbalancer delete --cascade web")
        self.assertNotIn("workers", self.cli("lb1", "export"))
        self.cli("lb1", "rollback --to " + moment)
        self.assertEqual(self.cli("lb1", "export"), before)
        self.eventually(lambda: self.cli("lb2", "export") == before, 5, "lb2 has it again")
        self.cli("lb1", "rollback --to 2h --object workers --dry-run")

    def test_before_the_cluster_began_there_was_nothing_but_what_it_needs(self):
        self.assertIn("the cluster needs it", self.cli("lb1", "rollback --to 24h --force"))
        self.assertEqual(self.json("lb1", "loadbalancer list"), [])
        self.assertEqual([group["name"] for group in self.json("lb1", "vrrpgroup list")],
                         ["default"])


class Unconfirmed(HistoryTest):
    def undone(self, node):
        return "CHANGE_UNDONE" in self.cli(node, "events")

    def test_what_nobody_confirms_is_undone_though_control_died_meanwhile(self):
        self.assertIn("lbnode confirm", self.apply("lb1", "risky", "--confirm", "6s"))
        self.await_pool("lb2", "description", "risky")
        before = self.process("lb1", "control")
        os.kill(before, signal.SIGKILL)
        self.eventually(lambda: self.undone("lb1") if self.lab.lbnode("lb1", "events").returncode == 0 else False, 15,
                        "the next control process undoes it")
        self.assertNotEqual(self.process("lb1", "control"), before)
        for node in "lb1", "lb2":
            self.await_pool(node, "description", "")
        change = self.newest("lb1")
        self.assertEqual((change["author"], change["via"], change["node"]), ("root", "undo", "lb1"))

    def test_what_is_confirmed_stays(self):
        self.apply("lb1", "good", "--confirm", "30s")
        change = self.newest("lb1")["id"]
        self.assertRegex(self.cli("lb1", "status"), r"undone in \d+ s +keep it: lbnode confirm " + change)
        self.assertIn(change, self.cli("lb1", "confirm"))
        self.assertNotIn(change, self.cli("lb1", "status"))
        self.apply("lb1", "better", "--confirm", "1s")
        self.eventually(lambda: self.undone("lb1"), 10, "the one that was not confirmed is undone")
        self.await_pool("lb1", "description", "good")
        self.cli("lb1", "confirm " + change, code=3)

    def test_what_others_changed_meanwhile_stays_as_they_left_it(self):
        self.cli("lb1", ["apply", "-f", "-", "--confirm", "6s"],
                 text_in=(DOCUMENT % "risky").replace("ROUND_ROBIN", "SOURCE_IP"))
        self.await_pool("lb2", "description", "risky")
        self.cli("lb2", "pool set --description theirs workers")
        self.eventually(lambda: self.undone("lb1"), 15, "the rest is undone")
        for node in "lb1", "lb2":
            self.await_pool(node, "lb_algorithm", "ROUND_ROBIN")
            self.assertEqual(self.pool(node)["description"], "theirs")
        self.assertIn("root@lb2", self.cli("lb1", "events"))

    def test_a_node_that_was_away_hears_the_others_before_it_undoes(self):
        self.apply("lb1", "risky", "--confirm", "1s")
        self.await_pool("lb2", "description", "risky")
        self.lab.kill("lb1")
        self.cli("lb2", "pool set --description theirs workers")
        self.lab.cut("lb1", "lb2")
        self.lab.start("lb1")
        self.eventually(lambda: self.undone("lb1") or self.cli("lb1", "status").count("undone now"), 5, "time is over")
        self.lab.heal()
        self.eventually(lambda: self.undone("lb1"), 15, "the rest is undone")
        for node in "lb1", "lb2":
            self.await_pool(node, "description", "theirs")
