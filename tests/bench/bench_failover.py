"""Moves of the virtual address, case by case, as a client sees them.

Labs of two nodes and a worker: one runs lbnode with its defaults, the others keepalived and haproxy with
an advert each second (its default) and each tenth of a second. The client sends 200 requests a second, each
on a fresh connection; the outage is the time from the first failed request to the first one that is
answered after the last failed one."""
import argparse
import os
import re
import signal
import sys
import threading
import time

from figures import version
import namespaces as ns
from lab import Lab, LabError, tail
from failover_busy import run_busy
from failover_cases import CASES, VIP, trial
from failover_pairs import PORT, Keepalived, Lbnode
from failover_scale import LAYOUTS, run_layout
from failover_table import Table
from observer import Observer
from stream import Stream


def lab(kind):
    """A lab that no other run has: its name holds the process id of this one."""
    return Lab("c%d-%s" % (os.getpid(), kind))


def remove_labs(is_wanted):
    """Labs of the runs with a process id that IS_WANTED."""
    for name in ns.all_names():
        found = re.fullmatch(r"(c(\d+)-(lb|k1|k01))-\w+", name)
        if found and is_wanted(int(found[2])):
            Lab(found[1]).down()


def chosen_cases(text):
    names = list(CASES) if text == "all" else text.split(",")
    for name in names:
        if name not in CASES:
            sys.exit("bench: there is no case %s; known: %s" % (name, ", ".join(CASES)))
    return names


def run_trials(pair, names, rounds, table):
    """All rounds of one pair, one line per trial and half."""
    for number in range(rounds):
        for name in names:
            case = CASES[name]
            if case.once and number > 0 or pair.name != "lbnode" and not case.peers:
                continue
            table.note_load()
            for half, (suffix, measures, report) in enumerate_halves(case, trial(pair, case)):
                bars = case.bars[half] if pair.name == "lbnode" else {}
                table.add(name + suffix, pair.name, measures, bars, report.sent)
                extra = " ".join("%s=%s" % (key, "never" if value is None else "%.0f" % value)
                                 for key, value in measures.items() if key not in ("outage_ms", "failed"))
                print("round %2d  %-18s %-16s %s  %s  (load %.2f)" % (
                    number + 1, name + suffix, pair.name, report.line(), extra, os.getloadavg()[0]), flush=True)


def enumerate_halves(case, found):
    """With the number of each half that was measured."""
    return [(1 if result[0] else 0, result) for result in found if case]


class Running:
    """A pair that serves, with its client and observer: with Running(pair): ..."""

    def __init__(self, pair, keep=False):
        self.pair, self.keep = pair, keep

    def __enter__(self):
        self.pair.lab.up(2, 1)
        self.pair.observer = Observer(self.pair.lab)
        self.pair.prepare()
        self.pair.stream = Stream(self.pair.lab, VIP, PORT)
        return self.pair

    def __exit__(self, *exception):
        if exception[0] and exception[0] is not KeyboardInterrupt:
            tell(self.pair)
        self.pair.stream.close()
        self.pair.observer.close()
        if self.keep:
            print("the lab %s stays; deploy/lab down --name %s removes it" % (self.pair.lab.name, self.pair.lab.name))
        else:
            self.pair.lab.down()


def run_pair(pair, names, rounds, table, errors, keep=False):
    try:
        with Running(pair, keep):
            run_trials(pair, names, rounds, table)
    except (LabError, OSError) as error:
        errors.append("%s: %s" % (pair.name, error))


def tell(pair):
    """What a pair was like when something went wrong with it."""
    for row in pair.lab.status():
        print("%-7s %-12s %s" % row)
    for node in pair.lab.node_names():
        print("---- log of %s\n%s" % (node, tail(pair.lab.log(node), 15)), flush=True)


def run_cases(names, options, table):
    """lbnode alone, then its peers side by side."""
    errors = []
    if not options.only_peers:
        run_pair(Lbnode(lab("lb")), names, options.rounds, table, errors, options.keep)
    side_by_side(options, lambda pair, rounds: run_pair(pair, names, rounds, table, errors))
    return errors


def run_scale(options, table):
    errors = []
    for layout in LAYOUTS:
        if not options.only_peers:
            run_layout(Lbnode(lab("lb")), layout, options.rounds, table, errors)
        side_by_side(options, lambda pair, rounds: run_layout(pair, layout, rounds, table, errors))
    return errors


def side_by_side(options, act):
    """ACT(pair, rounds) with each of the peers."""
    peers = [] if options.only_lbnode else [Keepalived(lab("k1"), "1"), Keepalived(lab("k01"), "0.1")]
    threads = [threading.Thread(target=act, args=(pair, options.peer_rounds or options.rounds)) for pair in peers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def parse():
    parser = argparse.ArgumentParser(prog="run failover", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--peer-rounds", type=int, metavar="N", help="fewer rounds for keepalived, which is slow")
    parser.add_argument("--cases", metavar="A,B", help="%s, or all (crash)" % ", ".join(CASES))
    parser.add_argument("--only-lbnode", action="store_true", help="without the peers")
    parser.add_argument("--only-peers", action="store_true", help="without lbnode")
    parser.add_argument("--keep", action="store_true", help="leave the lab of lbnode as it is, to look into it")
    parser.add_argument("--scale", action="store_true",
                        help="also 250 addresses in one group, and 100 groups (part of --cases all)")
    parser.add_argument("--busy", type=float, metavar="MINUTES", help="only this: other work on all cores for so long, "
                        "short stops of processes, then one forced false takeover; 10 is what is asked for")
    return parser.parse_args()


def measure(options, table):
    """What went wrong with a pair, in words."""
    if options.busy:
        return run_busy(Lbnode(lab("lb")), options.busy, table, Running)
    errors = run_cases(chosen_cases(options.cases), options, table) if options.cases else []
    if options.scale or options.cases == "all":
        errors += run_scale(options, table)
    return errors


def main():
    options, table, began = parse(), Table(), time.monotonic()
    if not options.cases and not options.scale:
        options.cases = "crash"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    remove_labs(lambda run: not ns.is_alive(run))
    try:
        errors = measure(options, table)
    except KeyboardInterrupt:                       # the threads of the peers know nothing of it
        table.show()
        remove_labs(lambda run: run == os.getpid())
        os._exit(130)
    table.show()
    table.write()
    print("peer: %s + %s; %.0f minutes" % (version("keepalived", "--version"), version("haproxy", "-v"),
                                         (time.monotonic() - began) / 60))
    for error in errors:
        print("bench: " + error, file=sys.stderr)
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    os.environ.pop("LBNODE_SOCKET", None)
    main()
