#!/usr/bin/env python3
"""Runs the scenarios: run.py [--lbnode PATH] [--only PATTERN] [--jobs N] [--results FILE]

N classes run side by side, each in labs of its own: most scenarios wait most of the time. Those of a class
that measures how short something is (`alone = True`) come first, one after the other. FILE gets a JSON list
of [name, passed | failed | skipped, why]. Exit 1 when one failed."""
import argparse
import json
import multiprocessing
import os
import sys
import time
import traceback
import unittest

sys.dont_write_bytecode = True
USUAL_SECONDS = 4
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)


def cases(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from cases(item)
        else:
            yield item


class Result(unittest.TestResult):
    """Prints each scenario as it ends, and remembers [name, result, why]."""

    def __init__(self):
        super().__init__()
        self.rows, self.why = [], {}

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            self.note(test, "%s: %s" % (subtest._message, error[1]))

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.note(test, str(error[1]))

    def addError(self, test, error):
        super().addError(test, error)
        self.note(test, "".join(traceback.format_exception(*error)[-4:]))

    def note(self, test, why):
        evidence = test.evidence() if hasattr(test, "lab") and test.lab.nodes else ""
        self.why[test.id()] = self.why.get(test.id(), "") + why + "\n" + evidence

    def stopTest(self, test):
        super().stopTest(test)
        name = "scenario %s.%s" % (type(test).__name__, test._testMethodName)
        skipped = dict((t.id(), why) for t, why in self.skipped)
        result = ("failed" if test.id() in self.why else "skipped" if test.id() in skipped else "passed")
        why = self.why.get(test.id(), skipped.get(test.id(), ""))
        self.rows.append([name, result, why])
        print("  %s %-90s %5.1f s" % ({"passed": "ok  ", "failed": "FAIL", "skipped": "skip"}[result], name[9:],
                                      time.monotonic() - self.started), flush=True)


def run_one_by_one(chosen):
    result = Result()
    unittest.TestSuite(chosen).run(result)
    return result.rows


def by_class(chosen):
    """[[scenarios of a class]], the longest first, that no worker waits for the other one's last class. A class
    whose scenarios are longer than most tells what it `lasts` in seconds."""
    classes = {}
    for case in chosen:
        classes.setdefault(type(case), []).append(case)
    return sorted(classes.values(), key=lambda own: getattr(own[0], "lasts", USUAL_SECONDS * len(own)), reverse=True)


def run(chosen, jobs):
    """Their rows, in the order in which they ended."""
    alone = [case for case in chosen if getattr(case, "alone", False) or jobs == 1]
    rows = run_one_by_one(alone)
    groups = by_class(case for case in chosen if case not in alone)
    if groups:
        with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=1) as pool:
            for more in pool.imap_unordered(run_one_by_one, groups, chunksize=1):
                rows += more
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lbnode", metavar="PATH")
    parser.add_argument("--only", metavar="PATTERN", default="")
    parser.add_argument("--jobs", type=int, default=1, metavar="N")
    parser.add_argument("--results", metavar="FILE")
    parser.add_argument("--verbose", action="store_true", help="print why a scenario failed")
    options = parser.parse_args()
    if options.lbnode:
        os.environ["LBNODE"] = os.path.abspath(options.lbnode)
    from pair import remove_leftovers
    remove_leftovers()
    chosen = [case for case in cases(unittest.defaultTestLoader.discover(HERE)) if options.only in case.id()]
    rows = run(chosen, options.jobs)
    if options.results:
        with open(options.results, "w") as file:
            json.dump(rows, file)
    if options.verbose:
        for name, outcome, why in rows:
            if outcome == "failed":
                print("FAILED %s\n%s" % (name, why))
    return 0 if all(row[1] != "failed" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
