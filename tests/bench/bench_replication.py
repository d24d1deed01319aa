"""How fast and how cheaply changes reach all nodes, on real processes in a lab.

A change is accepted on one node, and has converged when every node reports it, which it does once the
change is on its disk. Loss is random, on each packet of each direction. CPU and memory are those of the
control process, which holds the configuration, replicates it and answers the API."""
import argparse
import itertools
import os
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import time

from api import ApiError, Connection, Flood, Watcher
from figures import Figures, cpu_seconds
from lab import Lab, LabError, wait_until
import namespaces as ns

LBAAS = "/v2.0/lbaas"
GOSSIP_PORT = 7850
# loss in percent: bars of the 99th percentile in ms, for 2 and for 3 nodes
CONVERGENCE = {0: (15, 15), 1: (45, 45), 10: (100, 70), 30: (300, 200)}
IDLE_BARS = {2: 1.2, 3: 2.4}
OBJECTS = 10000
MEMBERS_PER_POOL = 100


def percentile(values, share):
    """The smallest value that SHARE of VALUES do not exceed."""
    return sorted(values)[max(0, -(-len(values) * share // 100) - 1)]


def p99(values):
    return percentile(values, 99)


class Cluster:
    """A lab of nodes that replicate, with one pool to change."""

    def __init__(self, name, nodes, later=0):
        """NODES that form a cluster, and hosts for nodes that join LATER."""
        self.lab, self.count, self.later = Lab(name), nodes, later

    def __enter__(self):
        try:
            self.lab.up(self.count + self.later, 1)
            self.lab.form(self.count)
            self.api = {node: Connection(self.lab.socket(node)) for node in self.lab.node_names()[:self.count]}
            self.balancer = self.api["lb1"].ask("POST", LBAAS + "/loadbalancers", {
                "loadbalancer": {"name": "web", "vip_address": "10.77.0.100"}})["loadbalancer"]["id"]
            self.pools = [self.add_pool("p%d" % i) for i in range(10)]
            self.wait_same()
        except BaseException:
            self.lab.down()
            raise
        return self

    def __exit__(self, *_):
        self.lab.down()

    def add_pool(self, name):
        return self.api["lb1"].ask("POST", LBAAS + "/pools", {"pool": {
            "name": name, "loadbalancer_id": self.balancer, "protocol": "HTTP",
            "lb_algorithm": "ROUND_ROBIN"}})["pool"]["id"]

    def status(self, node):
        return self.api[node].ask("GET", "/v1/status")

    def state_hash(self, node):
        cluster = self.status(node)["cluster"]
        return cluster and cluster["state_hash"]

    def is_same(self):
        return len({self.state_hash(node) for node in self.api}) == 1

    def wait_same(self, seconds=60):
        if not wait_until(self.is_same, seconds, 0.01):
            raise LabError("the nodes do not agree after %d s" % seconds)

    def reconnect(self, node):
        """A connection to the control process that follows on one that died."""
        def connect():
            try:
                self.api[node] = Connection(self.lab.socket(node))
                return self.state_hash(node) is not None
            except (OSError, ApiError):
                return False
        if not wait_until(connect, 30, 0.05):
            raise LabError("%s does not answer again" % node)
        return self.api[node]

    def control(self, node):
        """The process that replicates."""
        return next(process["pid"] for process in self.status(node)["processes"] if process["role"] == "control")

    def changes(self, count, word, pools=None):
        pools = pools or self.pools
        for number in range(count):
            yield "PUT", "%s/pools/%s" % (LBAAS, pools[number % len(pools)]), {
                "pool": {"description": "%s %d" % (word, number)}}


# ---- convergence ----------------------------------------------------------------------------


class Floor:
    """The least that a change can take on this machine now: two processes, one after the other, write to the
    disk and flush it twice, as a commit of a store does. What it takes in the worst case is the machine's doing."""

    def __init__(self, directory):
        self.files = [os.open(os.path.join(directory, "floor%d" % i), os.O_RDWR | os.O_CREAT) for i in range(2)]
        for number in range(2):
            self.commit(number)
        self.here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.child = os.fork()
        if self.child == 0:
            self.here.close()
            try:
                while there.recv(1):
                    self.commit(1)
                    there.send(b"x")
            finally:
                os._exit(0)
        there.close()

    def commit(self, number):
        for page in range(2):
            os.pwrite(self.files[number], os.urandom(4096), 4096 * page)
            os.fdatasync(self.files[number])

    def measure(self):
        started = time.monotonic()
        self.commit(0)
        self.here.send(b"x")
        self.here.recv(1)
        return 1000 * (time.monotonic() - started)

    def close(self):
        self.here.send(b"")
        self.here.close()
        os.waitpid(self.child, 0)
        for file in self.files:
            os.close(file)


def converge(cluster, watchers, request, seconds=30):
    """Milliseconds until all nodes have one change on disk."""
    selector = selectors.DefaultSelector()
    for watcher in watchers:
        watcher.arm()
        selector.register(watcher.connection, selectors.EVENT_READ, watcher)
    waiting, started = len(watchers), time.monotonic()
    cluster.api["lb1"].send(*request)
    while waiting:
        ready = selector.select(seconds)
        now = time.monotonic()
        if not ready:
            raise LabError("a change did not reach all nodes within %d s" % seconds)
        for key, _ in ready:
            changes = key.data.read()
            if changes:
                selector.unregister(key.fileobj)
                waiting -= 1
            elif changes == 0:
                key.data.arm()
    selector.close()
    status, text = cluster.api["lb1"].answer()
    if status >= 300:
        raise LabError("a change was refused: %s" % text[:200])
    return 1000 * (now - started)


def convergence(cluster, samples, figures):
    watchers = [Watcher(cluster.lab.socket(node)) for node in cluster.api]
    floor = Floor(cluster.lab.directory)
    for loss, bars in CONVERGENCE.items():
        name = "%d_nodes_loss_%d" % (cluster.count, loss)
        cluster.lab.loss(loss)
        figures.quiet()
        for request in cluster.changes(samples, "loss %d" % loss):
            value = converge(cluster, watchers, request)
            figures.add("durable_p50_" + name, "lbnode", value)
            figures.add("durable_p99_" + name, "lbnode", value)
            if loss == 0:
                value = floor.measure()
                figures.add("durable_p50_" + name, "peer", value)
                figures.add("durable_p99_" + name, "peer", value)
        figures.describe("durable_p50_" + name, "ms", None, on="value")
        figures.describe("durable_p99_" + name, "ms", bars[cluster.count - 2], on="value", summary=p99)
        values = figures.values["durable_p99_" + name]["lbnode"]
        print("%d nodes, %2d %% loss: p50 %.1f ms, p99 %.1f ms, worst %.1f ms of %d changes" % (
            cluster.count, loss, statistics.median(values), p99(values), max(values), len(values)), flush=True)
        floors = figures.values["durable_p99_" + name].get("peer")
        if floors:
            print("  the machine's floor: p50 %.1f ms, p99 %.1f ms, worst %.1f ms" % (
                statistics.median(floors), p99(floors), max(floors)), flush=True)
    cluster.lab.heal()
    floor.close()
    for watcher in watchers:
        watcher.connection.close()


# ---- idle -----------------------------------------------------------------------------------


class Traffic:
    """Counts what each node sends to the gossip port, IP headers included, in the lab's switch."""

    def __init__(self, lab):
        self.namespace = lab.switch.namespace
        rules = ["table bridge bench {", "chain forward {", "type filter hook forward priority -10"]
        for node in lab.node_names():
            for protocol in "udp", "tcp":
                for side in "sport", "dport":
                    rules.append('iifname "%s" %s %s %d counter accept comment "%s"' % (
                        node, protocol, side, GOSSIP_PORT, node))
        ns.run(*ns.enter(self.namespace, "nft", "-f", "-"), text_in="\n".join(rules + ["}", "}", ""]))

    def read(self):
        shown = ns.run(*ns.enter(self.namespace, "nft", "list", "table", "bridge", "bench"))
        totals = {}
        for line in shown.split("\n"):
            words = line.split()
            if "bytes" in words:
                node = words[-1].strip('"')
                totals[node] = totals.get(node, 0) + int(words[words.index("bytes") + 1])
        return totals

    def close(self):
        ns.run(*ns.enter(self.namespace, "nft", "delete", "table", "bridge", "bench"))


def idle(cluster, seconds, figures):
    figure = "idle_kb_per_s_%d_nodes" % cluster.count
    traffic = Traffic(cluster.lab)
    time.sleep(2)
    before, started = traffic.read(), time.monotonic()
    time.sleep(seconds)
    after, passed = traffic.read(), time.monotonic() - started
    traffic.close()
    for node in after:
        figures.add(figure, "lbnode", (after[node] - before[node]) / passed / 1000)
    figures.describe(figure, "KB/s", IDLE_BARS[cluster.count], on="value", summary=max)
    print("%d nodes idle: %s KB/s sent per node" % (
        cluster.count, ", ".join("%.2f" % value for value in figures.values[figure]["lbnode"])), flush=True)


# ---- load -----------------------------------------------------------------------------------


def load(cluster, seconds, rate, word, figures, bars):
    """CPU of origin and receiver while the origin takes RATE changes a second."""
    pids = {"origin": cluster.control("lb1"), "receiver": cluster.control("lb2")}
    flood = Flood(cluster.lab.socket("lb1"))
    figures.quiet()
    before = {role: cpu_seconds([pid]) for role, pid in pids.items()}
    started = time.monotonic()
    took, refused = flood.run(cluster.changes(int(seconds * rate), word), rate)
    cluster.wait_same()
    passed = time.monotonic() - started
    flood.close()
    reached = seconds * rate / took
    for role, pid in pids.items():
        used = cpu_seconds([pid]) - before[role]
        # The share of a core at RATE, whether or not a loaded machine reached RATE.
        figure, share = "cpu_%s%s" % (role, word), 100 * used / seconds
        figures.add(figure, "lbnode", share)
        # What others do to the caches only adds: the least disturbed round counts.
        figures.describe(figure, "%", bars and bars[role], on="value", summary=min)
        print("%s%s: %.0f %% of a core for %d changes/s (%.0f us each); took them at %.0f/s, all nodes the same after %.1f s" % (
            role, word, share, rate, used * 1e6 / (seconds * rate), reached, passed), flush=True)
    if refused:
        print("%d changes were REFUSED" % refused)


# ---- heal -----------------------------------------------------------------------------------


def heal(cluster, changes, figures):
    """Seconds until both sides of a cut agree again."""
    lab = cluster.lab
    lab.cut("lb1", "lb2")
    if not wait_until(lambda: not any(node["alive"] for node in cluster.status("lb1")["nodes"] if not node["self"]), 20):
        raise LabError("lb1 does not notice the cut")
    for side, node in enumerate(("lb1", "lb2")):
        # Half of the objects are changed on both sides.
        pools = cluster.pools[5 * side // 2:][:6]
        flood = Flood(lab.socket(node), 30)
        flood.run(cluster.changes(changes, node, pools))
        flood.close()
    if cluster.is_same():
        raise LabError("the cut did not keep the sides apart")
    figures.quiet()
    started = time.monotonic()
    lab.heal()
    cluster.wait_same()
    value = time.monotonic() - started
    figures.add("heal_s", "lbnode", value)
    figures.describe("heal_s", "s", 2, on="value", summary=max)
    print("heal after %d changes on each side: %.2f s" % (changes, value), flush=True)


# ---- many objects ---------------------------------------------------------------------------


def fill(cluster, objects):
    """One record per object."""
    pools = [cluster.add_pool("m%d" % i) for i in range(-(-objects // MEMBERS_PER_POOL))]
    cluster.pools += pools
    flood = Flood(cluster.lab.socket("lb1"))
    numbers = itertools.islice(itertools.product(range(MEMBERS_PER_POOL), enumerate(pools)), objects - len(pools))
    took, refused = flood.run(("POST", "%s/pools/%s/members" % (LBAAS, pool), {"member": {
        "name": "m%d-%d" % (i, number), "address": "10.%d.%d.1" % (number, i), "protocol_port": 80}})
        for number, (i, pool) in numbers)
    flood.close()
    print("%d objects made in %.1f s%s" % (objects, took, ", %d REFUSED" % refused if refused else ""), flush=True)


def memory_mb(pid):
    with open("/proc/%d/status" % pid) as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0


def bootstrap(cluster, objects, figures):
    """An empty node joins: until it runs all objects and its state hash is the inviter's."""
    lab, figure = cluster.lab, "bootstrap"
    lab.start("lb3")
    node = Connection(lab.socket("lb3"))
    control = next(process["pid"] for process in node.ask("GET", "/v1/status")["processes"]
                   if process["role"] == "control")
    token = lab.token("lb1")
    figures.quiet()
    before, started = cpu_seconds([control]), time.monotonic()
    node.ask("POST", "/v1/join", {"join": {"token": token}})
    joined = time.monotonic() - started
    cluster.api["lb3"] = node
    if not wait_until(lambda: running(node, cluster.pools[-1]), 60, 0.01):
        raise LabError("lb3 does not run the configuration after 60 s")
    wall, used = time.monotonic() - started, cpu_seconds([control]) - before
    cluster.wait_same()
    print("bootstrap of %d objects: joined after %.2f s, running after %.2f s, CPU %.2f s" % (
        objects, joined, wall, used), flush=True)
    for name, value, bar in ("wall", wall, 5), ("cpu", used, 1):
        figures.add("%s_%s_s" % (figure, name), "lbnode", value)
        figures.describe("%s_%s_s" % (figure, name), "s", bar, on="value", summary=max)
    for name in cluster.api:
        value = memory_mb(cluster.control(name))
        figures.add("rss_mb", "lbnode", value)
        print("%s: control holds %.1f MB with %d objects" % (name, value, objects), flush=True)
    figures.describe("rss_mb", "MB", 64, on="value", summary=max)


def running(node, pool):
    """Has NODE the POOL that was made last, and does its proxy run what it has? Cheap to ask."""
    for path in "%s/pools/%s" % (LBAAS, pool), "/readyz":
        node.send("GET", path)
        if node.answer()[0] != 200:
            return False
    return True


# ---- all ------------------------------------------------------------------------------------


def small(count, options, figures):
    with Cluster("bench-rep%d" % count, count) as cluster:
        idle(cluster, 4 if options.quick else 20, figures)
        convergence(cluster, 60 if options.quick else 400, figures)
        if count == 2:
            for _ in range(1 if options.quick else 3):
                load(cluster, 3 if options.quick else 5, 1000, "", figures, {"origin": 30, "receiver": 15})
            for _ in range(1 if options.quick else 3):
                heal(cluster, 500, figures)


def large(options, figures):
    objects = 1000 if options.quick else OBJECTS
    with Cluster("bench-repbig", 2, later=1) as cluster:
        fill(cluster, objects)
        load(cluster, 3 if options.quick else 10, 100, "_%d_objects" % objects, figures, None)
        bootstrap(cluster, objects, figures)


PARTS = {
    "2": lambda options, figures: small(2, options, figures),
    "3": lambda options, figures: small(3, options, figures),
    "large": large,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer samples, 1000 objects")
    parser.add_argument("--part", choices=PARTS, action="append", help="2 or 3 nodes, or many objects; default: all")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the lab goes with the benchmark
    figures = Figures("replication")
    try:
        for part in options.part or PARTS:
            PARTS[part](options, figures)
    except (LabError, ApiError, subprocess.TimeoutExpired) as error:
        sys.exit("bench: %s" % error)
    figures.finish("two processes that only write and flush, without network and loss; load average %.1f at the end"
                   % os.getloadavg()[0])


if __name__ == "__main__":
    os.environ.pop("LBNODE_SOCKET", None)
    main()
