"""The guide's scenario for each type of monitor with real servers: what happens when one of two members dies.

Two workers of a lab serve the same: python's http.server (HTTP), nginx (TCP, HTTPS), openssl s_server (TLS-HELLO),
an echo of datagrams (UDP-CONNECT) and the kernel (PING). All monitors run at once, with delay 5, timeout 5,
max_retries 3 and max_retries_down 3. The second worker dies twice: first it refuses (its servers are killed; echo
requests are rejected), then it is silent (its packets are dropped). Haproxy with Octavia's configuration
watches the same members. To PING a rejected echo is as good as none: anybody can send such an ICMP message, so the
bar is that of silence."""
import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time

from api import ApiError, Connection
from figures import ROOT, version
from health_systems import CERTIFICATE, Lbnode, MONITOR
from lab import Lab, LabError, wait_until
import namespaces as ns

HEALTHY, VICTIM = "w1", "w2"
# type: (protocol of the pool, port, what haproxy checks, as Octavia writes it)
TYPES = {
    "HTTP": ("HTTP", 8080, ("option httpchk GET / HTTP/1.0\n  http-check expect rstatus 200", "")),
    "HTTPS": ("TCP", 8443, ("option httpchk GET / HTTP/1.0\n  http-check expect rstatus 200", "check-ssl verify none")),
    "TCP": ("TCP", 8081, ("", "")),
    "TLS-HELLO": ("TCP", 8444, ("option ssl-hello-chk", "")),
    "PING": ("HTTP", 8080, None),
    "UDP-CONNECT": ("UDP", 7007, None),
}
STEPS = {  # what happens: the state that is waited for, the status of the pool, bars of lbnode and of haproxy in seconds
    "refused": ("ERROR", "DEGRADED", 15, 15),
    "back after refusal": ("ONLINE", "ONLINE", 15, None),
    "silent": ("ERROR", "DEGRADED", 20, 30),
    "back after silence": ("ONLINE", "ONLINE", 15, None),
}
HEARS_NO_REFUSAL = "PING"
LOOK_SECONDS = 0.05  # times are known to twice that
WAIT_SECONDS = 40
NGINX = """worker_processes 1; daemon off; pid %(directory)s/nginx.pid; error_log %(directory)s/nginx.err crit;
events { worker_connections 500; }
http { access_log off; server { listen 8081; listen 8443 ssl; ssl_certificate %(directory)s/cert.pem;
 ssl_certificate_key %(directory)s/key.pem; location / { return 200 "ok"; } } }
"""
ECHO = """import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 7007))
while True:
    data, peer = s.recvfrom(2048)
    s.sendto(data, peer)
"""
NO_PING = "table inet death { chain input { type filter hook input priority 0; icmp type echo-request reject with icmp type host-unreachable; }; }"
SILENCE = "table inet death { chain input { type filter hook input priority 0; iifname eth0 drop; }; }"


class Servers:
    """What a worker serves; each can be ended and started again."""

    def __init__(self, lab, worker):
        self.lab, self.worker, self.processes = lab, worker, []
        self.directory = lab.path(worker)
        lab.worker_stop(worker)
        done = lab.execute(worker, *[word % {"directory": self.directory} for word in CERTIFICATE])
        if done.returncode:
            raise LabError("no certificate: " + done.stderr)
        with open(os.path.join(self.directory, "nginx.conf"), "w") as file:
            file.write(NGINX % {"directory": self.directory})

    def start(self):
        files = {"directory": self.directory}
        commands = [("python3", "-m", "http.server", "8080", "--directory", self.lab.path(self.worker, "web")),
                    ("nginx", "-c", "%(directory)s/nginx.conf" % files),
                    ("openssl", "s_server", "-accept", "8444", "-quiet", "-www", "-key", "%(directory)s/key.pem" % files,
                     "-cert", "%(directory)s/cert.pem" % files),
                    ("python3", "-c", ECHO)]
        self.processes = [self.lab.spawn(self.worker, *command) for command in commands]
        for port in 8080, 8081, 8443, 8444:
            mark = ":%04X " % port
            if not wait_until(lambda: mark in self.lab.execute(self.worker, "cat", "/proc/net/tcp", "/proc/net/tcp6").stdout, 10):
                raise LabError("nobody listens at port %d of %s" % (port, self.worker))

    def kill(self):
        """Their ends, and nobody answers to a ping."""
        for process in self.processes:
            with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as file:
                children = [int(word) for word in file.read().split()]
            ns.send_signal([process.pid, *children], signal.SIGKILL)
            process.wait(10)
        self.filter(NO_PING)

    def filter(self, rules):
        done = self.lab.execute(self.worker, "nft", "-f", "-", text_in=rules)
        if done.returncode:
            raise LabError("nft: " + done.stderr)

    def revive(self, killed):
        if killed:
            self.start()
        self.lab.execute(self.worker, "nft", "delete table inet death")


