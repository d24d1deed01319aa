"""What benchmarks share: rounds of measured values, the table, the JSON file, the machine's noise."""
import json
import os
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "deploy", "lib"))


def busy_share(seconds=0.5):
    """How much of the machine somebody used during the next SECONDS, 0..1."""
    def read():
        with open("/proc/stat") as file:
            values = [int(value) for value in file.readline().split()[1:9]]
        return sum(values), values[3] + values[4]
    total, idle = read()
    time.sleep(seconds)
    total2, idle2 = read()
    return 1 - (idle2 - idle) / max(1, total2 - total)


def cpu_seconds(pids):
    """CPU that all threads of PIDS have used so far."""
    total = 0
    for pid in pids:
        try:
            for task in os.listdir("/proc/%d/task" % pid):
                with open("/proc/%d/task/%s/schedstat" % (pid, task)) as file:
                    total += int(file.read().split()[0])
        except OSError:
            pass
    return total / 1e9


class Figures:
    """Values by figure and system. A figure has a unit, a bar, and what the bar is about. With several
    systems beside lbnode, the better one is the peer."""

    def __init__(self, name):
        self.name, self.values, self.noise, self.about = name, {}, [], {}

    def describe(self, figure, unit, bar, on="ratio", summary=statistics.median):
        """OK means: the RATIO to the peer, or lbnode's own "value", is at most BAR (None: no bar)."""
        self.about[figure] = (unit, bar, on, summary)

    def add(self, figure, system, value):
        self.values.setdefault(figure, {}).setdefault(system, []).append(value)

    def quiet(self):
        """Notes what other programs take, just before a measurement."""
        self.noise.append(busy_share())

    def rows(self):
        for figure, (unit, bar, on, summary) in self.about.items():
            values = self.values.get(figure, {})
            ours = values.get("lbnode", [])
            if not ours:
                continue
            peers = [values[system] for system in values if system != "lbnode"]
            theirs = min(peers, key=summary) if peers else []
            mine, peer = summary(ours), summary(theirs) if theirs else None
            ratio = mine / peer if peer else None
            judged = ratio if on == "ratio" else mine
            good = None if bar is None else judged is not None and judged <= bar
            yield figure, unit, mine, peer, ratio, bar, on, good, spread(ours), spread(theirs)

    def finish(self, peer_name):
        print("\n%-28s %-6s %10s %14s %7s %14s %4s   %s"
              % ("figure", "unit", "lbnode", "peer", "ratio", "bar", "ok", "spread (max-min, % of median)"))
        out = {}
        for figure, unit, mine, peer, ratio, bar, on, good, own_spread, peer_spread in self.rows():
            print("%-28s %-6s %10.1f %14s %7s %14s %4s   %.0f %%, peer %.0f %%" % (
                figure, unit, mine, "-" if peer is None else "%.1f" % peer, "-" if ratio is None else "%.2f" % ratio,
                "-" if bar is None else "%s <= %g" % (on, bar), {None: "-", True: "yes", False: "NO"}[good], own_spread, peer_spread))
            out[figure] = {"lbnode": mine, "peer": peer, "ratio": ratio, "bar": bar, "ok": good}
        noise = 100 * statistics.median(self.noise or [0])
        print("noise: other programs took %.0f %% of this machine (median, just before each measurement); %d cores\n"
              "peer: %s; %s" % (noise, os.cpu_count(), peer_name, time.strftime("%F %T")))
        path = os.path.join(ROOT, "build", "bench", self.name + ".json")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            json.dump({"figures": out, "noise_percent": noise, "peer": peer_name}, file, indent=1)
        print("written: " + os.path.relpath(path, ROOT))


def spread(values):
    middle = statistics.median(values) if values else 0
    return 100 * (max(values) - min(values)) / middle if middle else 0


def version(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return " ".join(done.stdout.split("\n")[0].split()[:3])
