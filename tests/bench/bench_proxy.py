"""What a proxy spends, CPU and memory, and what its clients notice, beside haproxy and nginx (the better counts).

All run on one host of a lab with one thread each, pinned to core 0; the load (wrk) and two nginx as workers
run on the last core. Systems take turns within each round. Only what an item costs and the ratio count: the
rate is that of a machine that everything shares."""
import argparse
import os
import signal
import subprocess
import sys
import time

from figures import Figures, cpu_seconds, version
from lab import Lab, LabError
from proxy_changes import CLIENTS
from proxy_systems import ADDRESSES, PORTS, Systems, has_stream

HERE = os.path.dirname(os.path.abspath(__file__))
PROXY_CORE, LOAD_CORE = 0, (os.cpu_count() or 1) - 1
PIN = ("taskset", "-c", str(LOAD_CORE))
IDLE_CLIENTS, TCP_CLIENTS = 9000, 4000
CLOSE = ("-H", "Connection: close")

# figure: (port, path, connections, wrk's further options, bytes per item or None, unit, bar)
TESTS = {
    "keepalive": ("http", "", 32, (), None, "us", 0.75),
    "new_connection": ("http", "", 32, CLOSE, None, "us", 0.8),
    "tcp_connection": ("tcp", "", 32, CLOSE, None, "us", 0.85),
    "body_16k": ("http", "16k", 32, (), None, "us", 0.7),
    "tcp_bulk": ("tcp", "64m", 1, (), "64m", "s/GiB", 0.5),
    "body_1m": ("http", "1m", 8, (), "1m", "s/GiB", 0.45),
    "body_64m": ("http", "64m", 4, (), "64m", "s/GiB", 0.4),
}
MEMORY = {
    "idle_client": ("KiB", 0.8),
    "tcp_pair": ("KiB", 0.35),
    "process_idle": ("MiB", 0.5),
    "process_1000_pools": ("MiB", 0.5),
}
SYSCALLS = {"syscalls_64": (64, 4.2), "syscalls_1": (1, 6.1)}


def memory_kib(pids):
    """Their proportional share of the memory; what they share counts once."""
    total = 0
    for pid in pids:
        with open("/proc/%d/smaps_rollup" % pid) as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total


