"""What can happen to the active node, case by case, for `run failover --cases`.

A case breaks something while a client runs, waits, and mends it; what the client saw of either half
is one figure each. A pair (bench_failover.Lbnode or Keepalived) has a lab and says which of its
processes is the proxy and which holds the election."""
import random
import signal
import time

import namespaces as ns
from lab import LabError, wait_until
from prober import Prober

VIP = "10.77.0.100"


def other(active):
    return "lb2" if active == "lb1" else "lb1"


def signal_all(pair, node, number):
    ns.send_signal(pair.pids(node), number)


def settled(lab):
    """One owner, and it answers."""
    if len(lab.holders(VIP)) != 1:
        return False
    got = lab.execute("client", "curl", "-s", "-m", "0.5", "http://%s/" % VIP)
    return "Hello" in got.stdout


def vanish(pair, node):
    """The node is gone: cable out, every process dead."""
    pair.lab.unplug(node)
    pair.kill(node)


def come_back(pair, node):
    pair.forget(node)
    pair.lab.plug(node)
    pair.revive(node)


def kill_twice(pair, node):
    """The second death within a minute, of the election that was restarted in place."""
    before = pair.election(node)
    ns.send_signal([before], signal.SIGKILL)
    wait_until(lambda: pair.election(node) not in (None, before), 1, 0.005)
    time.sleep(0.3)
    again = pair.election(node)
    if again:
        ns.send_signal([again], signal.SIGKILL)


def restart(pair, node):
    """What lives on without an election is ended, as by a reboot."""
    if not pair.election(node):
        pair.kill(node)
        come_back(pair, node)


def nothing(pair, node):
    del pair, node


# case: what breaks, how it is mended, seconds that each half is watched
CASES = {
    "idle": (nothing, nothing, 5),
    "crash": (vanish, come_back, 2.5),
    "stop": (lambda pair, node: pair.stop(node), lambda pair, node: pair.revive(node), 2.5),
    "switch": (lambda pair, node: pair.switch(node), nothing, 2.0),
    "proxykill": (lambda pair, node: ns.send_signal([pair.proxy(node)], signal.SIGKILL),
                  lambda pair, node: pair.revive_proxy(node), 1.5),
    "vrrpkill": (lambda pair, node: ns.send_signal([pair.election(node)], signal.SIGKILL), restart, 1.5),
    "vrrpkill2": (kill_twice, restart, 1.5),
    "supervisorkill": (lambda pair, node: ns.send_signal([pair.parent(node)], signal.SIGKILL), restart, 1.5),
    "linkdown": (lambda pair, node: pair.lab.unplug(node), lambda pair, node: pair.lab.plug(node), 2.5),
    "freeze": (lambda pair, node: signal_all(pair, node, signal.SIGSTOP),
               lambda pair, node: signal_all(pair, node, signal.SIGCONT), 4.0),
    "partition": (lambda pair, node: pair.lab.cut(node, other(node)), lambda pair, node: pair.lab.heal(), 4.0),
}


def half(pair, node, act, seconds):
    with Prober(pair.lab, VIP) as prober:
        time.sleep(random.uniform(0, 1))            # at any phase of the adverts
        act(pair, node)
        time.sleep(seconds)
    return prober.report


def trial(pair, case):
    """The reports of both halves; the load balancer that was active must be one that answers."""
    break_it, mend, seconds = CASES[case]
    if not wait_until(lambda: settled(pair.lab), 60, 0.05):
        raise LabError("%s: no single owner that answers" % pair.lab.name)
    time.sleep(1.5)
    active = pair.lab.holders(VIP)[0]
    broken = half(pair, active, break_it, seconds)
    mended = half(pair, active, mend, seconds) if mend is not nothing else None
    return broken, mended
