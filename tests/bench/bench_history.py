"""How fast a node answers questions about its past, and takes a change back, on a real process in a lab.

Times are those of the API: from the request to the whole answer. That of a rollback comes when the change is on
disk and runs in the proxy."""
import argparse
import os
import signal
import subprocess
import sys
import time

from api import ApiError
from bench_replication import LBAAS, Cluster
from figures import Figures
from lab import LabError

CHANGES, ROUNDS = 10000, 20
FIGURES = {  # what is measured: its bar in ms
    "history_first_question": 100,
    "history_of_one_object": 100,
    "rollback_of_one_change": 50,
    "rollback_of_the_oldest": 50,
    "diff_of_all": None,
    "audit": None,
}


def milliseconds(api, *request):
    started = time.monotonic()
    answer = api.ask(*request)
    return 1000 * (time.monotonic() - started), answer


def newest(api, pool):
    return api.ask("GET", "/v1/history?limit=1&object=" + pool)["history"][0]["id"]


def rollback(api, change):
    return milliseconds(api, "POST", "/v1/rollback", {"rollback": {"change": change, "force": True}})[0]


def measure(changes, figures):
    with Cluster("bench-hist", 1) as cluster:
        api = cluster.api["lb1"]
        first = None
        for request in cluster.changes(changes, "change"):
            api.ask(*request)
            first = first or newest(api, cluster.pools[0])
        os.kill(cluster.control("lb1"), signal.SIGKILL)  # the next one has asked itself nothing yet
        api = cluster.reconnect("lb1")
        figures.quiet()
        question = "/v1/history?limit=1000&object=" + cluster.pools[0]
        figures.add("history_first_question", "lbnode", milliseconds(api, "GET", question)[0])
        for _ in range(ROUNDS):
            figures.add("history_of_one_object", "lbnode", milliseconds(api, "GET", question)[0])
        for number in range(ROUNDS):
            change = newest(api, cluster.pools[number % len(cluster.pools)])
            figures.add("rollback_of_one_change", "lbnode", rollback(api, change))
        figures.add("rollback_of_the_oldest", "lbnode", rollback(api, first))
        figures.add("diff_of_all", "lbnode", milliseconds(api, "GET", "/v1/diff?from=%s&to=now" % first)[0])
        figures.add("audit", "lbnode", milliseconds(api, "GET", "/v1/audit")[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 changes")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the lab goes with the benchmark
    figures = Figures("history")
    for figure, bar in FIGURES.items():
        figures.describe(figure, "ms", bar, "value", max)
    try:
        measure(1000 if options.quick else CHANGES, figures)
    except (LabError, ApiError, subprocess.TimeoutExpired) as error:
        sys.exit("bench: %s" % error)
    figures.finish("nobody; the slowest of %d; load average %.1f at the end" % (ROUNDS, os.getloadavg()[0]))


if __name__ == "__main__":
    os.environ.pop("LBNODE_SOCKET", None)
    main()
