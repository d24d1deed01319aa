"""Other work on all cores for minutes, and short stops of the nodes' processes: nothing may move. Then one
takeover from a node that lives: the dead time has to grow, and to say so."""
import os
import random
import signal
import subprocess
import time

import namespaces as ns
from failover_cases import VIP, other, settle
from lab import LabError, wait_until

STOPS, STOP_SECONDS = 20, 0.03
BARS = {"unwanted_moves": (0, 0), "dead_time_not_grown": (0, 0), "reason_not_told": (0, 0)}


class Work:
    """As many processes as cores that do nothing but count."""

    def __enter__(self):
        self.processes = [subprocess.Popen(("sh", "-c", "while :; do :; done")) for _ in range(os.cpu_count())]

    def __exit__(self, *exception):
        for process in self.processes:
            process.kill()
            process.wait()


def stop_shortly(pair, node):
    """With real-time priority: busy cores would make the stop longer. How long it was."""
    pids = pair.pids(node)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(20))
    began = time.monotonic()
    ns.send_signal(pids, signal.SIGSTOP)
    time.sleep(STOP_SECONDS)
    ns.send_signal(pids, signal.SIGCONT)
    took = time.monotonic() - began
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return took


def unwanted_moves(pair, seconds):
    """Takeovers while all cores are busy and either node is stopped now and then, one after the other."""
    before = pair.became_active()
    with Work():
        for number in range(STOPS):
            time.sleep(random.uniform(0.5, 1.5) * seconds / STOPS)
            node = pair.lab.node_names()[number % 2]
            print("stop %2d of %s, %.0f ms (load %.2f)" % (
                number + 1, node, 1000 * stop_shortly(pair, node), os.getloadavg()[0]), flush=True)
    time.sleep(2)                                   # until the counters tell
    return pair.became_active() - before


def false_takeover(pair):
    """The active node sleeps for a little longer than the other one waits."""
    settle(pair)
    active = pair.observer.holders(VIP)[0]
    taker = other(active)
    before = pair.dead_ms(taker)
    ns.send_signal(pair.pids(active), signal.SIGSTOP)
    wait_until(lambda: VIP in pair.observer.owned[taker], 5, 0.002)
    ns.send_signal(pair.pids(active), signal.SIGCONT)
    wait_until(lambda: pair.dead_ms(taker) > before, 3, 0.1)
    told = any("false takeover" in group["dead_time_reason"] for group in pair.status(taker)["vrrp"])
    return {"dead_time_not_grown": int(pair.dead_ms(taker) <= before), "reason_not_told": int(not told)}


def run_busy(pair, minutes, table, running):
    try:
        with running(pair):
            settle(pair)
            table.note_load()
            moves = unwanted_moves(pair, minutes * 60)
            table.add("busy", pair.name, {"unwanted_moves": moves, **false_takeover(pair)}, BARS, 0)
    except LabError as error:
        return [str(error)]
    return []