class Bench:
    def __init__(self, lab, seconds, figures):
        self.lab, self.seconds, self.figures = lab, seconds, figures
        self.systems = Systems(lab)

    def steer(self):
        """Each side pays for the packets that it receives, on its own core, as on hosts of their own. A host
        shares the machine's /sys, which has the machine's interfaces, so its own is mounted meanwhile."""
        for host in self.lab.hosts():
            core, folder = PROXY_CORE if host == "lb1" else LOAD_CORE, self.lab.path(host, "sys")
            script = ("mkdir %s && mount -t sysfs sysfs %s && { echo %x > %s/class/net/eth0/queues/rx-0/rps_cpus; "
                      "ok=$?; umount %s && rmdir %s && exit $ok; }" % (folder, folder, 1 << core, folder, folder, folder))
            done = self.lab.execute(host, "sh", "-c", script)
            if done.returncode:
                raise LabError("no steering of received packets on %s: %s" % (host, done.stderr.strip()))
            if host != "lb1":  # no TIME_WAIT at the ends: it would only measure how ports are used again
                self.lab.execute(host, "sysctl", "-qw", "net.ipv4.tcp_max_tw_buckets=512")

    def start(self, many=False):
        self.systems.start_peers(many)
        self.systems.start_lbnode(many)
        self.systems.wait()
        for system in ADDRESSES:
            for pid in self.systems.pids(system):
                for task in os.listdir("/proc/%d/task" % pid):
                    os.sched_setaffinity(int(task), {PROXY_CORE})

    def restart(self, many=False):
        self.systems.stop_peers()
        self.lab.stop("lb1")
        self.lab.execute("lb1", "rm", "-r", self.lab.path("lb1", "state"))
        self.start(many)

    def wrk(self, url, seconds, connections, further):
        done = self.lab.execute("client", *PIN, "wrk", "-t1", "-c%d" % connections, "-d%d" % seconds, "--latency",
                                "--timeout", "20", "-s", os.path.join(HERE, "report.lua"), *further, url)
        for line in done.stdout.split("\n"):
            if line.startswith("BENCH "):
                return [int(word) for word in line.split()[1:]]
        raise LabError("wrk: " + done.stdout + done.stderr)

    # ---- CPU ----------------------------------------------------------------------------------

    def measure_cpu(self, system, figure):
        port, path, connections, further, size, unit, _ = TESTS[figure]
        url = "http://%s:%d/%s" % (ADDRESSES[system], PORTS[port], path)
        self.figures.quiet()
        self.wrk(url, 1, connections, further)
        before, started = cpu_seconds(self.systems.proxy_pids(system)), time.monotonic()
        requests, errors, p50, p99, received = self.wrk(url, self.seconds, connections, further)
        used, wall = cpu_seconds(self.systems.proxy_pids(system)) - before, time.monotonic() - started
        # The end of the time cuts bodies off: what came counts.
        cost = used / max(1, received) * (1 << 30) if size else used * 1e6 / max(1, requests)
        self.figures.add(figure, system, cost)
        print("  %-20s %-8s %7.2f %-5s core %3.0f %% full, %7.0f/s, p50 %d us, p99 %d us%s" % (
            figure, system, cost, unit, 100 * used / wall, requests / wall, p50, p99,
            ", %d ERRORS" % errors if errors else ""), flush=True)
        time.sleep(0.3)

    def cpu(self, rounds, chosen):
        for number in range(rounds):
            print("round %d" % (number + 1))
            for figure in [figure for figure in TESTS if not chosen or figure in chosen]:
                for system in ADDRESSES:
                    if system != "nginx" or TESTS[figure][0] != "tcp" or has_stream():
                        self.measure_cpu(system, figure)

    # ---- memory -------------------------------------------------------------------------------

    def measure_held(self, system, figure, port, count):
        pids = self.systems.proxy_pids(system)
        before = memory_kib(pids)
        client = self.lab.popen("client", *PIN, "python3", os.path.join(HERE, "hold.py"), ADDRESSES[system],
                                str(PORTS[port]), str(count), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        held = int(client.stdout.readline())
        time.sleep(1)
        value = (memory_kib(pids) - before) / max(1, held)
        client.communicate("")
        self.figures.add(figure, system, value)
        print("  %-20s %-8s %7.2f KiB, %d held" % (figure, system, value, held), flush=True)
        time.sleep(1)

    def measure_process(self, figure):
        for system in ADDRESSES:
            value = memory_kib(self.systems.proxy_pids(system)) / 1024
            self.figures.add(figure, system, value)
            print("  %-20s %-8s %7.2f MiB, all its processes %.2f MiB"
                  % (figure, system, value, memory_kib(self.systems.pids(system)) / 1024), flush=True)

    def memory(self, chosen):
        wanted = [figure for figure in MEMORY if not chosen or figure in chosen]
        if "process_idle" in wanted:
            self.restart()
            self.measure_process("process_idle")
        for figure, port, count in ("idle_client", "http", IDLE_CLIENTS), ("tcp_pair", "tcp", TCP_CLIENTS):
            if figure in wanted:  # memory that was used before would be used again
                self.restart()
            for system in ADDRESSES if figure in wanted else ():
                if system != "nginx" or port != "tcp" or has_stream():
                    self.measure_held(system, figure, port, count)
        if "process_1000_pools" in wanted:
            self.restart(many=True)
            self.measure_process("process_1000_pools")

    # ---- system calls -------------------------------------------------------------------------

    def measure_syscalls(self, system, figure):
        url = "http://%s:%d/" % (ADDRESSES[system], PORTS["http"])
        pids = [str(pid) for pid in self.systems.proxy_pids(system)]
        self.wrk(url, 1, SYSCALLS[figure][0], ())
        out = self.lab.path("lb1", "strace")
        tracer = subprocess.Popen(["strace", "-f", "-c", "-U", "calls,name", "-o", out, "-p", ",".join(pids)], stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        requests = self.wrk(url, 2, SYSCALLS[figure][0], ())[0]
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
        with open(out) as file:
            total = [line.split()[0] for line in file if line.rstrip().endswith("total")][0]
        value = int(total) / max(1, requests)
        self.figures.add(figure, system, value)
        print("  %-20s %-8s %7.2f per request" % (figure, system, value), flush=True)

    def syscalls(self, chosen):
        for figure in [figure for figure in SYSCALLS if not chosen or figure in chosen]:
            for system in ADDRESSES:
                self.measure_syscalls(system, figure)

    def run(self, rounds, chosen):
        try:
            self.lab.up(1, 2)
            self.steer()
            self.systems.start_workers(PIN)
            self.start()
            self.cpu(rounds, chosen)
            self.syscalls(chosen)
            for figure, (measure, *_) in CLIENTS.items():
                if not chosen or figure in chosen:
                    measure(self, figure, PIN)
            self.memory(chosen)
        finally:
            self.lab.down()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--only", default="", help="figures, separated by commas: " + ", ".join([*TESTS, *SYSCALLS, *CLIENTS, *MEMORY]))
    parser.add_argument("--lab", default="bench-proxy", help="name of the lab")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the lab goes with the benchmark
    os.nice(-20)  # keeps what else runs here out of the figures
    chosen = [figure for figure in options.only.split(",") if figure]
    figures = Figures("proxy")
    for figure, row in TESTS.items():
        figures.describe(figure, row[5], row[6])
    for figure, (_, bar) in SYSCALLS.items():
        figures.describe(figure, "calls", bar, on="value")
    for figure, (_, unit, bar, on) in CLIENTS.items():
        figures.describe(figure, unit, bar, on=on)
    for figure, (unit, bar) in MEMORY.items():
        figures.describe(figure, unit, bar)
    try:
        Bench(Lab(options.lab), options.seconds, figures).run(options.rounds, chosen)
    except (LabError, subprocess.TimeoutExpired) as error:
        sys.exit("bench: %s" % error)
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as file:  # that of new namespaces; bbr's timers cost much
        congestion = file.read().strip()
    figures.finish("%s, %s; TCP congestion control: %s" % (version("haproxy", "-v"), version("nginx", "-v"), congestion))


if __name__ == "__main__":
    main()
