"""What a flood in front of the gossip port does to two real nodes in a lab, kind by kind.

The attacker is a host on the nodes' switch that sends RATE packets a second to one node: of each kind in the name of the
other node, then in its own. At first nothing else happens, and the state hashes of both nodes must not move; then
changes are made on the other node, and must reach this one as fast as without a flood, or take at most twice as long
(99th percentile). What the load of the sender alone does to this machine tells a flood that passes by to another host.

CPU and memory are those of the flooded node's control process; the kernel, which takes the packets from the wire, is
mostly on the sender's account, since all of it is one machine. A client asks the load balancer all the time."""
import argparse
import os
import signal
import statistics
import subprocess
import sys
import time

from api import ApiError, Connection, Watcher
from bench_replication import LBAAS, converge, memory_mb, p99
from figures import ROOT, Figures, cpu_seconds
from lab import Lab, LabError, wait_until
from prober import Prober

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import attack  # noqa: E402

VIP = "10.77.0.100"
VRRP = 112
RATE = 100000
CALM_SHARE = 0.3            # of a flood: nothing else happens
CHANGES_PER_SECOND = 50
BARS = {"cpu_percent": 25, "p99_ratio": 2, "state_moved": 0, "answers": 0, "requests_failed": 0, "memory_mb": 8}


class Stage:
    """Two nodes that serve, a client that asks, an attacker."""

    def __init__(self, name):
        self.lab = Lab(name)

    def __enter__(self):
        try:
            self.lab.up(2, 2)
            self.lab.form()
            self.api = {node: Connection(self.lab.socket(node)) for node in self.lab.node_names()}
            self._serve()
            self.watchers = [Watcher(self.lab.socket(node)) for node in self.api]
            self.attacker = attack.Attacker(self.lab)
        except BaseException:
            self.lab.down()
            raise
        return self

    def __exit__(self, *_):
        self.lab.down()

    def ask(self, path, body=None, method="POST"):
        return self.api["lb1"].ask(method, path, body)

    def _serve(self):
        balancer = self.ask(LBAAS + "/loadbalancers", {"loadbalancer": {"name": "web", "vip_address": VIP}})
        self.listener = self.ask(LBAAS + "/listeners", {"listener": {
            "name": "http", "protocol": "HTTP", "protocol_port": 80,
            "loadbalancer_id": balancer["loadbalancer"]["id"]}})["listener"]["id"]
        self.pool = self.ask(LBAAS + "/pools", {"pool": {
            "name": "web", "listener_id": self.listener, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}})["pool"]["id"]
        self.ask("%s/pools/%s/members" % (LBAAS, self.pool), {"member": {
            "name": "w1", "address": self.lab.address("w1"), "protocol_port": 80}})
        if not wait_until(lambda: len(self.lab.holders(VIP)) == 1 and self.hashes(), 20):
            raise LabError("the nodes do not serve %s" % VIP)

    def hashes(self):
        """The state hash that all nodes have; None while they differ."""
        found = {self.api[node].ask("GET", "/v1/status")["cluster"]["state_hash"] for node in self.api}
        return found.pop() if len(found) == 1 else None

    def control(self, node):
        status = self.api[node].ask("GET", "/v1/status")
        return next(process["pid"] for process in status["processes"] if process["role"] == "control")

    def change(self, number):
        return converge(self, self.watchers, ("PUT", "%s/pools/%s" % (LBAAS, self.pool), {
            "pool": {"description": "%d" % number}}))

    def changes(self, until):
        """Milliseconds of each change that is made up to then."""
        taken, due = [], time.monotonic()
        while time.monotonic() < until:
            taken.append(self.change(len(taken)))
            due = max(due + 1 / CHANGES_PER_SECOND, time.monotonic())
            time.sleep(max(0, due - time.monotonic()))
        return taken

    def overhear(self, seconds):
        """The datagrams to the target that the attacker saw."""
        with self.attacker.tap() as tap:
            self.changes(time.monotonic() + seconds)
        target = self.lab.address(self.attacker.target)
        return [packet.payload for packet in tap.packets if packet.protocol == attack.UDP and packet.target == target]