class Node:
    """lbnode with a pool for each type, and what it thinks of the victim."""
    name = "lbnode"

    def __init__(self, lab):
        self.lab, self.lbnode = lab, Lbnode(lab)
        self.lbnode.start()
        known = self.lbnode.kinds()
        self.kinds = [kind for kind in TYPES if kind in known]
        lines = ["loadbalancers:", "- name: web", "  vip_address: 10.77.0.100", "  listeners:"]
        for number, kind in enumerate(self.kinds):
            if TYPES[kind][0] == "UDP":
                continue  # no listener takes it yet, so its pool serves nobody: OFFLINE
            lines += ["  - {name: %s, protocol: %s, protocol_port: %d, default_pool: %s}" % (kind, TYPES[kind][0], 9000 + number, kind)]
        lines += ["  pools:"]
        for kind in self.kinds:
            protocol, port, _ = TYPES[kind]
            lines += ["  - name: %s" % kind, "    protocol: %s" % protocol, "    lb_algorithm: ROUND_ROBIN",
                      "    healthmonitor: {name: %s, type: %s, %s}" % (kind, kind, MONITOR), "    members:"]
            lines += ["    - {name: %s, address: %s, protocol_port: %d}" % (worker, lab.address(worker), port)
                      for worker in (HEALTHY, VICTIM)]
        self.lbnode.run("apply -f -", "\n".join(lines) + "\n")
        self.api = Connection(lab.socket("lb1"))
        self.balancer = self.api.ask("GET", "/v2.0/lbaas/loadbalancers")["loadbalancers"][0]["id"]
        self.pools = {pool["id"]: pool["name"] for pool in self.api.ask("GET", "/v2.0/lbaas/pools")["pools"]}

    def states(self):
        """By type: (victim's state, the pool's)."""
        out = {}
        for pool, kind in self.pools.items():
            status = self.api.ask("GET", "/v2.0/lbaas/pools/%s" % pool)["pool"]["operating_status"]
            members = self.api.ask("GET", "/v2.0/lbaas/pools/%s/members" % pool)["members"]
            out[kind] = ({member["name"]: member["operating_status"] for member in members}[VICTIM], status)
        return out


class Haproxy:
    """With the lines that Octavia would write."""
    name = "haproxy"

    def __init__(self, lab):
        self.kinds = [kind for kind, row in TYPES.items() if row[2]]
        self.path = lab.path("lb1", "haproxy.sock")
        lines = ["global", "  stats socket " + self.path, "defaults", "  mode tcp", "  timeout connect 5s", "  timeout client 50s",
                 "  timeout server 50s", "  timeout check 5s", "listen spare", "  bind 127.0.0.1:8999"]
        for kind in self.kinds:
            _, port, (options, words) = TYPES[kind]
            lines += ["backend " + kind, "  " + options]
            lines += ["  server %s %s:%d check inter 5s fall 3 rise 3 %s" % (worker, lab.address(worker), port, words)
                      for worker in (HEALTHY, VICTIM)]
        config = lab.path("lb1", "haproxy.cfg")
        with open(config, "w") as file:
            file.write("\n".join(lines) + "\n")
        lab.spawn("lb1", "haproxy", "-db", "-f", config)
        if not wait_until(lambda: os.path.exists(self.path), 10):
            raise LabError("haproxy does not start; its messages are in " + lab.log("lb1"))

    def rows(self):
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(self.path)
            link.sendall(b"show servers state\n")
            text = b""
            while piece := link.recv(65536):
                text += piece
        rows = [line.split() for line in text.decode().splitlines()]
        return [row for row in rows if len(row) > 12 and row[3] == VICTIM]

    def states(self):
        return {row[1]: ("ONLINE" if row[5] == "2" else "ERROR", "") for row in self.rows()}

    def is_sure(self):
        """Has it seen a success of each? Until then one failure is enough."""
        return all(row[12] == "5" for row in self.rows())


