"""The node that is soaked, its members, its clients: one network namespace, made for the run and removed after it."""
import json
import os
import re
import signal
import subprocess
import sys
import time

import board
from lab import Lab, LabError, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
VIP, NODE = "10.77.0.100", "lb1"
WORKERS = 2
ORIGINS = {"steady": [9001, 9002, 9003], "wild": [9011, 9012, 9013, 9014, 9015], "fast": [9021, 9022, 9023]}
SANITIZERS = {"ASAN_OPTIONS": "abort_on_error=0:detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1",
              "TSAN_OPTIONS": "die_after_fork=0:halt_on_error=0:second_deadlock_stack=1"}
REPORT = re.compile(r"WARNING: ThreadSanitizer|ERROR: \w+Sanitizer|runtime error:|FATAL: \w+Sanitizer")
SHORT_TIMEOUTS = "--timeout-client-data 5000 --timeout-member-connect 1000 --timeout-member-data 3000"

# name: (protocol, port, origins, its members never fail, further options of the listener)
LISTENERS = {
    "steady": ("HTTP", 8080, "steady", True, ""),
    "steadytcp": ("TCP", 8081, "steady", True, ""),
    "wild": ("HTTP", 8082, "wild", False, SHORT_TIMEOUTS),
    "wildtcp": ("TCP", 8083, "wild", False, SHORT_TIMEOUTS),
    "fast": ("HTTP", 8084, "fast", False, SHORT_TIMEOUTS),
}
GUEST_PORT = 8090  # of a listener that comes and goes
GUEST_TIMEOUTS = {"timeout_client_data": 5000, "timeout_member_connect": 1000, "timeout_member_data": 3000}

NGINX = """worker_processes 1; daemon off; master_process off; pid %(directory)s/nginx-%(port)d.pid;
error_log %(directory)s/nginx.err crit; events { worker_connections 4000; }
http { access_log off; keepalive_requests 1000000000;
 client_body_temp_path %(directory)s/b; proxy_temp_path %(directory)s/p; fastcgi_temp_path %(directory)s/f;
 uwsgi_temp_path %(directory)s/u; scgi_temp_path %(directory)s/s;
 server { listen %(port)d backlog=4000 reuseport; location / { return 200 "%(text)s"; } } }
"""


def sanitizer(folder):
    """b_sanitize of the build in FOLDER."""
    listed = subprocess.run(["meson", "introspect", "--buildoptions", folder], stdout=subprocess.PIPE, text=True)
    for option in json.loads(listed.stdout or "[]"):
        if option["name"] == "b_sanitize":
            return option["value"]
    return "none"


