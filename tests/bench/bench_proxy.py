"""CPU that a proxy spends per request and per connection, beside haproxy.

Both proxies run on one host of a lab with one thread each, pinned to core 0; the load (wrk), and two
nginx as workers, run on core 1. Systems take turns within each round. Only CPU per item and the ratio
count: the rate is that of a machine that everything shares."""
import argparse
import os
import subprocess
import sys
import time

from figures import Figures, cpu_seconds, version
from lab import Lab, LabError, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
VIP, OWN = "10.77.0.100", "10.77.0.11"
PROXY_CORE, LOAD_CORE = 0, (os.cpu_count() or 1) - 1

HAPROXY = """global
  nbthread 1
  maxconn 4000
defaults
  mode http
  http-reuse always
  balance roundrobin
  timeout connect 5s
  timeout client 600s
  timeout server 600s
frontend web
  bind 10.77.0.11:9080
  default_backend workers
backend workers
  server w1 10.77.0.21:8000
  server w2 10.77.0.22:8000
listen tcp
  mode tcp
  bind 10.77.0.11:9090
  server w1 10.77.0.21:8000
  server w2 10.77.0.22:8000
"""

NGINX = """worker_processes 1; daemon off; pid %(directory)s/nginx.pid; error_log %(directory)s/nginx.log crit;
events { worker_connections 8000; }
http { access_log off; keepalive_requests 1000000000; keepalive_timeout 600; tcp_nodelay on;
 client_body_temp_path %(directory)s/body; proxy_temp_path %(directory)s/proxy; fastcgi_temp_path %(directory)s/fastcgi;
 uwsgi_temp_path %(directory)s/uwsgi; scgi_temp_path %(directory)s/scgi;
 server { listen 8000 backlog=4096; default_type text/plain;
  location = / { return 200 "0123456789012345678901234567890123456789012345678901234567890123"; } } }
"""

# figure: (which port, wrk's further options)
TESTS = {
    "keepalive_us_per_request": ("http", []),
    "close_us_per_connection": ("http", ["-H", "Connection: close"]),
    "tcp_us_per_connection": ("tcp", ["-H", "Connection: close"]),
}
ADDRESSES = {"lbnode": {"http": (VIP, 8080), "tcp": (VIP, 8090)}, "peer": {"http": (OWN, 9080), "tcp": (OWN, 9090)}}


class Bench:
    def __init__(self, seconds, figures):
        self.lab, self.seconds, self.figures = Lab("bench-proxy"), seconds, figures

    def pin(self, pids, core):
        for pid in pids:
            for task in os.listdir("/proc/%d/task" % pid):
                os.sched_setaffinity(int(task), {core})

    def workers(self):
        for worker in self.lab.worker_names():
            self.lab.worker_stop(worker)
            path = self.lab.path(worker, "nginx.conf")
            with open(path, "w") as file:
                file.write(NGINX % {"directory": self.lab.path(worker)})
            self.lab.spawn(worker, "taskset", "-c", str(LOAD_CORE), "nginx", "-c", path)

    def proxies(self):
        with open(self.lab.path("lb1", "haproxy.cfg"), "w") as file:
            file.write(HAPROXY)
        haproxy = self.lab.spawn("lb1", "haproxy", "-db", "-f", self.lab.path("lb1", "haproxy.cfg"))
        self.lab.start("lb1", options=["--workers", "1"])
        commands = ["init", "loadbalancer create --name web --vip-address " + VIP]
        for protocol, port in ("HTTP", 8080), ("TCP", 8090):
            commands += ["listener create --name %s --protocol %s --protocol-port %d web" % (protocol, protocol, port),
                         "pool create --name p%s --protocol %s --lb-algorithm ROUND_ROBIN --listener %s"
                         % (protocol, protocol, protocol)]
            commands += ["member create --name w%d --address 10.77.0.2%d --protocol-port 8000 p%s" % (i, i, protocol)
                         for i in (1, 2)]
        for command in commands:
            done = self.lab.lbnode("lb1", *command.split())
            if done.returncode:
                raise LabError(command + ": " + done.stderr)
        self.pids = {"peer": [haproxy.pid], "lbnode": self.lab.pids("lb1")}
        for pids in self.pids.values():
            self.pin(pids, PROXY_CORE)

    def url(self, system, port):
        return "http://%s:%d/" % ADDRESSES[system][port]

    def wait(self):
        for system in ADDRESSES:
            for port in "http", "tcp":
                url = self.url(system, port)
                if not wait_until(lambda: "0123" in self.lab.execute("client", "curl", "-s", "-m", "1", url).stdout, 10):
                    raise LabError("%s does not answer" % url)

    def wrk(self, url, seconds, further):
        done = self.lab.execute("client", "taskset", "-c", str(LOAD_CORE), "wrk", "-t1", "-c32", "-d%d" % seconds,
                                "--latency", "-s", os.path.join(HERE, "report.lua"), *further, url)
        for line in done.stdout.split("\n"):
            if line.startswith("BENCH "):
                return [int(word) for word in line.split()[1:]]
        raise LabError("wrk: " + done.stdout + done.stderr)

    def measure(self, system, figure):
        port, further = TESTS[figure]
        pids = self.lab.pids("lb1") if system == "lbnode" else self.pids[system]
        self.figures.quiet()
        self.wrk(self.url(system, port), 1, further)
        before, started = cpu_seconds(pids), time.monotonic()
        requests, errors, p50, p99 = self.wrk(self.url(system, port), self.seconds, further)
        used, wall = cpu_seconds(pids) - before, time.monotonic() - started
        self.figures.add(figure, system, used * 1e6 / max(1, requests))
        print("  %-26s %-7s %6.1f us, core %3.0f %% full, %6.0f/s, p50 %d us, p99 %d us%s" % (
            figure, system, used * 1e6 / max(1, requests), 100 * used / wall, requests / wall, p50, p99,
            ", %d ERRORS" % errors if errors else ""), flush=True)
        time.sleep(0.3)

    def run(self, rounds):
        try:
            self.lab.up(1, 2)
            self.workers()
            self.proxies()
            self.wait()
            for number in range(rounds):
                print("round %d" % (number + 1))
                for figure in TESTS:
                    for system in "peer", "lbnode":
                        self.measure(system, figure)
        finally:
            self.lab.down()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    options = parser.parse_args()
    figures = Figures("proxy")
    for figure in TESTS:
        figures.describe(figure, "us", 1.0)
    try:
        Bench(options.seconds, figures).run(options.rounds)
    except (LabError, subprocess.TimeoutExpired) as error:
        sys.exit("bench: %s" % error)
    figures.finish(version("haproxy", "-v"))


if __name__ == "__main__":
    main()
