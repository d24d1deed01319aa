"""Each rule of the soak passes what is right and finds what is wrong."""
import copy
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import board  # noqa: E402
from judge import judge  # noqa: E402

REASONS = ("complete client_closed client_timeout bad_request no_member queue_full queue_timeout connect_failed "
           "member_timeout member_failed no_resources stopped").split()


def terminations(**some):
    return dict(dict.fromkeys(REASONS, 0), **some)


def steady():
    return {"kind": "HTTP", "steady": True, "members_known": True,
            "board": {"active_connections": 0, "total_connections": 10, "requests": 100, "client_wait": 100, "bytes_in": 5000,
                      "bytes_out": 90000, "terminations": terminations(complete=100)},
            "pool": {"total": 100, "queued": 0, "retries": 3, "assigned": 100}, "members": {"active": 0, "total": 103},
            "clients": {"connections": 10, "requests": 100, "answered": 100, "failed": 0, "wrong": 0, "sent": 5000,
                        "received": 90000}}


def wild():
    return {"kind": "TCP", "steady": False, "members_known": True,
            "board": {"active_connections": 0, "total_connections": 50, "requests": 0, "client_wait": 0, "bytes_in": 4000,
                      "bytes_out": 80000, "terminations": terminations(complete=30, client_closed=12, no_member=8)},
            "pool": {"total": 50, "queued": 0, "retries": 5, "assigned": 42}, "members": {"active": 0, "total": 47},
            "clients": {"connections": 55, "requests": 70, "answered": 60, "failed": 9, "wrong": 0, "sent": 4100,
                        "received": 79000}}


def good():
    memory = [(second, 8000 + second % 7 * 100, 300) for second in range(600)]
    return {"minutes": 10, "idle": {"sockets": 11, "pipes": 0}, "settled": {"sockets": 11, "pipes": 20}, "settle_s": 30,
            "pipe_limit": 128, "memory": memory, "memory_judged": True, "proxy_pids": [7, 7, 7], "restarts": {"proxy": 0},
            "errors": [], "reports": [], "listeners": {"steady": steady(), "wildtcp": wild()}, "changes": {"weight": 5},
            "flaps": {"killed": 5}, "guests": {"answered": 9, "wrong": 0}}


def broken(figures):
    return [rule for rule, _, _, is_good in judge(figures) if not is_good]


