"""What clients notice of changes of the configuration, and of the proxy itself at a moderate rate."""
import os
import subprocess
import threading

from api import Connection
from lab import LabError, wait_until
from proxy_systems import ADDRESSES, PORTS

HERE = os.path.dirname(os.path.abspath(__file__))
LBAAS = "/v2.0/lbaas"
RATE, OPEN_ROUNDS, OPEN_SECONDS = 1000, 5, 2
TOGGLES, CHANGES, LOAD_SECONDS = 20, 1000, 4
COMINGS, STANDING, FIRST_PORT, KEPT = 200, 20, 20000, 100
THIRD = "10.77.0.23"  # a further address of the second worker
# Tells when the command was called, without what it takes to get into the host.
CALLED = "import os, sys, time; print(time.monotonic_ns(), flush=True); os.execv(sys.argv[1], sys.argv[1:])"
URL = "http://%s:%d/" % (ADDRESSES["lbnode"], PORTS["http"])


def clients(bench, pin, *arguments, **options):
    return bench.lab.popen("client", *pin, "python3", os.path.join(HERE, "proxy_clients.py"), *arguments,
                           stdout=subprocess.PIPE, text=True, **options)


# ---- latency --------------------------------------------------------------------------------


def median_us(bench, pin, address, port):
    out, _ = clients(bench, pin, "open", address, str(port), str(RATE), str(OPEN_SECONDS)).communicate(timeout=60)
    return float(out)


def added_latency(bench, figure, pin):
    """The median through a proxy, less that without one; systems take turns."""
    for _ in range(OPEN_ROUNDS):
        bench.figures.quiet()
        direct = median_us(bench, pin, bench.lab.address("w1"), 8000)
        for system, address in ADDRESSES.items():
            added = median_us(bench, pin, address, PORTS["http"]) - direct
            bench.figures.add(figure, system, added)
            print("  %-20s %-8s %7.1f us, directly %.1f us" % (figure, system, added, direct), flush=True)


# ---- changes --------------------------------------------------------------------------------


def member_set(bench, option, member):
    """Calls the command line; the time of the call in ns."""
    command = [bench.lab.binary, "member", "set", option, "webHTTP", member]
    process = bench.lab.popen("lb1", "python3", "-c", CALLED, *command, stdout=subprocess.PIPE, text=True)
    called = int(process.stdout.readline())
    process.communicate(timeout=30)
    if process.returncode:
        raise LabError(" ".join(command) + " failed")
    return called


def wait_for(watcher, status):
    """The time in ns when clients first got STATUS."""
    for line in watcher.stdout:
        seen, _, now = line.partition(" ")
        if now.strip() == status:
            return int(seen)
    raise LabError("the client that watches has ended")


def visible_change(bench, figure, pin):
    """From the call of the command until an answer shows it: the last member comes and goes."""
    member_set(bench, "--disable", "w2")
    watcher = clients(bench, pin, "watch", ADDRESSES["lbnode"], str(PORTS["http"]))
    try:
        wait_for(watcher, "200")
        bench.figures.quiet()
        for number in range(TOGGLES):
            option, status = ("--enable", "200") if number % 2 else ("--disable", "503")
            called = member_set(bench, option, "w1")
            bench.figures.add(figure, "lbnode", (wait_for(watcher, status) - called) / 1e6)
    finally:
        watcher.kill()
        watcher.communicate()
        member_set(bench, "--enable", "w2")
    print("  %-20s %d changes" % (figure, TOGGLES), flush=True)


