"""What can happen to the active node, case by case, and what is measured of it.

A case breaks something while a client runs, waits, and mends it. Either half is measured: what the
client saw, and what the nodes did (observer.py). A pair is one of failover_pairs.py."""
import random
import resource
import signal
import time
from dataclasses import dataclass

import namespaces as ns
from lab import LabError, wait_until
from failover_pairs import VIP

SETTLE_SECONDS = 60
PATIENCE_SECONDS = 60                               # for a client that is not served
BEFORE = 0.1                                        # requests that were under way belong to what came then
SWITCHES, SWITCH_PAUSE = 50, 1.3                    # the old owner goes on answering for a second


def other(active):
    return "lb2" if active == "lb1" else "lb1"


# ---- what breaks; a moment that is returned is when it broke --------------------------------------

def nothing(pair, node):
    del pair, node


def kill(pair, node):
    pair.kill(node)


def unplug(pair, node):
    pair.lab.unplug(node)


def plug(pair, node):
    pair.lab.plug(node)


def vanish(pair, node):
    """Cable out, every process dead."""
    pair.lab.unplug(node)
    pair.kill(node)


def come_back(pair, node):
    pair.kill(node)
    pair.forget(node)
    pair.lab.plug(node)
    pair.revive(node)


def kill_proxy(pair, node):
    ns.send_signal([pair.proxy(node)], signal.SIGKILL)


def kill_proxy_for_good(pair, node):
    """No process can be started any more."""
    pair.deny_restart(node, resource.RLIMIT_NOFILE, 3)
    began = time.monotonic()
    kill_proxy(pair, node)
    return began


def kill_proxy_again_and_again(pair, node):
    """Each new proxy dies while it starts: it has no memory."""
    with open("/proc/%d/statm" % pair.parent(node)) as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    pair.deny_restart(node, resource.RLIMIT_AS, size)
    began = time.monotonic()
    kill_proxy(pair, node)
    return began


def kill_election(pair, node):
    ns.send_signal([pair.election(node)], signal.SIGKILL)


def kill_election_twice(pair, node):
    """The first one may have died of another case."""
    before, began = pair.election(node), time.monotonic()
    ns.send_signal([before], signal.SIGKILL)
    if wait_until(lambda: pair.election(node) not in (None, before), 0.5, 0.005):
        time.sleep(0.4)
        began = time.monotonic()
        ns.send_signal([pair.election(node)], signal.SIGKILL)
    return began


def kill_parent(pair, node):
    ns.send_signal([pair.parent(node)], signal.SIGKILL)


def freeze(pair, node):
    ns.send_signal(pair.pids(node), signal.SIGSTOP)


def thaw(pair, node):
    ns.send_signal(pair.pids(node), signal.SIGCONT)


def cut(pair, node):
    pair.lab.cut(node, other(node))


def heal(pair, node):
    del node
    pair.lab.heal()


def switch_many_times(pair, node):
    for _ in range(SWITCHES):
        pair.stream.start_slow()
        time.sleep(BEFORE / 2)
        pair.switch(node)
        node = other(node)
        time.sleep(SWITCH_PAUSE)


# ---- what is measured ----------------------------------------------------------------------------

@dataclass
class Trial:
    pair: object
    active: str                                     # who was, before
    broke: float = 0.0
    mended: float = 0.0
    ended: float = 0.0
    before_mend: list = None                        # who had the address then
    dead_ms: float = None                           # of the other node, before; None: it does not say

    def lost_ms(self, begin):
        """How long after BEGIN the broken node had the address; None: it still has."""
        times = self.pair.observer.since(begin, "lost", self.active, VIP)
        return (times[0] - begin) * 1000 if times else None


def client(trial, report):
    seen = {"outage_ms": report.outage_ms, "failed": report.failed}
    return {"dead_time_ms": trial.dead_ms, **seen} if trial.dead_ms and report.outage_ms else seen


def attempts(trial, report):
    return {"refused": report.refused, **client(trial, report)}


def planned(trial, report):
    return {"under_way": report.slow, "lost": report.slow_lost, **client(trial, report)}


def gone(trial, report):
    return {"gone_ms": trial.lost_ms(trial.broke), **client(trial, report)}