class Origin:
    """A member as a process of its own; it can be killed and come back on the same port."""

    def __init__(self, stage, group, port):
        self.stage, self.group, self.port, self.process = stage, group, port, None
        self.start()

    def start(self):
        lab = self.stage.lab
        if self.group == "fast":
            path = lab.path(NODE, "nginx-%d.conf" % self.port)
            with open(path, "w") as file:
                file.write(NGINX % {"directory": lab.path(NODE), "port": self.port, "text": "0123456789" * 6})
            command = ["nginx", "-c", path]
        else:
            command = ["python3", os.path.join(HERE, "origin.py"), str(self.port)]
        with open(lab.path(NODE, "origins.log"), "a") as log:
            self.process = lab.popen(NODE, *command, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True)

    def set(self, mode):
        try:
            self.process.stdin.write(mode + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise LabError("member %d is gone: %s" % (self.port, error)) from None

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()


class Stage:
    def __init__(self, folder):
        self.sanitizer = sanitizer(folder)
        self.lab = Lab("soak%d" % (os.getpid() % 100000), os.path.abspath(os.path.join(folder, "lbnode/node/lbnode")))
        self.origins = {}

    def up(self):
        os.environ.update(SANITIZERS)
        self.lab.up(nodes=1, workers=1)
        for network in 8, 9:  # more members; clients that vanish, of which nothing is heard any more
            self.run("ip", "address", "add", "10.77.%d.1/24" % network, "dev", "lo")
        self.run("nft", "add table ip soak; add chain ip soak out { type filter hook output priority 0; }; "
                 "add rule ip soak out ip saddr 10.77.9.0/24 tcp flags rst drop")
        for setting in "net.ipv4.ip_local_port_range=10000 60999", "net.ipv4.tcp_max_tw_buckets=4096", "net.core.somaxconn=4096":
            self.run("sysctl", "-qw", setting)
        self.origins = {group: [Origin(self, group, port) for port in ports] for group, ports in ORIGINS.items()}
        self.lab.start(NODE, options=["--workers", str(WORKERS)])
        self.cli("init")
        self.configure()
        if not wait_until(lambda: self.lab.holds(NODE, VIP) and self.runs_all(), 60):
            raise LabError("the node does not serve")

    def configure(self):
        self.cli("loadbalancer create --name soak --vip-address " + VIP)
        for name, (protocol, port, group, steady, options) in LISTENERS.items():
            self.cli("listener create --name %s --protocol %s --protocol-port %d %s soak" % (name, protocol, port, options))
            self.cli("pool create --name %s --protocol %s --lb-algorithm ROUND_ROBIN --listener %s" % (name, protocol, name))
            for number, member in enumerate(ORIGINS[group]):
                self.cli("member create --name m%d --address %s --protocol-port %d %s"
                         % (number, self.lab.address(NODE), member, name))
            if not steady:
                self.cli("healthmonitor create --name %s --type TCP --delay 1 --timeout 1 --max-retries 1 --max-retries-down 2 %s"
                         % (name, name))

    def runs_all(self):
        """Does the proxy run what was configured?"""
        generations = re.findall(r'lbnode_configuration_generation\{.*\} (\d+)', board.text(self.lab.socket(NODE)))
        return len(generations) == 2 and generations[0] == generations[1]

    def down(self):
        if self.lab.supervisor(NODE):
            self.lab.stop(NODE)
        self.lab.down()

    # ---- calling it ---------------------------------------------------------------------------

    def run(self, *command, check=True):
        done = self.lab.execute(NODE, *command)
        if check and done.returncode:
            raise LabError("%s: %s" % (" ".join(command), done.stderr.strip()))
        return done.stdout

    def cli(self, command):
        return self.run(self.lab.binary, *command.split())

    def clients(self, order):
        return self.lab.popen(NODE, "python3", os.path.join(HERE, "clients.py"), json.dumps(order),
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, text=True)

    # ---- looking at it ------------------------------------------------------------------------

    def process(self, name):
        """The process of the node that is called NAME; None while there is none."""
        for pid in self.lab.pids(NODE):
            try:
                with open("/proc/%d/comm" % pid) as file:
                    if file.read().strip() == "lbnode-" + name:
                        return pid
            except OSError:
                continue
        return None

    def memory_kib(self, pid):
        """(anonymous, shared) memory of PID that is in use."""
        with open("/proc/%d/status" % pid) as file:
            fields = dict(line.split(":", 1) for line in file)
        return tuple(int(fields[name].split()[0]) for name in ("RssAnon", "RssShmem"))

    def descriptors(self, pid):
        """Open ones by kind."""
        kinds = {"sockets": 0, "pipes": 0, "others": 0}
        folder = "/proc/%d/fd" % pid
        for number in os.listdir(folder):
            try:
                target = os.readlink(os.path.join(folder, number))
            except OSError:
                continue
            kinds["sockets" if target.startswith("socket:") else "pipes" if target.startswith("pipe:") else "others"] += 1
        return kinds

    def reports(self):
        """What sanitizers wrote: each report's first line and what follows."""
        with open(self.lab.log(NODE), errors="replace") as file:
            lines = file.read().split("\n")
        return ["\n".join(lines[i:i + 60]) for i, line in enumerate(lines) if REPORT.search(line)]

    def wait_for(self, condition, seconds):
        """Seconds until CONDITION held, or SECONDS and more."""
        begun = time.monotonic()
        wait_until(condition, seconds, 0.5)
        return time.monotonic() - begun
