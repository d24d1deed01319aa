"""What the next active node knows of members that died long before: requests that it sends to them, counted where
they would arrive. The members are ports of one worker; a monitor looks at other ports than clients' requests go to,
so that no probe is counted."""
import json
import os
import re
import subprocess
import time
from dataclasses import dataclass, field

from namespaces import LabError, kill_as_one, wait_until
from ports import MONITOR_OFFSET
from prober import Prober

PORTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ports.py")
WORKER, FIRST = "w1", 10000
DELAY, TIMEOUT, FAILURES = 1, 1, 2  # of the monitor
VERDICT_SECONDS = DELAY * FAILURES + TIMEOUT
COUNTER = """table inet takeover {
  counter dead { }
  chain input { type filter hook input priority 0; tcp dport %d-%d tcp flags syn / syn,ack counter name dead; %s }
}
"""
SILENCE = "tcp dport { %d-%d, %d-%d } drop;"
CONFIGURATION = (
    "loadbalancer create --name web --vip-address %s", "listener create --name http --protocol HTTP --protocol-port 80 web",
    "pool create --name many --protocol HTTP --lb-algorithm ROUND_ROBIN --listener http")
MONITOR = ("healthmonitor create --type HTTP --delay %d --timeout %d --max-retries 1 --max-retries-down %d many"
           % (DELAY, TIMEOUT, FAILURES))


@dataclass
class Outcome:
    members: int
    dead: int
    silent: bool
    before: int = 0         # connections to dead members between their deaths and the verdicts
    to_dead: int = 0        # from the kill of the active node on
    answered: int = 0       # requests by the new active node
    failed: int = 0
    outage_ms: float = 0.0
    wrong: list = field(default_factory=list)   # members that have another status than they should

    def line(self):
        return ("%d members, %d dead (%s): %d connections to dead ones before their verdicts, %d by the new active node, "
                "which answered %d requests; %d failed, outage %.0f ms; %d members with a wrong status"
                % (self.members, self.dead, "silent" if self.silent else "refusing", self.before, self.to_dead,
                   self.answered, self.failed, self.outage_ms, len(self.wrong)))


class Members:
    """The ports of the worker: those that live and, after them, those that will die."""

    def __init__(self, lab, members, dead):
        self.lab, self.members, self.dead = lab, members, dead
        self.first_dead = FIRST + members - dead
        self.lasting = self._serve(FIRST, members - dead)
        self.mortal = self._serve(self.first_dead, dead)
        self._filter("")

    def _serve(self, first, count):
        # each port has a listener, and so has its monitor's
        process = self.lab.popen(WORKER, "bash", "-c", 'ulimit -n $(ulimit -H -n); exec python3 "$@"', "ports", PORTS, str(first),
                                 str(count), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if process.stdout.readline() != "ready\n":
            raise LabError("the members do not listen")
        return process

    def _filter(self, silence):
        text = COUNTER % (self.first_dead, FIRST + self.members - 1, silence)
        done = self.lab.execute(WORKER, "nft", "-f", "-", text_in=text)
        if done.returncode:
            raise LabError("nft: " + done.stderr)

    def die(self, silently):
        last = FIRST + self.members - 1
        if silently:
            rule = SILENCE % (self.first_dead, last, self.first_dead + MONITOR_OFFSET, last + MONITOR_OFFSET)
            self.lab.execute(WORKER, "nft", "add rule inet takeover input " + rule.rstrip(";"))
        else:
            kill_as_one([self.mortal.pid])

    def connections_to_dead(self):
        shown = self.lab.execute(WORKER, "nft", "list", "counter", "inet", "takeover", "dead").stdout
        return int(re.search(r"packets (\d+)", shown)[1])

    def end(self):
        for process in self.lasting, self.mortal:
            process.kill()
            process.wait()
            process.stdout.close()


def configure(lab, vip, members):
    for command in CONFIGURATION:
        done = lab.lbnode("lb1", *(command % vip if "%s" in command else command).split())
        if done.returncode:
            raise LabError("%s: %s" % (command, done.stderr))
    pool = json.loads(lab.lbnode("lb1", "pool", "show", "many", "-o", "json").stdout)["id"]
    all_members = [{"name": "m%d" % (i + 1), "address": lab.address(WORKER), "protocol_port": FIRST + i,
                    "monitor_port": FIRST + i + MONITOR_OFFSET} for i in range(members)]
    done = lab.execute("lb1", "curl", "-s", "-f", "-X", "PUT", "--unix-socket", lab.socket("lb1"), "--data-binary", "@-",
                       "-H", "Content-Type: application/json", "http://lbnode/v2.0/lbaas/pools/%s/members" % pool,
                       text_in=json.dumps({"members": all_members}))
    if done.returncode:
        raise LabError("members: " + done.stdout)
    done = lab.lbnode("lb1", *MONITOR.split())
    if done.returncode:
        raise LabError("monitor: " + done.stderr)


def wrong_members(lab, node, alive, members):
    """Those of the MEMBERS that are not ONLINE, or not ERROR although they come after the first ALIVE ones."""
    listed = json.loads(lab.lbnode(node, "member", "list", "many", "-o", "json").stdout or "[]")
    found = {member["name"]: member["operating_status"] for member in listed}
    wanted = {"m%d" % (i + 1): "ONLINE" if i < alive else "ERROR" for i in range(members)}
    return ["%s is %s" % (name, found.get(name)) for name in wanted if found.get(name) != wanted[name]]


def await_statuses(lab, nodes, alive, members):
    for node in nodes:
        if not wait_until(lambda: not wrong_members(lab, node, alive, members), 30, 0.1):
            raise LabError("%s: %s" % (node, ", ".join(wrong_members(lab, node, alive, members)[:5])))


def run(lab, vip, members, dead, silent=False):
    """DEAD of the MEMBERS of a pool die; a verdict time later the active node is killed. The lab is formed."""
    outcome = Outcome(members, dead, silent)
    place = Members(lab, members, dead)
    try:
        configure(lab, vip, members)
        await_statuses(lab, lab.node_names(), members, members)
        if not wait_until(lambda: len(lab.holders(vip)) == 1, 10):
            raise LabError("%s is held by %s" % (vip, lab.holders(vip) or "nobody"))
        active = lab.holders(vip)[0]
        successor = next(node for node in lab.node_names() if node != active)
        with Prober(lab, vip) as first:
            place.die(silent)
            died = time.monotonic()
            await_statuses(lab, lab.node_names(), members - dead, members)
            wait_until(lambda: time.monotonic() > died + VERDICT_SECONDS, VERDICT_SECONDS + 1)
            first.await_more(10)
        outcome.before = place.connections_to_dead()
        with Prober(lab, vip) as prober:
            before = place.connections_to_dead()
            lab.kill(active)
            if not wait_until(lambda: lab.holders(vip) == [successor], 10):
                raise LabError("%s did not take over" % successor)
            prober.await_more(0)
            held = prober.said.count(b".")
            prober.await_more(300)
        outcome.to_dead = place.connections_to_dead() - before
        outcome.failed, outcome.outage_ms = prober.report.failed, prober.report.outage_ms
        outcome.answered = prober.report.sent - held
        outcome.wrong = wrong_members(lab, successor, members - dead, members)
    finally:
        place.end()
    return outcome