def returned(trial, report):
    owners, taker = trial.pair.observer.holders(VIP), other(trial.active)
    stayed = owners == ([taker] if taker in trial.before_mend else trial.before_mend)
    if not stayed and trial.pair.learns:
        explain(trial, owners)
    return {"moved": int(not stayed), **client(trial, report)}


def explain(trial, owners):
    """What the nodes say of an address that should not have moved."""
    print("  %s was active, %s before it was mended, %s now" % (trial.active, trial.before_mend, owners))
    seen = [event for event in list(trial.pair.observer.events) if event[1] != "advert"]
    for when, kind, node, what in seen[-30:]:
        print("  %8.1f ms after the break: %s %s %s" % ((when - trial.broke) * 1000, node, kind, what))
    for node in trial.pair.lab.node_names():
        print("  -- events of %s\n%s" % (node, trial.pair.lab.lbnode(node, "events").stdout[-2000:]), flush=True)


def woken(trial, report):
    """A node that slept: what it said as active, though another one is."""
    observer, begin = trial.pair.observer, trial.mended
    claims = [event for event in list(observer.events) if event[0] >= begin and event[2] == trial.active and
              (event[1] == "advert" and event[3] > 0 or event[1] == "announcement" and event[3] == VIP)]
    for when, kind, _, what in claims[:3]:
        print("  %s: %s %s, %.1f ms after it woke" % (trial.active, kind, what, (when - begin) * 1000))
    return {"claims": len(claims), "two_owners": int(len(observer.holders(VIP)) != 1), **returned(trial, report)}


def dozed(trial, report):
    left = trial.lost_ms(trial.broke)               # by the end of its lifetime, or by waking
    late = None if left is None else max(0.0, left - (trial.mended - trial.broke) * 1000)
    return {"left_after_waking_ms": late, **woken(trial, report)}


def healed(trial, report):
    late = report.last_failure - trial.mended if report.failed else 0.0
    return {"back_ms": max(0.0, late * 1000), "two_owners": int(len(trial.pair.observer.holders(VIP)) != 1),
            **client(trial, report)}


FAST = {"outage_ms": (100, 250)}
SWITCH = {"outage_ms": (10, 10), "lost": (0, 0), "failed": (0, 1)}
RETURN = {"failed": (0, 0), "moved": (0, 0)}
DEAD_ELECTION = {"outage_ms": (50, 150), "gone_ms": (50, 150)}


@dataclass
class Case:
    """SECONDS are how long either half is watched at least, longer for the peers of lbnode. The bars are
    (median, worst) of what is measured, for lbnode."""
    about: str
    break_it: object
    mend: object
    seconds: tuple
    measures: tuple                                 # of the two halves; None: not measured
    bars: tuple
    peers: bool = True                              # they can do it too
    slow: bool = False                              # with requests that are under way
    once: bool = False                              # one trial is enough
    marks: bool = False                             # nodes wait longer afterwards: they heard a long gap, or took over
                                                    # from a node that lived; they have to forget that


