"""What 10,000 health checks cost and how evenly they start, beside haproxy with the same checks in the same run.

A whole node runs in a lab; what is measured is its health process, by CPU time and proportional share of the
memory. Members are addresses of the loopback interface, all answered by one small program. The two take turns:
while one checks, the other is switched off. Starts are seen from outside, as packets that leave, in the same way
for both. Lateness is how much later than a delay after the one before a start is; its mean is the drift."""
import argparse
import os
import re
import signal
import subprocess
import sys
import time

from figures import Figures, ROOT, cpu_seconds, version
from health_systems import CERTIFICATE, DELAY, Haproxy, Lbnode, PORTS, Starts, address, proportional_kib, sockets
from lab import Lab, LabError, wait_until

PROGRAMS = os.path.join(ROOT, "build", "tests", "bench")
SETTLE = DELAY + 3  # seconds after which everyone has his beat
FULL = {"members": 10000, "rounds": 2, "cpu": 30, "starts": 11, "few": 2000, "few_cpu": 10}
QUICK = {"members": 10000, "rounds": 1, "cpu": 6, "starts": 6, "few": 500, "few_cpu": 6}
FIGURES = {  # unit, bar, of what
    "http_check": ("us", 0.95, "ratio"),
    "http_core_share": ("%", 0.95, "ratio"),
    "tcp_check": ("us", 0.95, "ratio"),
    "https_check": ("us", 260, "value"),
    "ping_check": ("us", 30, "value"),
    "most_starts_in_10_ms": ("", 45, "value"),
    "most_starts_in_100_ms": ("", 230, "value"),
    "frozen_1_s_10_ms": ("", 50, "value"),
    "frozen_1_s_100_ms": ("", 250, "value"),
    "lateness_p99": ("ms", 10, "value"),
    "drift_of_a_round": ("ms", 0.1, "value"),
    "memory_of_member": ("KiB", 1.5, "value"),
    "memory_of_https_member": ("KiB", 8, "value"),
    "silent_sockets": ("", None, "value"),
    "silent_memory_of_probe": ("KiB", 0.6, "value"),
    "silent_memory_kept": ("KiB", 256, "value"),
}
NGINX = """worker_processes 1; daemon off; pid %(directory)s/nginx.pid; error_log %(directory)s/nginx.err crit;
events { worker_connections 8000; }
http { access_log off; server { listen 8443 ssl backlog=4096; ssl_certificate %(directory)s/cert.pem;
 ssl_certificate_key %(directory)s/key.pem; location / { return 200 "ok"; } } }
"""
SILENCE = "table inet silence { chain input { type filter hook input priority 0; ip daddr 127.1.0.0-127.2.255.255 drop; }; }"


def stated_cap():
    """The bound of probes at once that the health process has."""
    with open(os.path.join(ROOT, "health", "monitor_set.h")) as file:
        return int(re.search(r"MONITOR_SET_MAXIMUM_PROBES = (\d+)", file.read()).group(1))