def changes(api):
    """CHANGES changes of every kind: weights, members out of service, members that come and go."""
    pool = api.ask("GET", LBAAS + "/pools?name=webHTTP")["pools"][0]["id"]
    members = "%s/pools/%s/members" % (LBAAS, pool)
    second = api.ask("GET", members + "?name=w2")["members"][0]["id"]
    for number in range(CHANGES // 5):
        api.ask("PUT", "%s/%s" % (members, second), {"member": {"weight": 1 + number % 3}})
        api.ask("PUT", "%s/%s" % (members, second), {"member": {"admin_state_up": False}})
        third = api.ask("POST", members, {"member": {"name": "w3", "address": THIRD, "protocol_port": 8000}})["member"]["id"]
        api.ask("PUT", "%s/%s" % (members, second), {"member": {"admin_state_up": True}})
        api.ask("DELETE", "%s/%s" % (members, third))


def listeners_come_and_go(api, answers):
    """COMINGS pools with a member, and listeners for them, STANDING of them at a time; each tenth listener answers."""
    balancer = api.ask("GET", LBAAS + "/loadbalancers?name=web")["loadbalancers"][0]["id"]
    standing = []
    for number in range(COMINGS):
        kind = {"name": "come%d" % number, "loadbalancer_id": balancer, "protocol": "HTTP"}
        pool = api.ask("POST", LBAAS + "/pools", {"pool": dict(kind, lb_algorithm="ROUND_ROBIN")})["pool"]["id"]
        api.ask("POST", "%s/pools/%s/members" % (LBAAS, pool), {"member": {"address": THIRD, "protocol_port": 8000}})
        listener = dict(kind, protocol_port=FIRST_PORT + number, default_pool_id=pool)
        standing.append((api.ask("POST", LBAAS + "/listeners", {"listener": listener})["listener"]["id"], pool))
        if number % 10 == 0:
            answers(FIRST_PORT + number)
        if len(standing) > STANDING:
            leave(api, *standing.pop(0))
    for pair in standing:
        leave(api, *pair)


def leave(api, listener, pool):
    api.ask("DELETE", "%s/listeners/%s" % (LBAAS, listener))
    api.ask("DELETE", "%s/pools/%s" % (LBAAS, pool))


def expect_answer(bench, port):
    url = "http://%s:%d/" % (ADDRESSES["lbnode"], port)
    if not wait_until(lambda: "0123" in bench.lab.execute("client", "curl", "-s", "-m", "1", url).stdout, 10, 0.01):
        raise LabError("%s does not answer" % url)


def count_failures(bench, figure, pin, change):
    """Requests that fail, and kept connections that were closed when they are used again, while CHANGE happens."""
    done, counts = threading.Event(), [0, 0]

    def load():
        while not done.is_set():
            requests, errors = bench.wrk(URL, LOAD_SECONDS, 32, ())[:2]
            counts[0] += requests
            counts[1] += errors

    bench.lab.execute("w2", "ip", "address", "replace", THIRD + "/24", "dev", "eth0")
    bench.figures.quiet()
    kept = clients(bench, pin, "keep", ADDRESSES["lbnode"], str(PORTS["http"]), str(KEPT), stdin=subprocess.PIPE)
    thread = threading.Thread(target=load)
    try:
        if kept.stdout.readline().strip() != "ready":
            raise LabError("no connections to keep")
        thread.start()
        change(Connection(bench.lab.socket("lb1")))
    finally:
        done.set()
        if thread.ident:
            thread.join()
        asked, stale = (int(word) for word in kept.communicate("", timeout=60)[0].split() or (0, KEPT))
    bench.figures.add(figure, "lbnode", counts[1] + stale)
    print("  %-20s %d requests, %d failed; %d over %d kept connections, %d of them closed"
          % (figure, *counts, asked, KEPT, stale), flush=True)


def failed_in_changes(bench, figure, pin):
    count_failures(bench, figure, pin, changes)


def failed_in_listeners(bench, figure, pin):
    count_failures(bench, figure, pin, lambda api: listeners_come_and_go(api, lambda port: expect_answer(bench, port)))


# figure: (measure, unit, bar, what the bar is about)
CLIENTS = {
    "added_p50": (added_latency, "us", 1.05, "ratio"),
    "visible_change": (visible_change, "ms", 10, "value"),
    "failed_in_changes": (failed_in_changes, "failed", 0, "value"),
    "failed_in_listeners": (failed_in_listeners, "failed", 0, "value"),
}