def wait_all(systems, wanted, seconds):
    """Seconds until the victim is in the WANTED state, by (system, type); the statuses of the pools then."""
    started, times, pools = time.monotonic(), {}, {}
    left = {(system, kind) for system in systems for kind in system.kinds}
    while left and time.monotonic() < started + seconds:
        for system in systems:
            now = system.states()
            passed = time.monotonic() - started
            for kind in system.kinds:
                if (system, kind) in left and now[kind][0] == wanted:
                    times[system.name, kind], pools[system.name, kind] = passed, now[kind][1]
                    left.discard((system, kind))
        time.sleep(LOOK_SECONDS)
    return times, pools


def judge(step, times, pools, kinds):
    """The rows of a step; how many of lbnode's miss their bars."""
    wanted, served, *_ = STEPS[step]
    missed = 0
    for kind in kinds:
        bar = STEPS[step][2]
        if step == "refused" and kind == HEARS_NO_REFUSAL:
            bar = STEPS["silent"][2]
        pool = "OFFLINE" if TYPES[kind][0] == "UDP" else served
        ours, theirs = times.get(("lbnode", kind)), times.get(("haproxy", kind))
        good = ours is not None and ours <= bar + 2 * LOOK_SECONDS and pools["lbnode", kind] == pool
        missed += not good
        print("%-20s %-12s %-7s %8s %5d s %-9s %4s %9s" % (
            step, kind, wanted, "never" if ours is None else "%.1f s" % ours, bar, pools.get(("lbnode", kind), "-"),
            "yes" if good else "NO", "-" if theirs is None else "%.1f s" % theirs), flush=True)
    return missed


def run(lab):
    lab.up(1, 2)
    servers = {worker: Servers(lab, worker) for worker in lab.worker_names()}
    for server in servers.values():
        server.start()
    node = Node(lab)
    haproxy = Haproxy(lab)
    systems = node, haproxy
    times, _ = wait_all(systems, "ONLINE", 10)
    if not wait_until(haproxy.is_sure, 20):
        raise LabError("haproxy finds dead members at the start")
    missing = [kind for kind in node.kinds if ("lbnode", kind) not in times]
    if missing:
        raise LabError("never ONLINE: " + ", ".join(missing))
    for kind in set(TYPES) - set(node.kinds):
        print("%s: not a type of monitor here" % kind)
    print("%-20s %-12s %-7s %8s %7s %-9s %4s %9s" % ("worker 2 is", "monitor", "member", "lbnode", "bar", "pool", "ok", "haproxy"))
    victim, missed, out = servers[VICTIM], 0, {}
    deeds = {"refused": victim.kill, "back after refusal": lambda: victim.revive(True),
             "silent": lambda: victim.filter(SILENCE), "back after silence": lambda: victim.revive(False)}
    for step, (wanted, *_) in STEPS.items():
        deeds[step]()
        times, pools = wait_all(systems, wanted, WAIT_SECONDS)
        missed += judge(step, times, pools, node.kinds)
        out[step] = {"%s %s" % who: seconds for who, seconds in times.items()}
    return missed, out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lab", default="bench-guide", help="name of the lab")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the lab goes with the benchmark
    lab = Lab(options.lab)
    try:
        missed, times = run(lab)
    except (LabError, ApiError, subprocess.TimeoutExpired) as error:
        sys.exit("bench: %s" % error)
    finally:
        lab.down()
    print("\n%d of lbnode's times miss their bars; haproxy may take %s" % (missed, ", ".join(
        "%d s (%s)" % (row[3], step) for step, row in STEPS.items() if row[3])))
    print("%s, with Octavia's configuration" % version("haproxy", "-v"))
    path = os.path.join(ROOT, "build", "bench", "guide-health.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump({"missed": missed, "seconds": times}, file, indent=1)
    print("written: " + os.path.relpath(path, ROOT))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    os.environ.pop("LBNODE_SOCKET", None)
    main()