class Bench:
    def __init__(self, lab, sizes, figures):
        self.lab, self.sizes, self.figures = lab, sizes, figures
        self.lbnode, self.haproxy = Lbnode(lab), Haproxy(lab)

    def say(self, figure, system, value, more=""):
        self.figures.add(figure, system.name, value)
        print("  %-22s %-8s %8.2f %-4s %s" % (figure, system.name, value, FIGURES[figure][0], more), flush=True)

    # ---- the parts of a turn ------------------------------------------------------------------

    def cpu(self, figure, system, members, seconds):
        self.figures.quiet()
        before, started = cpu_seconds([system.pid]), time.monotonic()
        time.sleep(seconds)
        used, wall = cpu_seconds([system.pid]) - before, time.monotonic() - started
        probes = wall / DELAY * members
        self.say(figure, system, used * 1e6 / probes, "%.2f %% of a core, %.0f probes/s" % (100 * used / wall, probes / wall))
        return 100 * used / wall

    def watch(self, system, seconds, meanwhile=None):
        """The starts of SECONDS; MEANWHILE runs when they are being seen."""
        watcher = self.lab.popen("lb1", os.path.join(PROGRAMS, "probe_starts"), str(seconds),
                                 stdout=subprocess.PIPE, text=True)
        watcher.stdout.readline()
        if meanwhile:
            meanwhile()
        lines = watcher.communicate(timeout=seconds + 30)[0].splitlines()
        if watcher.returncode:
            raise LabError("probe_starts failed")
        return Starts(lines, system.name)

    def freeze(self, system):
        os.kill(system.pid, signal.SIGSTOP)
        time.sleep(1)
        os.kill(system.pid, signal.SIGCONT)

    def starts(self, system):
        seen = self.watch(system, self.sizes["starts"])
        self.say("most_starts_in_10_ms", system, seen.most_in(10), "of %d" % len(seen.times))
        self.say("most_starts_in_100_ms", system, seen.most_in(100))
        self.say("lateness_p99", system, seen.lateness_p99())
        self.say("drift_of_a_round", system, abs(seen.drift()))

    def starts_after_freeze(self, system):
        seen = self.watch(system, self.sizes["starts"], lambda: self.freeze(system))
        self.say("frozen_1_s_10_ms", system, seen.most_in(10), "of %d" % len(seen.times))
        self.say("frozen_1_s_100_ms", system, seen.most_in(100))

    def settle(self):
        time.sleep(SETTLE)

    def wait_online(self, count):
        if not wait_until(lambda: self.lbnode.online() >= count, 30, 0.2):
            raise LabError("only %d of %d members are ONLINE" % (self.lbnode.online(), count))

    # ---- what is measured ---------------------------------------------------------------------

    def turn(self, system, number):
        share = self.cpu("http_check", system, self.sizes["members"], self.sizes["cpu"])
        self.say("http_core_share", system, share)
        if number == 0:
            self.starts(system)
            self.starts_after_freeze(system)

    def http(self):
        """Both take turns with checks by HTTP/1.0; the first has started and settled."""
        for number in range(self.sizes["rounds"]):
            if number:
                self.haproxy.stop()
                self.lbnode.switch(True)
                self.settle()
            self.turn(self.lbnode, number)
            self.lbnode.switch(False)
            self.haproxy.start(self.sizes["members"])
            self.settle()
            if number == 0:
                self.say("memory_of_member", self.haproxy, (proportional_kib(self.haproxy.pid) - self.haproxy_kib) / self.sizes["members"])
            self.turn(self.haproxy, number)

    def rest(self):
        """Starts lbnode with all members; what one takes while all is well."""
        self.haproxy.start()
        self.haproxy_kib = proportional_kib(self.haproxy.pid)
        self.haproxy.stop()
        self.lbnode.start()
        time.sleep(1)
        before, members = proportional_kib(self.lbnode.pid), self.sizes["members"]
        self.lbnode.check(members, "HTTP")
        self.wait_online(members)
        self.settle()
        after = proportional_kib(self.lbnode.pid)
        self.say("memory_of_member", self.lbnode, (after - before) / members, "%d KiB without members" % before)

    def silent(self):
        """Nobody answers either of them any more, then all do again."""
        self.lbnode.switch(True)
        self.settle()
        systems = self.lbnode, self.haproxy
        before = {system: (sockets(system.pid), proportional_kib(system.pid)) for system in systems}
        self.lab.execute("lb1", "nft", "-f", "-", text_in=SILENCE)
        most = {system: [0, 0] for system in systems}
        for _ in range(2 * (DELAY + 1)):
            time.sleep(0.5)
            for system in systems:
                now = sockets(system.pid), proportional_kib(system.pid)
                most[system] = [max(old, new) for old, new in zip(most[system], now)]
        self.lab.execute("lb1", "nft", "delete table inet silence")
        time.sleep(2 * DELAY)
        for system in systems:
            probes = most[system][0] - before[system][0]
            self.say("silent_sockets", system, probes)
            self.say("silent_memory_of_probe", system, (most[system][1] - before[system][1]) / max(1, probes),
                     "%d KiB more" % (most[system][1] - before[system][1]))
            self.say("silent_memory_kept", system, max(0, proportional_kib(system.pid) - before[system][1]))
        self.haproxy.stop()

    def kind(self, kind, figure, count, memory=None, beside=True):
        """Checks of another KIND, by COUNT members."""
        if kind not in self.lbnode.kinds():
            print("  %s: not a type of monitor here" % kind)
            return
        self.lbnode.forget()
        self.haproxy.stop()
        if beside:
            self.haproxy.start()
            idle = proportional_kib(self.haproxy.pid)
            self.haproxy.stop()
            self.haproxy.start(count, kind)
            self.settle()
            self.cpu(figure, self.haproxy, count, self.sizes["few_cpu"])
            if memory:
                self.say(memory, self.haproxy, (proportional_kib(self.haproxy.pid) - idle) / count)
            self.haproxy.stop()
        self.lbnode.renew()
        idle = proportional_kib(self.lbnode.pid)
        self.lbnode.check(count, kind)
        self.wait_online(count)
        self.settle()
        self.cpu(figure, self.lbnode, count, self.sizes["few_cpu"])
        if memory:
            self.say(memory, self.lbnode, (proportional_kib(self.lbnode.pid) - idle) / count)

    def https(self):
        directory = self.lab.path("lb1")
        self.lab.execute("lb1", *[word % {"directory": directory} for word in CERTIFICATE])
        path = self.lab.path("lb1", "nginx.conf")
        with open(path, "w") as file:
            file.write(NGINX % {"directory": directory})
        self.lab.spawn("lb1", "nginx", "-c", path)
        url = "https://%s:%d/" % (address("lbnode", 0), PORTS["HTTPS"])
        if not wait_until(lambda: self.lab.execute("lb1", "curl", "-sk", "-m", "1", url).stdout == "ok", 10):
            raise LabError("nginx does not answer")
        self.kind("HTTPS", "https_check", self.sizes["few"], "memory_of_https_member")

    def run(self, chosen):
        parts = {"http": self.http, "silent": self.silent,
                 "tcp": lambda: self.kind("TCP", "tcp_check", self.sizes["members"]),
                 "https": self.https,
                 "ping": lambda: self.kind("PING", "ping_check", self.sizes["members"], beside=False)}
        try:
            self.lab.up(1, 1)
            for setting in "net.ipv4.tcp_max_tw_buckets=512", "net.core.somaxconn=65535":
                self.lab.execute("lb1", "sysctl", "-qw", setting)
            self.lab.spawn("lb1", os.path.join(PROGRAMS, "checked_worker"), str(PORTS["HTTP"]))
            self.rest()
            for name, measure in parts.items():
                if not chosen or name in chosen:
                    measure()
        finally:
            self.lab.down()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, of http and silent unless --only says more")
    parser.add_argument("--only", default="", help="parts, separated by commas: http, silent, tcp, https, ping")
    parser.add_argument("--lab", default="bench-health", help="name of the lab")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the lab goes with the benchmark
    os.nice(-20)  # keeps what else runs here out of the figures
    figures = Figures("health")
    for figure, (unit, bar, on) in FIGURES.items():
        figures.describe(figure, unit, stated_cap() if figure == "silent_sockets" else bar, on)
    chosen = [part for part in (options.only or ("http,silent" if options.quick else "")).split(",") if part]
    try:
        Bench(Lab(options.lab), QUICK if options.quick else FULL, figures).run(chosen)
    except (LabError, subprocess.TimeoutExpired) as error:
        sys.exit("bench: %s" % error)
    figures.finish(version("haproxy", "-v"))


if __name__ == "__main__":
    main()
