"""tests/soak/run: a node under full load for some minutes, and then whether anything stuck, grew, was lost or miscounted.

Clients keep connections or open new ones, ask for small and large answers, send bodies with a length and in chunks, pipeline,
upgrade, speak over HTTP and TCP listeners; others reset, close halfway, vanish, stall and talk nonsense. Members are killed,
silent, stopped, or cut their answers. The configuration changes many times a second. When the load has ended the rules of
judge.py must hold; exit 1 when one does not."""
import argparse
import collections
import json
import os
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path += [os.path.join(ROOT, "deploy", "lib"), os.path.join(ROOT, "tests", "bench")]

import board  # noqa: E402
from api import ApiError, Connection  # noqa: E402
from director import Changer, Comings, Flapper, Guests  # noqa: E402
from judge import SETTLE_S, judge  # noqa: E402
from lab import LabError  # noqa: E402
from stage import GUEST_PORT, LISTENERS, NODE, VIP, WORKERS, Stage  # noqa: E402

PIPES_PER_WORKER = 32  # PIPES_PER_WORKER of proxy/pipe_pool.h, of two descriptors each
TUNNEL_SILENCE_S = 90  # so long a tunnel whose client vanished is kept: TCP keep-alive
BURST_S, BURST_CONNECTIONS = 5, 32
# listener: (orderly threads, aborting threads)
THREADS = {"steady": (8, 0), "steadytcp": (4, 0), "wild": (8, 12), "wildtcp": (4, 6), "guest": (4, 2)}


class Watch(threading.Thread):
    """Memory, process and events, once a second, until it is told to end."""

    def __init__(self, stage):
        super().__init__(daemon=True)
        self.stage, self.ended, self.begun = stage, threading.Event(), time.monotonic()
        self.memory, self.pids, self.errors, self.loaded = [], [], [], True
        self.api = Connection(stage.lab.socket(NODE))
        self.last = self.api.ask("GET", "/v1/events")["last"]

    def run(self):
        while not self.ended.wait(1):
            self.look()

    def look(self):
        pid = self.stage.process("proxy")
        if pid:
            self.pids.append(pid)
            if self.loaded:
                self.memory.append((time.monotonic() - self.begun, *self.stage.memory_kib(pid)))
        news = self.api.ask("GET", "/v1/events?after=%d" % self.last)
        self.last = news["last"]
        self.errors += [event for event in news["events"] if event["level"].upper() == "ERROR"]


class Bursts(threading.Thread):
    """The plain load: small answers as fast as it goes."""

    def __init__(self, stage, stop):
        super().__init__()
        self.stage, self.stop, self.counts = stage, stop, collections.Counter({"answered": 0, "received": 0, "wrong": 0})

    def run(self):
        url = "http://%s:%d/" % (VIP, LISTENERS["fast"][1])
        while not self.stop.is_set():
            done = self.stage.lab.execute(NODE, "wrk", "-t1", "-c%d" % BURST_CONNECTIONS, "-d%d" % BURST_S, "--timeout", "20",
                                          "-s", os.path.join(ROOT, "tests", "bench", "report.lua"), url)
            for line in done.stdout.split("\n"):
                if line.startswith("BENCH "):
                    requests, _, _, _, received = (int(word) for word in line.split()[1:])
                    self.counts.update(answered=requests, received=received)


