"""Outage that a client sees when every process of the active node is killed at once.

Two labs of two nodes and two workers each: one runs lbnode, the other keepalived and haproxy, with
an advert each second (its default) and, as a second peer, each tenth of a second. The client sends
200 requests per second on fresh connections; the outage is the time from the first failed request to
the first one that is answered again."""
import argparse
import os
import random
import signal
import sys
import time

from figures import Figures, busy_share, version
import namespaces as ns
from lab import Lab, LabError, wait_until
from prober import Prober
from failover_cases import CASES, VIP, settled, trial as case_trial

HAPROXY = """global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
frontend web
  bind *:80
  default_backend workers
backend workers
  server w1 10.77.0.21:80 check inter 5s
  server w2 10.77.0.22:80 check inter 5s
"""

KEEPALIVED = """global_defs {
  router_id %(node)s
  vrrp_version 3
}
vrrp_instance web {
  state BACKUP
  nopreempt
  interface eth0
  virtual_router_id 1
  priority 100
  advert_int %(advert)s
  virtual_ipaddress {
    10.77.0.100/24
  }
}
"""


class Lbnode:
    def __init__(self, lab):
        self.lab = lab

    def prepare(self):
        self.lab.form()
        for command in (
                "loadbalancer create --name web --vip-address " + VIP,
                "listener create --name http --protocol HTTP --protocol-port 80 web",
                "pool create --name workers --protocol HTTP --lb-algorithm ROUND_ROBIN --listener http",
                "member create --name w1 --address 10.77.0.21 --protocol-port 80 workers",
                "member create --name w2 --address 10.77.0.22 --protocol-port 80 workers",
                "healthmonitor create --type HTTP --delay 5 --timeout 3 --max-retries 3 --url-path / workers"):
            done = self.lab.lbnode("lb1", *command.split())
            if done.returncode:
                raise LabError(command + ": " + done.stderr)

    def pids(self, node):
        return self.lab.pids(node)

    def process(self, node, role):
        for pid in self.lab.pids(node):
            if command_name(pid) == "lbnode-" + role:
                return pid
        return None

    def proxy(self, node):
        return self.process(node, "proxy")

    def election(self, node):
        return self.process(node, "vrrp")

    def parent(self, node):
        return self.lab.supervisor(node)

    def kill(self, node):
        self.lab.kill(node)

    def revive(self, node):
        self.lab.start(node)

    def revive_proxy(self, node):
        """It is restarted by itself."""

    def forget(self, node):
        """Addresses go by themselves."""

    def stop(self, node):
        ns.send_signal([self.parent(node)], signal.SIGTERM)

    def switch(self, node):
        done = self.lab.lbnode(node, "failover")
        if done.returncode:
            raise LabError("failover: " + done.stderr)


class Keepalived:
    def __init__(self, lab, advert):
        self.lab, self.advert = lab, advert

    def prepare(self):
        for node in self.lab.node_names():
            with open(self.lab.path(node, "haproxy.cfg"), "w") as file:
                file.write(HAPROXY)
            with open(self.lab.path(node, "keepalived.conf"), "w") as file:
                file.write(KEEPALIVED % {"node": node, "advert": self.advert})
            self.revive(node)

    def pids(self, node):
        return ns.pids(self.lab.namespace(node))

    def named(self, node, name):
        return sorted(pid for pid in self.pids(node) if command_name(pid) == name)

    def proxy(self, node):
        return self.named(node, "haproxy")[-1]

    def election(self, node):
        """Its child, which the parent starts again."""
        found = self.named(node, "keepalived")
        return found[-1] if len(found) > 1 else None

    def parent(self, node):
        return self.named(node, "keepalived")[0]

    def kill(self, node):
        ns.kill_as_one(self.pids(node))

    def forget(self, node):
        """What a reboot does to a node: its address is gone."""
        ns.ip(self.lab.namespace(node), "addr", "del", VIP + "/24", "dev", "eth0", check=False)

    def stop(self, node):
        for name in "keepalived", "haproxy":
            ns.send_signal(self.named(node, name)[:1], signal.SIGTERM)
            time.sleep(0.3)

    def switch(self, node):
        """An orderly stop of the election is the way to move the address."""
        ns.send_signal([self.parent(node)], signal.SIGTERM)
        time.sleep(1)
        self.revive_election(node)

    def revive(self, node):
        self.forget(node)
        self.revive_proxy(node)
        self.revive_election(node)

    def revive_proxy(self, node):
        self.lab.spawn(node, "haproxy", "-db", "-f", self.lab.path(node, "haproxy.cfg"))

    def revive_election(self, node):
        # A killed one leaves them, and its number may belong to somebody else by now: keepalived
        # would take that for itself and not start.
        for name in "keepalived.pid", "vrrp.pid":
            if os.path.exists(self.lab.path(node, name)):
                os.unlink(self.lab.path(node, name))
        self.lab.spawn(node, "keepalived", "--dont-fork", "--vrrp", "--log-console",
                       "--use-file=" + self.lab.path(node, "keepalived.conf"),
                       "--pid=" + self.lab.path(node, "keepalived.pid"),
                       "--vrrp_pid=" + self.lab.path(node, "vrrp.pid"))