CASES = {
    "linkdown": Case("node vanishes: its link", unplug, plug, (1.0, 2.2), (client, returned), (FAST, RETURN)),
    "kill": Case("node vanishes: everything SIGKILLed", kill, come_back, (1.0, 2.2), (client, returned), (FAST, RETURN)),
    "crash": Case("node vanishes: both", vanish, come_back, (1.0, 2.2), (client, returned), (FAST, RETURN)),
    "proxykill": Case("proxy dies", kill_proxy, lambda pair, node: pair.revive_proxy(node), (0.8, 0.2),
                      (attempts, None), ({"refused": (0, 0)}, {})),
    "proxystuck": Case("proxy dies and cannot be started", kill_proxy_for_good, come_back, (0.8, 2.2),
                       (client, returned), ({"outage_ms": (50, 50)}, RETURN), peers=False),
    "proxyloop": Case("proxy dies at each start", kill_proxy_again_and_again, come_back, (0.8, 2.2),
                      (client, returned), ({"outage_ms": (50, 50)}, RETURN), peers=False),
    "vrrpkill": Case("election process dies", kill_election, nothing, (0.8, 0.2), (client, None),
                     ({"failed": (0, 0)}, {}), marks=True),
    "vrrpkill2": Case("it dies a second time within 60 s", kill_election_twice, come_back, (0.8, 2.2), (gone, returned),
                      (DEAD_ELECTION, RETURN), peers=False, marks=True),
    "parentkill": Case("supervisor dies", kill_parent, come_back, (0.8, 2.2), (gone, returned),
                       (DEAD_ELECTION, RETURN)),
    "switch": Case("planned switch", lambda pair, node: pair.switch(node), nothing, (1.3, 0.1), (planned, None),
                   (SWITCH, {}), slow=True),
    "switch50": Case("50 planned switches", switch_many_times, nothing, (0.6, 0.1), (planned, None),
                     ({"failed": (1, 1), "lost": (0, 0), "outage_ms": (10, 10)}, {}), peers=False, slow=True, once=True),
    "drain": Case("drain", lambda pair, node: pair.drain(node), lambda pair, node: pair.undrain(node), (1.3, 0.6),
                  (planned, returned), (SWITCH, RETURN), peers=False, slow=True),
    "stop": Case("orderly stop", lambda pair, node: pair.stop(node), come_back, (1.6, 2.2), (planned, returned),
                 (SWITCH, RETURN), slow=True),
    "freeze": Case("frozen until its addresses are gone", freeze, thaw, (3.2, 1.5), (gone, woken),
                   ({**FAST, "gone_ms": (3000, 3000)}, {"claims": (0, 0), "two_owners": (0, 0), **RETURN}), marks=True),
    "doze": Case("frozen while it has its addresses", freeze, thaw, (1.6, 1.5), (client, dozed),
                 (FAST, {"left_after_waking_ms": (20, 20), "claims": (0, 0), "two_owners": (0, 0), **RETURN}), marks=True),
    "partition": Case("nodes cut from each other, then healed", cut, heal, (1.2, 1.2), (None, healed),
                      ({}, {"back_ms": (1000, 1000), "two_owners": (0, 0)}), marks=True),
}


# ---- one trial -----------------------------------------------------------------------------------

def is_settled(pair):
    return len(pair.observer.holders(VIP)) == 1 and pair.stream.is_well() and all(
        pair.is_ready(node) for node in pair.lab.node_names())


def settle(pair):
    if not wait_until(lambda: is_settled(pair), SETTLE_SECONDS, 0.05):
        raise LabError("%s: no single owner that answers; %s have the address" % (
            pair.name, pair.observer.holders(VIP)))


def watch(pair, seconds):
    """At least SECONDS, then until the client is served again."""
    time.sleep(seconds)
    wait_until(pair.stream.is_well, PATIENCE_SECONDS, 0.02)


def trial(pair, case):
    """Breaks and mends; the measures of both halves, later: by results()."""
    settle(pair)
    now = time.monotonic()
    pair.stream.forget(now - 2)
    pair.observer.forget()
    got = Trial(pair, pair.observer.holders(VIP)[0])
    got.dead_ms = pair.dead_ms(other(got.active))
    slower = 1.0 if pair.restarts_proxy else 1.5
    time.sleep(random.uniform(0, 0.02 if pair.restarts_proxy else float(pair.advert)))
    if case.slow and not case.once:
        pair.stream.start_slow()
    time.sleep(BEFORE / 2)
    got.broke = time.monotonic()
    got.broke = case.break_it(pair, got.active) or got.broke
    watch(pair, case.seconds[0] * slower)
    got.before_mend, got.mended = pair.observer.holders(VIP), time.monotonic()
    case.mend(pair, got.active)
    watch(pair, case.seconds[1] * slower)
    got.ended = time.monotonic()
    time.sleep(0.5)                                 # until the last requests are over
    found = results(got, case)
    if case.marks and pair.learns:
        renew_both(pair)
    return found


def renew_both(pair):
    settle(pair)
    first = other(pair.observer.holders(VIP)[0])
    for node in first, other(first):
        pair.renew(node)
        settle(pair)
    time.sleep(1.5)                                 # clients believe no second address within a second (ARP locktime)


def results(got, case):
    """[(suffix, measures, report)] of the halves that are measured."""
    halves = ("", got.broke, got.mended), ("+return", got.mended, got.ended)
    found = []
    for (suffix, begin, end), measure in zip(halves, case.measures):
        if measure:
            report = got.pair.stream.window(begin - BEFORE, end - BEFORE)
            found.append((suffix, measure(got, report), report))
    return found
