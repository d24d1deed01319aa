"""Measures of trials, their bars, the table and the file of `run failover`."""
import json
import os
import statistics
import time

from figures import ROOT


class Table:
    """Rows (case, system) of measures over trials. A bar is (median, worst) at most."""

    def __init__(self):
        self.rows, self.loads = {}, []

    def add(self, case, system, measures, bars, requests):
        row = self.rows.setdefault((case, system), {"bars": bars, "values": {}, "requests": 0, "trials": 0})
        row["requests"] += requests
        row["trials"] += 1
        for name, value in measures.items():
            row["values"].setdefault(name, []).append(value)

    def note_load(self):
        self.loads.append(os.getloadavg()[0])

    def lines(self):
        """(case, system, trials, measure, median, worst, sum, bar or None, ok or None)"""
        for (case, system), row in self.rows.items():
            for name, values in row["values"].items():
                numbers = [float("inf") if value is None else value for value in values]
                median, worst, bar = statistics.median(numbers), max(numbers), row["bars"].get(name)
                good = None if bar is None else median <= bar[0] and worst <= bar[1]
                yield case, system, row["trials"], name, median, worst, sum(numbers), bar, good

    def show(self):
        print("\n%-18s %-17s %6s  %-21s %9s %9s %9s %12s %4s" % (
            "case", "system", "trials", "measure", "median", "worst", "sum", "bar", "ok"))
        before = None
        for case, system, trials, name, median, worst, total, bar, good in self.lines():
            same, before = before == (case, system), (case, system)
            print("%-18s %-17s %6s  %-21s %9.1f %9.1f %9.1f %12s %4s" % (
                *(("", "", "") if same else (case, system, trials)), name, median, worst, total,
                "-" if bar is None else "<= %g/%g" % bar, {None: "-", True: "yes", False: "NO"}[good]))
        loads = sorted(self.loads or [0.0])
        print("load average of the machine before each trial: median %.2f, highest %.2f; %d cores; %s" % (
            statistics.median(loads), loads[-1], os.cpu_count(), time.strftime("%F %T")))

    def write(self, path=os.path.join(ROOT, "build", "bench", "failover.json")):
        rows = [dict(zip(("case", "system", "trials", "measure", "median", "worst", "sum", "bar", "ok"), line))
                for line in self.lines()]
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            json.dump({"rows": rows, "values": [[*key, row["values"], row["requests"]] for key, row in self.rows.items()],
                       "loads": self.loads, "cores": os.cpu_count()}, file, indent=1)
        print("written: " + os.path.relpath(path, ROOT))

    def failed(self):
        return [line for line in self.lines() if line[-1] is False]