def start_clients(stage, options, seconds):
    """Two processes, each with half of the threads of every listener."""
    halves = []
    for half in range(2):
        listeners = {}
        for name, (orderly, aborting) in THREADS.items():
            kind, port, _, steady, _ = LISTENERS.get(name, ("HTTP", GUEST_PORT, "wild", False, ""))
            listeners[name] = {"address": VIP, "port": port, "kind": kind, "steady": steady, "orderly": orderly // 2,
                               "aborting": aborting // 2}
        halves.append(stage.clients({"seed": "%s-%d" % (options.seed, half), "listeners": listeners,
                                     "tunnels_vanish_s": seconds - TUNNEL_SILENCE_S}))
    return halves


def end_clients(halves):
    """What they counted, together."""
    total = {name: collections.Counter({"answered": 0}) for name in THREADS}
    for client in halves:
        client.stdin.close()
    for client in halves:
        for name, counts in json.loads(client.stdout.read()).items():
            total[name].update(counts)
        client.wait()
    return total


class Load:
    """All that happens at once: clients, bursts of plain load, flaps and changes."""

    def __init__(self, stage, options):
        self.seconds, self.stop = options.minutes * 60, threading.Event()
        self.flapper, self.changer, self.comings, self.guests = self.players = [
            kind(stage, self.stop, options.seed) for kind in (Flapper, Changer, Comings, Guests)]
        self.bursts, self.halves = Bursts(stage, self.stop), start_clients(stage, options, self.seconds)

    def run(self):
        """What the clients counted."""
        threads = [self.bursts] + self.players
        try:
            for thread in threads:
                thread.start()
            self.stop.wait(self.seconds)  # until one of the players fails, at most
        finally:
            self.stop.set()
        for thread in threads:
            thread.join()
        return dict(end_clients(self.halves), fast=self.bursts.counts)

    def figures(self):
        return {"flaps": dict(self.flapper.counts),
                "changes": dict(self.changer.counts + self.comings.counts + self.guests.counts),
                "failures": [player.failure for player in self.players if player.failure]}


def soak(stage, options):
    """The figures that judge.py judges."""
    before = board.restarts(board.text(stage.lab.socket(NODE)))
    idle = stage.descriptors(stage.process("proxy"))
    watch, load = Watch(stage), Load(stage, options)
    watch.start()
    clients = load.run()
    watch.loaded = False
    begun = time.monotonic()
    at_rest = settled(stage, idle)
    settle_s = round(time.monotonic() - begun)
    watch.ended.set()
    watch.join()
    watch.look()
    page = board.text(stage.lab.socket(NODE))
    listeners = board.listeners(board.read(page), load.comings.retired, set(LISTENERS) - set(Comings.exact))
    for name, listener in listeners.items():
        listener.update(clients=dict(clients[name]), kind=LISTENERS[name][0], steady=LISTENERS[name][3])
    return dict(load.figures(), minutes=options.minutes, seed=options.seed, sanitizer=stage.sanitizer, idle=idle,
                settled=at_rest, settle_s=settle_s, pipe_limit=2 * PIPES_PER_WORKER * WORKERS, memory=watch.memory,
                memory_judged=stage.sanitizer == "none", proxy_pids=watch.pids, errors=watch.errors, listeners=listeners,
                restarts={name: count - before.get(name, 0) for name, count in board.restarts(page).items()},
                guests=dict(clients["guest"]))


def settled(stage, idle):
    """The proxy's open descriptors when they and the gauges are back at IDLE, or much too late."""
    def is_idle():
        objects = board.read(board.text(stage.lab.socket(NODE)))
        busy = sum(listener["active_connections"] for listener in objects["listener"].values()) + sum(
            member["active"] for member in objects["member"].values())
        pid = stage.process("proxy")
        return pid and not busy and stage.descriptors(pid)["sockets"] == idle["sockets"]
    stage.wait_for(is_idle, SETTLE_S + 10)
    return stage.descriptors(stage.process("proxy"))


def show(figures, rows, output):
    if output == "json":
        print(json.dumps(dict(figures, rules=[dict(zip(("rule", "seen", "bound", "good"), row)) for row in rows]), indent=1))
        return
    print("%.3g minutes, sanitizer: %s" % (figures["minutes"], figures["sanitizer"]))
    for what in "changes", "flaps":
        print("%s: %s" % (what, ", ".join("%s %d" % item for item in sorted(figures[what].items()))))
    print("guest: %s" % ", ".join("%s %d" % item for item in figures["guests"].items()))
    for name, listener in figures["listeners"].items():
        print("%s: %s" % (name, ", ".join("%s %d" % item for item in listener["clients"].items())))
        print("    ended: %s" % ", ".join("%s %d" % item for item in listener["board"]["terminations"].items() if item[1]))
    print()
    for rule, seen, bound, good in rows:
        print("%-4s %-62s %14s   %s" % ("ok" if good else "FAIL", rule, seen, bound))
    for text in [str(event) for event in figures["errors"][:10]] + figures["reports"][:5]:
        print("\n" + text)


def parse():
    parser = argparse.ArgumentParser(prog="tests/soak/run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="of load (10)")
    parser.add_argument("--build", default="build", metavar="FOLDER", help="whose lbnode runs (build)")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--seed", type=int, default=1, help="of what is random (1); the timing is not")
    parser.add_argument("--keep-log", metavar="FILE", help="the log of the node goes there")
    return parser.parse_args()


def main():
    options = parse()
    os.chdir(ROOT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if subprocess.run(["deploy/lib/build.sh", options.build, "lbnode/node/lbnode"], stdout=sys.stderr).returncode:
        sys.exit("soak: %s does not build" % options.build)
    stage = Stage(options.build)
    try:
        stage.up()
        figures = soak(stage, options)
        stage.lab.stop(NODE)
        figures["reports"] = stage.reports()
    except (LabError, ApiError, OSError) as error:
        sys.exit("soak: %s" % error)
    finally:
        if options.keep_log and os.path.exists(stage.lab.log(NODE)):
            with open(stage.lab.log(NODE), errors="replace") as log, open(options.keep_log, "w") as out:
                out.write(log.read())
        stage.down()
    rows = judge(figures)
    show(figures, rows, options.output)
    if figures["failures"] or not all(row[3] for row in rows):
        sys.exit("soak: " + "; ".join(figures["failures"] + [row[0] for row in rows if not row[3]]))


if __name__ == "__main__":
    main()