def command_name(pid):
    try:
        with open("/proc/%d/comm" % pid) as file:
            return file.read().strip()
    except OSError:
        return ""


def trial(pair, figures):
    """The report of a client that ran while the active node died."""
    lab = pair.lab
    if not wait_until(lambda: settled(lab), 30, 0.05):
        raise LabError("%s: no single owner that answers" % lab.name)
    time.sleep(1.5)
    figures.quiet()
    active = lab.holders(VIP)[0]
    other = "lb2" if active == "lb1" else "lb1"
    with Prober(lab, VIP) as prober:
        time.sleep(random.uniform(0, 1))            # at any phase of the adverts
        pair.kill(active)
        wait_until(lambda: lab.holds(other, VIP), 20)
        time.sleep(1.5)
    pair.revive(active)
    return prober.report


def measure(systems, rounds, figures):
    for number in range(rounds):
        for name, figure, pair in systems:
            report = trial(pair, figures)
            figures.add("outage%s_median_ms" % figure, name, report.outage_ms)
            figures.add("outage%s_worst_ms" % figure, name, report.outage_ms)
            figures.add("failed%s_requests" % figure, name, report.failed)
            if name == "lbnode":                    # beside both peers
                for key, value in (("median_ms", report.outage_ms), ("worst_ms", report.outage_ms)):
                    figures.add("outage_fast_" + key, name, value)
                figures.add("failed_fast_requests", name, report.failed)
            print("round %d  %-22s %s" % (number + 1, pair.lab.name, report.line()), flush=True)


def measure_cases(names, systems, rounds):
    """One line per trial and system, then medians and worst values of each case."""
    seen = {}
    for number in range(rounds):
        for case in names:
            for label, pair in systems:
                busy = busy_share()
                halves = zip(("", "+return"), case_trial(pair, case))
                for suffix, report in halves:
                    if report:
                        seen.setdefault((case + suffix, label), []).append(report)
                        print("round %d  %-20s %-14s %s  (machine %2.0f %% busy before)" % (
                            number + 1, case + suffix, label, report.line(), 100 * busy), flush=True)
    print("%-22s %-16s %12s %12s %10s %10s" % ("case", "system", "median ms", "worst ms", "failed", "requests"))
    for (case, label), reports in seen.items():
        outages = sorted(report.outage_ms for report in reports)
        print("%-22s %-16s %12.0f %12.0f %10d %10d" % (
            case, label, outages[len(outages) // 2], outages[-1], sum(report.failed for report in reports),
            sum(report.sent for report in reports)))


def chosen_cases(text):
    names = list(CASES) if text == "all" else text.split(",")
    for name in names:
        if name not in CASES:
            sys.exit("bench: there is no case %s; known: %s" % (name, ", ".join(CASES)))
    return names


def run_cases(options):
    names = chosen_cases(options.cases)
    systems = [("lbnode", Lbnode(Lab("case-lbnode")))]
    if not options.only_lbnode:
        systems += [("keepalived 1 s", Keepalived(Lab("case-keep-1s"), "1")),
                    ("keepalived 0.1 s", Keepalived(Lab("case-keep-01s"), "0.1"))]
    try:
        for _, pair in systems:
            pair.lab.up(2, 2)
            pair.prepare()
        measure_cases(names, systems, options.rounds)
    except LabError as error:
        sys.exit("bench: %s" % error)
    finally:
        for _, pair in systems:
            pair.lab.down()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--cases", metavar="A,B", help="instead: %s, or all" % ", ".join(CASES))
    parser.add_argument("--only-lbnode", action="store_true", help="with --cases: without the peers")
    options = parser.parse_args()
    if options.cases:
        run_cases(options)
        return
    figures = Figures("failover")
    for fast in "", "_fast":
        figures.describe("outage%s_median_ms" % fast, "ms", 1000, on="value")
        figures.describe("outage%s_worst_ms" % fast, "ms", 2000, on="value", summary=max)
        figures.describe("failed%s_requests" % fast, "", 200, on="value")
    labs = [Lab("bench-lbnode"), Lab("bench-keep-1s"), Lab("bench-keep-01s")]
    systems = [("lbnode", "", Lbnode(labs[0])), ("peer", "", Keepalived(labs[1], "1")),
               ("peer", "_fast", Keepalived(labs[2], "0.1"))]
    try:
        for lab, system in zip(labs, systems):
            lab.up(2, 2)
            system[2].prepare()
        measure(systems, options.rounds, figures)
    except LabError as error:
        sys.exit("bench: %s" % error)
    finally:
        for lab in labs:
            lab.down()
    figures.finish(version("keepalived", "--version") + " + haproxy")
    print("The peer's adverts: each second (its default); in the rows with fast, each 0.1 s.")


if __name__ == "__main__":
    os.environ.pop("LBNODE_SOCKET", None)
    main()
