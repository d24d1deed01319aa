"""A member dies under traffic: how soon that is known, and what becomes of what is established with it."""
import os
import subprocess
import time

from pair import VIP, PairTest, Prober

LASTING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lasting.py")


class MemberDeath(PairTest):
    nodes, serves = 1, False
    alone = True

    def add_pool(self, name, ports, member, monitor, pool_options=()):
        """A pool behind listeners of its own, PORTS: protocol to port."""
        self.cli("lb1", ["pool", "create", "--name", name, "--protocol", "HTTP", "--lb-algorithm", "ROUND_ROBIN",
                         "--loadbalancer", "web", *pool_options])
        for protocol, port in ports.items():
            self.cli("lb1", "listener create --name %s-%s --protocol %s --protocol-port %d --default-pool %s web"
                     % (name, protocol, protocol, port, name))
        for options in member:
            self.cli("lb1", "member create %s %s" % (options, name))
        self.cli("lb1", "healthmonitor create %s %s" % (monitor, name))

    def status(self, pool, member):
        shown = self.json("lb1", "member show %s %s" % (pool, member))
        return shown.get("member", shown)["operating_status"]

    def await_status(self, pool, member, status):
        self.eventually(lambda: self.status(pool, member) == status, 12, "%s of %s is %s" % (member, pool, status))
        return time.monotonic()

    def test_traffic_finds_a_dead_member_before_three_delays_have_passed(self):
        self.cli("lb1", "loadbalancer create --name web --vip-address " + VIP)
        members = ["--name %s --address %s --protocol-port 80" % (w, self.lab.address(w)) for w in ("w1", "w2")]
        monitor = "--type HTTP --delay 2 --timeout 1 --max-retries 1 --max-retries-down 3 --url-path /"
        for name, port, check in (("heeds", 80, "FAILURES"), ("ignores", 81, "OFF")):
            self.add_pool(name, {"HTTP": port}, members, monitor, ["--passive-check", check])
        for name in ("heeds", "ignores"):
            self.await_status(name, "w2", "ONLINE")
        self.eventually(self.answers, 5, "%s is served" % VIP)
        with Prober(self.lab, VIP) as heeded, Prober(self.lab, VIP, port=81) as ignored:
            self.lab.worker_stop("w2")
            died = time.monotonic()
            with_traffic = self.await_status("heeds", "w2", "ERROR") - died
            self.assertEqual(self.status("ignores", "w2"), "ONLINE")
            without = self.await_status("ignores", "w2", "ERROR") - died
        print("    delay 2 s, 3 failures: ERROR %.1f s after the death with passive checks, %.1f s without"
              % (with_traffic, without))
        self.assertLess(with_traffic, 3.5)
        self.assertNoFailure(heeded.report)
        self.assertNoFailure(ignored.report)
        self.assertIn('lbnode_suspicions_total{kind="connect"}', self.metrics())

    def metrics(self):
        return self.lab.execute("lb1", "curl", "-s", "-m", "5", "--unix-socket", self.lab.socket("lb1"),
                                "http://lbnode/metrics").stdout

    def test_what_is_established_ends_as_the_pool_says(self):
        """The member's monitor looks at another host, which dies: so the member itself goes on to serve."""
        self.cli("lb1", "loadbalancer create --name web --vip-address " + VIP)
        self.lab.spawn("w1", "python3", LASTING, "serve", "8080")
        member = ["--name m --address %s --protocol-port 8080 --monitor-address %s --monitor-port 80"
                  % (self.lab.address("w1"), self.lab.address("w2"))]
        monitor = "--type TCP --delay 1 --timeout 1 --max-retries 1 --max-retries-down 1"
        places = []
        for i, on_down in enumerate(("KEEP", "DRAIN", "RESET")):
            self.add_pool(on_down, {"TCP": 9000 + i, "HTTP": 8000 + i}, member, monitor, ["--on-down", on_down])
            places.append("%s:%d:%d" % (on_down, 9000 + i, 8000 + i))
        for place in places:
            self.await_status(place.split(":")[0], "m", "ONLINE")
        self.eventually(lambda: ":1F90 " in self.lab.execute("w1", "cat", "/proc/net/tcp").stdout, 5, "w1 serves")
        self.eventually(lambda: self.lab.holders(VIP), 5, "%s is there" % VIP)
        client = self.lab.popen("client", "python3", LASTING, "visit", VIP, *places, text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(client.kill)
        self.assertEqual(client.stdout.readline(), "ready\n")
        self.lab.worker_stop("w2")
        began = time.monotonic()
        down = max(self.await_status(place.split(":")[0], "m", "ERROR") for place in places)
        ended = [client.stdout.readline().split() for _ in range(5)]    # all but TCP with KEEP
        output, _ = client.communicate("\n", timeout=10)
        ended = {(name, kind): (how, float(at)) for name, kind, how, at in ended + [output.split()]}
        for name, kind in sorted(ended):
            how, at = ended[name, kind]
            print("    %-5s %-4s %-8s %4.1f s after the monitor's host died" % (name, kind, how, at - began))
        self.assertEqual({key: how for key, (how, _) in ended.items()}, {
            ("KEEP", "tcp"): "complete", ("KEEP", "http"): "complete", ("DRAIN", "tcp"): "reset",
            ("DRAIN", "http"): "complete", ("RESET", "tcp"): "reset", ("RESET", "http"): "reset"})
        self.assertLess(ended["RESET", "tcp"][1], down + 0.5)
        self.assertLess(ended["RESET", "http"][1], down + 0.5)
        self.assertGreater(ended["DRAIN", "tcp"][1], began + 5)
        self.assertLess(ended["DRAIN", "tcp"][1], down + 6)

    def test_a_pool_with_too_few_members_serves_with_all_and_says_so(self):
        self.cli("lb1", "loadbalancer create --name web --vip-address " + VIP)
        members = ["--name %s --address %s --protocol-port 80" % (w, self.lab.address(w)) for w in ("w1", "w2")]
        monitor = "--type TCP --delay 1 --timeout 1 --max-retries 1 --max-retries-down 1"
        self.add_pool("open", {"HTTP": 80}, members, monitor, ["--fail-open-percent", "60"])
        self.await_status("open", "w2", "ONLINE")
        self.eventually(self.answers, 5, "%s is served" % VIP)
        self.lab.worker_stop("w2")
        self.await_status("open", "w2", "ERROR")
        self.tells("lb1", "events", "POOL_FAILS_OPEN")
        self.assertIn("pool open fails open", self.cli("lb1", "status", 0))
        with Prober(self.lab, VIP) as prober:   # whom w2 refuses gets w1
            prober.await_more(50)
        self.assertEqual(prober.report.failed, 0, prober.report.line())
        self.lab.worker_start("w2")
        self.await_status("open", "w2", "ONLINE")
        self.tells("lb1", "events", "POOL_FAILS_OPEN_NO_MORE")
        self.assertNotIn("fails open", self.cli("lb1", "status", 0))
