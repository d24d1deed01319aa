"""A pool of many members of which some died long before the active node is killed: requests that the new active node
sends to dead members, once to some that refuse and once to silent ones. The bar is none."""
import argparse
import json
import os
import signal
import subprocess
import sys

from figures import ROOT
from lab import Lab, LabError
sys.path.insert(0, os.path.join(ROOT, "tests", "scenario"))
import takeover  # noqa: E402

VIP = "10.77.0.100"


def run(name, members, dead, silent):
    lab = Lab(name)
    try:
        lab.up(2, 1)
        lab.form()
        return takeover.run(lab, VIP, members, dead, silent)
    finally:
        lab.down()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lab", default="bench-takeover", help="name of the lab")
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--dead", type=int, default=300)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the lab goes with the benchmark
    print("delay %d s, timeout %d s, %d failures; 200 requests/s; the active node is killed %d s after the deaths "
          "or later, when all verdicts are there" % (takeover.DELAY, takeover.TIMEOUT, takeover.FAILURES, takeover.VERDICT_SECONDS))
    outcomes = []
    try:
        for silent in False, True:
            outcomes.append(run(options.lab, options.members, options.dead, silent))
            print(outcomes[-1].line(), flush=True)
    except (LabError, subprocess.TimeoutExpired) as error:
        sys.exit("bench: %s" % error)
    missed = sum(outcome.to_dead > 0 or len(outcome.wrong) > 0 for outcome in outcomes)
    print("%d of %d takeovers miss the bar: no request to a dead member, no status lost" % (missed, len(outcomes)))
    path = os.path.join(ROOT, "build", "bench", "takeover.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump([vars(outcome) for outcome in outcomes], file, indent=1)
    print("written: " + os.path.relpath(path, ROOT))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    os.environ.pop("LBNODE_SOCKET", None)
    main()