class Judge(unittest.TestCase):
    def test_figures_that_agree_pass(self):
        self.assertEqual(broken(good()), [])

    def check(self, rule, *path, value):
        """With VALUE at PATH a rule that begins like RULE is broken."""
        figures = copy.deepcopy(good())
        place = figures
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        found = broken(figures)
        self.assertTrue(any(text.startswith(rule) for text in found), "%s: %s" % (path, found))

    def test_a_leak_is_found_when_it_is_above_a_tenth_and_four_MiB(self):
        self.check("own memory", "memory", value=[(second, 8000 + second * 10, 300) for second in range(600)])

    def test_a_small_growth_is_none(self):
        figures = good()
        figures["memory"] = [(second, 8000 + second * 4, 300) for second in range(600)]
        self.assertEqual(broken(figures), [])

    def test_shared_memory_that_stays_is_found(self):
        self.check("shared memory", "memory", value=[(second, 8000, 300 + second * 30) for second in range(600)])

    def test_memory_that_nobody_sampled_is_not_flat(self):
        self.check("memory was sampled", "memory", value=[])

    def test_memory_of_a_build_with_a_sanitizer_is_not_judged(self):
        figures = good()
        figures.update(memory_judged=False, memory=[])
        self.assertEqual(broken(figures), [])

    def test_a_process_that_was_replaced_is_found(self):
        self.check("proxy processes", "proxy_pids", value=[7, 7, 9])
        self.check("proxy processes", "proxy_pids", value=[])
        self.check("restarts", "restarts", "proxy", value=1)

    def test_errors_and_reports_of_sanitizers_are_found(self):
        self.check("events", "errors", value=[{"code": "BIND_FAILED"}])
        self.check("reports", "reports", value=["WARNING: ThreadSanitizer: data race"])

    def test_what_is_stuck_is_found(self):
        self.check("sockets", "settled", "sockets", value=12)
        self.check("sockets", "settled", "sockets", value=10)
        self.check("descriptors of pooled pipes", "settled", "pipes", value=130)
        self.check("settled", "settle_s", value=110)
        self.check("steady: connections, queue", "listeners", "steady", "board", "active_connections", value=1)
        self.check("steady: connections, queue", "listeners", "steady", "pool", "queued", value=1)
        self.check("steady: connections, queue", "listeners", "steady", "members", "active", value=1)
        self.check("steady: connections, queue", "listeners", "steady", "members", "active", value=-1)

    def test_a_run_without_load_changes_or_flaps_proves_nothing(self):
        self.check("changes", "changes", value={})
        self.check("flaps", "flaps", value={})
        self.check("wildtcp: answers", "listeners", "wildtcp", "clients", "answered", value=0)

    def test_requests_that_ended_twice_or_never_are_found(self):
        steady_ends = "listeners", "steady", "board", "terminations", "complete"
        self.check("steady: ended by reason, of the requests", *steady_ends, value=99)
        self.check("steady: ended by reason, beyond the requests", *steady_ends, value=101)
        self.check("wildtcp: accepted = ended", "listeners", "wildtcp", "board", "terminations", "complete", value=29)
        self.check("wildtcp: accepted = ended", "listeners", "wildtcp", "board", "terminations", "complete", value=31)

    def test_requests_that_no_pool_or_member_knows_are_found(self):
        self.check("steady: requests = heads", "listeners", "steady", "board", "client_wait", value=99)
        self.check("steady: requests answered here", "listeners", "steady", "pool", "total", value=99)
        self.check("steady: given to members", "listeners", "steady", "members", "total", value=102)
        self.check("wildtcp: given to members", "listeners", "wildtcp", "pool", "retries", value=6)
        self.check("wildtcp: for the pool, without a member", "listeners", "wildtcp", "pool", "assigned", value=20)
        self.check("wildtcp: for the pool, of those", "listeners", "wildtcp", "pool", "assigned", value=51)
        self.check("wildtcp: accepted = for the pool", "listeners", "wildtcp", "pool", "total", value=49)

    def test_members_that_were_deleted_while_they_served_took_some_counts_with_them(self):
        figures = good()
        figures["listeners"]["steady"].update(members_known=False, members={"active": 0, "total": 90})
        self.assertEqual(broken(figures), [])
        figures["listeners"]["steady"]["members"]["total"] = 104
        self.assertEqual(broken(figures), ["steady: given to members that are left"])

    def test_what_clients_of_steady_members_counted_must_be_what_the_proxy_counted(self):
        for figure in "connections", "requests", "sent", "received":
            for value in steady()["clients"][figure] - 1, steady()["clients"][figure] + 1:
                self.check("steady: ", "listeners", "steady", "clients", figure, value=value)
        self.check("steady: failures", "listeners", "steady", "clients", "failed", value=1)

    def test_clients_that_abort_bound_what_the_proxy_may_have_counted(self):
        self.check("wildtcp: connections", "listeners", "wildtcp", "clients", "connections", value=49)
        self.check("wildtcp: bytes out", "listeners", "wildtcp", "clients", "received", value=80001)
        self.check("wildtcp: bytes in", "listeners", "wildtcp", "clients", "sent", value=3999)

    def test_an_answer_that_was_another_one_s_is_found(self):
        self.check("wildtcp: answers that", "listeners", "wildtcp", "clients", "wrong", value=1)
        self.check("guest: answers that", "guests", "wrong", value=1)

    def test_a_listener_that_came_and_went_unused_proves_nothing(self):
        self.check("guest: answers to", "guests", "answered", value=0)


PAGE = """# TYPE lbnode_listener_requests counter
lbnode_listener_requests{id="l",listener="web",loadbalancer="lb"} 7
lbnode_listener_terminations{id="l",listener="web",loadbalancer="lb",reason="complete"} 6
lbnode_listener_client_wait_seconds_bucket{id="l",listener="web",loadbalancer="lb",le="0.1"} 5
lbnode_listener_client_wait_seconds_count{id="l",listener="web",loadbalancer="lb"} 7
lbnode_pool_total{id="p",pool="web",loadbalancer="lb"} 7
lbnode_pool_queue_seconds_count{id="p",pool="web",loadbalancer="lb"} 6
lbnode_member_total{id="m",member="a",pool="web"} 4
lbnode_member_total{id="n",member="b",pool="other"} 9
lbnode_process_restarts_total{process="proxy"} 2
"""


class Board(unittest.TestCase):
    def test_members_are_added_up_by_pool_with_those_that_are_gone(self):
        out = board.listeners(board.read(PAGE), {"web": [{"total": 2, "active": 0}]}, {"web"})["web"]
        self.assertEqual((out["board"]["requests"], out["board"]["client_wait"]), (7, 7))
        self.assertEqual(out["board"]["terminations"], {"complete": 6})
        self.assertEqual((out["pool"]["total"], out["pool"]["assigned"]), (7, 6))
        self.assertEqual((out["members"]["total"], out["members_known"]), (6, False))

    def test_restarts_are_counted_by_process(self):
        self.assertEqual(board.restarts(PAGE), {"proxy": 2})


if __name__ == "__main__":
    unittest.main()