class Outcome:
    """What a flood of one kind did."""

    def __init__(self, stage, frames, rate, seconds):
        target = stage.attacker.target
        pid = stage.control(target)
        before = attack.received(stage.lab, target)
        self.state_before, self.memory_before = stage.hashes(), memory_mb(pid)
        with stage.attacker.answers() as answers, Prober(stage.lab, VIP, rate=50) as client:
            holders = stage.lab.holders(VIP)
            flood = stage.attacker.start(frames, rate, seconds) if rate else None
            started, used = time.monotonic(), cpu_seconds([pid])
            time.sleep(seconds * CALM_SHARE)
            self.state_moved = 0 if stage.hashes() == self.state_before else 1
            self.taken = stage.changes(started + seconds)
            self.cpu_percent = 100 * (cpu_seconds([pid]) - used) / (time.monotonic() - started)
            self.sent_per_second = attack.per_second(*attack.wait_for(flood, 30)) if flood else 0
            self.memory_mb = memory_mb(pid) - self.memory_before
            after = attack.received(stage.lab, target)
            self.holders_moved = stage.lab.holders(VIP) != holders
        self.arrived, self.taken_in, self.dropped = ((b - a) / seconds for a, b in zip(before, after))
        self.p50, self.p99, self.worst = statistics.median(self.taken), p99(self.taken), max(self.taken)
        self.answers = len([packet for packet in answers.packets if not is_advert(packet)])
        self.requests_failed = client.report.failed + self.holders_moved
        if not wait_until(stage.hashes, 10):
            raise LabError("the nodes do not agree after a flood")
        if stage.control(target) != pid:
            raise LabError("the control process of %s has died" % target)

    def line(self):
        return ("sent %6.0f/s, arrived %6.0f/s, read %6.0f/s, dropped %6.0f/s | control %4.1f %%, %+.1f MB | changes: p50 %.1f, "
                "p99 %.1f, worst %.1f ms of %d | state moved %d, answers %d, requests failed %d" % (
                    self.sent_per_second, self.arrived, self.taken_in, self.dropped, self.cpu_percent, self.memory_mb,
                    self.p50, self.p99, self.worst, len(self.taken), self.state_moved, self.answers,
                    self.requests_failed))


def is_advert(packet):
    """VRRP is for everybody on the wire."""
    return packet.protocol == VRRP


def floods(stage):
    """{kind: what makes its payloads, of what was overheard just now}: sessions get new keys meanwhile."""
    loot, target = attack.Loot(stage.lab, "lb1"), stage.attacker.target
    mine, version = loot.node_keys["lb1"], loot.version
    cluster = bytes.fromhex(stage.api["lb1"].ask("GET", "/v1/status")["cluster"]["id"].replace("-", ""))[:8]
    made = {kind: lambda material, kind=kind: getattr(material, kind)() for kind in attack.KINDS}
    made["signed_wrongly"] = lambda material: material.signed(mine, loot.node_keys[target], cluster)
    made["init_wrong_mac"] = lambda material: material.init(mine, version)
    made["init_right_mac"] = lambda material: material.init(mine, version, loot.mac(target))
    return made


def measure(stage, options, figures):
    outcomes = []
    before = Outcome(stage, [], 0, options.seconds)
    print("%-24s %s" % ("quiet", before.line()), flush=True)
    passing = attack.Attacker(stage.lab, target="w1").frames([bytes(100)], "stranger")
    print("%-24s %s" % ("flood past the nodes", Outcome(stage, passing, options.rate, options.seconds).line()), flush=True)
    for kind, make in floods(stage).items():
        if options.only and kind not in options.only:
            continue
        for source in ("peer", "stranger"):
            payloads = make(attack.Material(stage.overhear(1)))
            figures.quiet()
            outcome = Outcome(stage, stage.attacker.frames(payloads, source), options.rate, options.seconds)
            print("%-24s %s" % ("%s_%s" % (kind, source), outcome.line()), flush=True)
            outcomes.append(outcome)
    after = Outcome(stage, [], 0, options.seconds)
    print("%-24s %s" % ("quiet again", after.line()), flush=True)
    judge(outcomes, p99(before.taken + after.taken), figures)


def judge(outcomes, quiet_p99, figures):
    """The worst of all kinds counts."""
    for outcome in outcomes:
        outcome.p99_ratio = outcome.p99 / quiet_p99
        for figure, bar in BARS.items():
            figures.add(figure, "lbnode", getattr(outcome, figure))
            figures.describe(figure, "", bar, on="value", summary=max)
        figures.add("sent_per_second", "lbnode", outcome.sent_per_second)
        figures.describe("sent_per_second", "", None, on="value", summary=min)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_const", const=3, dest="seconds", help="3 s of each kind")
    parser.add_argument("--only", metavar="KIND", action="append", help="this kind alone")
    parser.add_argument("--rate", type=int, default=RATE, help="packets a second")
    options = parser.parse_args()
    options.seconds = options.seconds or 10
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the lab goes with the benchmark
    figures = Figures("hostile")
    try:
        with Stage("bench-hostile") as stage:
            measure(stage, options, figures)
    except (LabError, ApiError, subprocess.TimeoutExpired) as error:
        sys.exit("bench: %s" % error)
    figures.finish("the same nodes without a flood")


if __name__ == "__main__":
    os.environ.pop("LBNODE_SOCKET", None)
    main()
