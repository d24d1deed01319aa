"""Planned switches: clients do not notice, and the address stays where it was sent."""
from pair import VIP, VIP6, PairTest, Prober, wait_until


class Planned(PairTest):
    alone = True

    def switch_under_load(self, act):
        """The report of a client that ran while ACT moved the address to the other node."""
        active = self.active()
        with Prober(self.lab, VIP) as prober:
            act(active)
            self.eventually(lambda: self.lab.holders(VIP) == [self.other(active)], 4, "only the other node has it")
            prober.await_more(100)
        self.assertEqual(self.active(), self.other(active))
        return prober.report

    def assertHardlyNoticed(self, report):
        print("    " + report.line())
        self.assertLessEqual(report.failed, 1, report.line())
        self.assertGreater(report.sent, 100, report.line())

    def test_failover_moves_the_address_and_says_where_it_is(self):
        active = self.active()
        said = []
        report = self.switch_under_load(lambda node: said.append(self.cli(node, "failover")))
        self.assertIn("active on " + self.other(active), said[0])
        self.assertHardlyNoticed(report)

    def test_a_preferred_node_that_preempts_is_hardly_noticed(self):
        def prefer(active):
            self.cli(active, "vrrpgroup set --enable-preempt --preference %s=150 default" % self.other(active))
        for _ in range(3):
            self.assertHardlyNoticed(self.switch_under_load(prefer))

    def test_failover_may_be_asked_of_the_node_that_is_not_active(self):
        active = self.active()
        other = self.other(active)
        said = []
        report = self.switch_under_load(lambda node: said.append(self.cli(other, "failover --to " + other)))
        self.assertIn("active on " + other, said[0])
        self.assertHardlyNoticed(report)
        self.assertIn("node %s asked this node to give group default away to %s" % (other, other),
                      self.cli(active, "events"))
        self.cli(other, "failover --group default")
        self.eventually(lambda: self.lab.holders(VIP) == [active], 4, "and back")

    def test_failover_to_a_node_is_refused_where_it_makes_no_sense(self):
        active = self.active()
        self.assertIn("is active already", self.cli(active, "failover --to " + active, code=4))
        self.lab.kill(self.other(active))
        self.eventually(lambda: "does not answer" in self.lab.lbnode(
            active, "failover", "--to", self.other(active)).stderr, 10, "a dead node is refused")
        self.assertIn("No other node can take group default", self.cli(active, "failover", code=4))
        self.assertTrue(self.lab.holds(active, VIP), "the address stayed")

    def test_a_drained_node_gives_its_address_away_and_serves_when_nobody_else_can(self):
        active = self.active()
        other = self.other(active)
        self.assertHardlyNoticed(self.switch_under_load(lambda node: self.cli(node, "node drain " + node)))
        self.assertTrue(self.json(other, "node show " + active)["drain"])
        self.lab.kill(other)
        self.eventually(self.answers, 3, "the drained node serves in need")
        self.lab.start(other)
        self.eventually(lambda: self.lab.holders(VIP) == [other], 12, "it gives the address away again")
        self.cli(active, "node undrain " + active)

    def test_two_drained_nodes_do_not_pass_the_address_to_and_fro(self):
        active = self.active()
        for node in self.lab.node_names():
            self.cli(active, "node drain " + node)
        self.eventually(lambda: len(self.lab.holders(VIP)) == 1, 8, "one node has it")
        before = self.active()
        moved = wait_until(lambda: self.lab.holders(VIP) != [before], 6)  # a drained node offers every five seconds
        self.assertFalse(moved, "the address went from one to the other")

    def test_a_node_that_stops_in_order_answers_what_it_has_begun(self):
        report = self.switch_under_load(lambda node: self.lab.stop(node))
        self.assertHardlyNoticed(report)


class PlannedIpv6(PairTest):
    alone = True

    serves = False

    def test_twenty_switches_of_an_ipv6_address_fail_hardly_a_request(self):
        self.serve(vip=VIP6)
        self.settle(VIP6)
        with Prober(self.lab, VIP6) as prober:
            for _ in range(20):
                active = self.active(VIP6)
                self.cli(active, "failover")
                self.eventually(lambda: self.lab.holders(VIP6) == [self.other(active)], 4, "only the other node has it")
        print("    " + prober.report.line())
        self.assertLessEqual(prober.report.failed, 1, prober.report.line())
        self.assertGreater(prober.report.sent, 1000, prober.report.line())
