"""One process of a node dies: what it did stops for a moment, all else goes on."""
import os
import signal

from pair import VIP, PairTest, Prober


def is_another(test, node, role, before):
    try:
        return test.process(node, role) != before
    except (AssertionError, OSError):
        return False


class ProcessDeath(PairTest):
    alone = True

    def kill_under_load(self, role):
        """The report of a client that ran while ROLE of the active node was killed and came back."""
        active = self.active()
        before = self.process(active, role)
        with Prober(self.lab, VIP) as prober:
            os.kill(before, signal.SIGKILL)
            self.eventually(lambda: is_another(self, active, role, before), 3, "%s runs again" % role)
            prober.await_more(200)
            self.assertEqual(self.active(), active, "the address moved")
        self.assertEqual(self.active(), active, "the address moved")
        self.tells(active, "events", "PROCESS_DIED")
        return prober.report

    def test_no_connection_is_refused_while_the_proxy_is_replaced(self):
        report = self.kill_under_load("proxy")
        print("    " + report.line())
        self.assertNotIn("refused", report.kinds, report.line())
        self.assertLess(report.outage_ms, 1000, report.line())

    def test_no_request_fails_while_control_is_replaced(self):
        self.assertNoFailure(self.kill_under_load("control"))
        self.cli(self.active(), "member set --weight 3 workers w1")
        self.assertEqual(self.member(self.active(), "w1")["weight"], 3)

    def test_no_request_fails_while_health_is_replaced(self):
        self.assertNoFailure(self.kill_under_load("health"))
        self.lab.worker_stop("w2")
        self.eventually(lambda: self.member(self.active(), "w2").get("operating_status") == "ERROR", 10,
                        "the new health process notices a dead member")

    def test_no_request_fails_while_vrrp_is_replaced(self):
        self.assertNoFailure(self.kill_under_load("vrrp"))


class ProcessHangs(PairTest):
    def stop_and_await_another(self, node, role):
        before = self.process(node, role)
        os.kill(before, signal.SIGSTOP)
        self.eventually(lambda: is_another(self, node, role, before), 8, "%s is replaced" % role)
        self.eventually(lambda: "PROCESS_HUNG" in self.cli(node, "events"), 2, "the event is told")

    def test_a_proxy_that_hangs_is_replaced_and_the_address_stays(self):
        active = self.active()
        self.stop_and_await_another(active, "proxy")
        self.eventually(self.answers, 2, "clients are served again")
        self.assertEqual(self.active(), active)

    def test_an_election_that_hangs_loses_its_addresses_and_returns_as_backup(self):
        active = self.active()
        self.stop_and_await_another(active, "vrrp")
        with Prober(self.lab, VIP) as prober:
            prober.await_more(300)
        self.assertNoFailure(prober.report)
        self.assertEqual(self.active(), self.other(active))


class Health(PairTest):
    def test_a_dead_worker_gets_no_requests_and_a_returned_one_does(self):
        self.lab.worker_stop("w2")
        for node in self.lab.node_names():
            self.eventually(lambda: self.member(node, "w2").get("operating_status") == "ERROR", 10,
                            "w2 is in ERROR on %s" % node)
        with Prober(self.lab, VIP) as prober:
            prober.await_more(100)
        self.assertNoFailure(prober.report)
        self.assertEqual(len(prober.report.answers), 1, prober.report.answers)
        self.lab.worker_start("w2")
        self.eventually(lambda: self.member(self.active(), "w2").get("operating_status") == "ONLINE", 10,
                        "w2 is ONLINE again")
        with Prober(self.lab, VIP) as prober:
            prober.await_more(100)
        self.assertNoFailure(prober.report)
        self.assertEqual(len(prober.report.answers), 2, prober.report.answers)


class LogLevel(PairTest):
    nodes, formed, serves = 1, False, False

    def log_of(self, level):
        """What one node wrote until its proxy ran and its vrrp process had the address."""
        self.lab.start("lb1", options=["--log-level", level])
        if level == "debug":
            self.lab.lbnode("lb1", "init")
            self.serve()
        self.eventually(lambda: self.lab.holders(VIP) == ["lb1"] and self.answers(), 10, "the node serves")
        self.lab.stop("lb1")
        with open(self.lab.log("lb1")) as log:
            return log.read()

    def test_every_process_follows_it(self):
        said = self.log_of("debug")
        self.assertIn("<7>proxy: ", said)
        self.assertIn("<7>vrrp: ", said)
        errors = self.log_of("error")[len(said):]
        self.assertNotRegex(errors, r"<[4-7]>\w+: ")
