"""A cluster on one machine: hosts are network namespaces on one bridge.

State lives in /run/lbnode-lab/NAME (LBNODE_LAB_DIR names another root): lab.json, and per host a
folder with its log, its state and its sockets. Nothing else is remembered: processes are found by
the namespace they live in."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

import namespaces as ns
from namespaces import LabError, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DEFAULT_BINARY = os.path.join(ROOT, "build", "lbnode", "node", "lbnode")
NETWORK, NETWORK6 = "10.77.0.", "fd77::"
FIRST_HOST = {"lb": 11, "w": 21}
CLIENT_HOST = 50
START_SECONDS, STOP_SECONDS = 15, 15


class Lab:
    def __init__(self, name="lab", binary=None):
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,15}", name):
            raise LabError("lab name %r: use a lower-case letter, then up to 15 of a-z, 0-9 and -" % name)
        self.name = name
        self.directory = os.path.join(os.environ.get("LBNODE_LAB_DIR", "/run/lbnode-lab"), name)
        self.switch = ns.Switch(self.namespace("sw"))
        self.nodes = self.workers = 0
        self.cuts, self.loss_percent = [], 0.0
        self.binary = binary or os.environ.get("LBNODE") or DEFAULT_BINARY
        self.binaries = {}  # of nodes that run another version
        self._load(binary)

    # ---- what is remembered -------------------------------------------------------------------

    def _load(self, binary):
        try:
            with open(os.path.join(self.directory, "lab.json")) as file:
                state = json.load(file)
        except (OSError, ValueError):
            return
        self.nodes, self.workers = state["nodes"], state["workers"]
        self.cuts, self.loss_percent = [tuple(c) for c in state["cuts"]], state["loss_percent"]
        self.binary = binary or state["binary"]

    def _save(self):
        state = {"nodes": self.nodes, "workers": self.workers, "binary": self.binary,
                 "cuts": self.cuts, "loss_percent": self.loss_percent}
        path = os.path.join(self.directory, "lab.json")
        with open(path + ".new", "w") as file:
            json.dump(state, file)
        os.replace(path + ".new", path)

    # ---- names and places ---------------------------------------------------------------------

    def namespace(self, host):
        return "%s-%s" % (self.name, host)

    def node_names(self):
        return ["lb%d" % (i + 1) for i in range(self.nodes)]

    def worker_names(self):
        return ["w%d" % (i + 1) for i in range(self.workers)]

    def hosts(self):
        return self.node_names() + self.worker_names() + ["client"]

    def number(self, host):
        if host == "client":
            return CLIENT_HOST
        kind = host.rstrip("0123456789")
        return FIRST_HOST[kind] + int(host[len(kind):]) - 1

    def address(self, host):
        return NETWORK + str(self.number(host))

    def path(self, host, *parts):
        return os.path.join(self.directory, host, *parts)

    def socket(self, node):
        return self.path(node, "run", "lbnode.sock")

    def log(self, node):
        return self.path(node, "log")

    def check_host(self, host, *kinds):
        known = {"node": self.node_names(), "worker": self.worker_names(), "client": ["client"]}
        allowed = [name for kind in kinds or known for name in known[kind]]
        if host not in allowed:
            raise LabError("%r is not a host of lab %s here: use one of %s"
                           % (host, self.name, ", ".join(allowed) or "none (is the lab up?)"))

    # ---- up and down --------------------------------------------------------------------------

    def up(self, nodes=2, workers=2):
        if not 1 <= nodes <= 9 or not 1 <= workers <= 20:
            raise LabError("a lab has 1..9 nodes and 1..20 workers")
        if os.geteuid() != 0:
            raise LabError("network namespaces need root: run this with sudo")
        if not os.access(self.binary, os.X_OK):
            raise LabError("%s is not there: build it first (meson setup build && ninja -C build)" % self.binary)
        self.down()
        os.makedirs(self.directory, mode=0o755)
        self.nodes, self.workers, self.cuts, self.loss_percent = nodes, workers, [], 0.0
        self._save()
        self.switch.create()
        for host in self.hosts():
            os.makedirs(self.path(host), mode=0o755)
            number = self.number(host)
            self.switch.attach(host, self.namespace(host),
                               ["%s%d/24" % (NETWORK, number), "%s%d/64" % (NETWORK6, number)])
        for worker in self.worker_names():
            self.worker_start(worker)

    def down(self):
        mine = re.compile(re.escape(self.name) + r"-(sw|client|lb\d+|w\d+)")
        for namespace in ns.all_names():
            if mine.fullmatch(namespace):
                ns.destroy(namespace)
        shutil.rmtree(self.directory, ignore_errors=True)
        self.nodes = self.workers = 0

    # ---- running things -----------------------------------------------------------------------

    def binary_of(self, node):
        return self.binaries.get(node, self.binary)

    def environment(self, host):
        variables = dict(os.environ)
        if host in self.node_names():
            variables["LBNODE_SOCKET"] = self.socket(host)
            variables["PATH"] = os.path.dirname(self.binary_of(host)) + ":" + variables.get("PATH", "/usr/sbin:/usr/bin")
        return variables

    def popen(self, host, *command, **options):
        return subprocess.Popen(ns.enter(self.namespace(host), *command), env=self.environment(host), **options)

    def execute(self, host, *command, timeout=60, text_in=None):
        """Runs COMMAND on HOST to its end; a CompletedProcess with stdout and stderr as text."""
        return subprocess.run(ns.enter(self.namespace(host), *command), env=self.environment(host),
                              input=text_in, stdin=None if text_in is not None else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout)

    def spawn(self, host, *command):
        """Starts COMMAND on HOST in the background; it writes to the log of the host."""
        with open(self.log(host), "a") as log:
            return self.popen(host, *command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                              start_new_session=True, cwd="/")

    # ---- nodes --------------------------------------------------------------------------------

    def pids(self, node):
        """All lbnode processes of NODE."""
        binary = os.path.realpath(self.binary_of(node))
        return [pid for pid in ns.pids(self.namespace(node)) if ns.executable(pid) == binary]

    def supervisor(self, node):
        """The process id of `lbnode run`: the one whose parent is none of the node's; or None."""
        mine = self.pids(node)
        for pid in mine:
            try:
                with open("/proc/%d/stat" % pid) as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
                with open("/proc/%d/cmdline" % pid, "rb") as file:
                    arguments = file.read().split(b"\0")
            except OSError:
                continue
            if parent not in mine and b"run" in arguments[1:2]:
                return pid
        return None

    def is_answering(self, node):
        return self.execute(node, self.binary_of(node), "status").returncode in (0, 1, 10, 11)

    def start(self, node, wait=True, options=()):
        """`lbnode run` on NODE with OPTIONS added; with WAIT, until it answers its command line."""
        if self.supervisor(node):
            return
        self.spawn(node, self.binary_of(node), "run", "--name", node, "--address", self.address(node),
                    "--state-dir", self.path(node, "state"), "--run-dir", self.path(node, "run"), *options)
        if not wait:
            return
        if not wait_until(lambda: os.path.exists(self.socket(node)) and self.is_answering(node), START_SECONDS, 0.05):
            raise LabError("%s does not answer after %d s; the end of %s:\n%s"
                           % (node, START_SECONDS, self.log(node), tail(self.log(node))))

    def stop(self, node):
        supervisor = self.supervisor(node)
        if supervisor:
            ns.send_signal([supervisor], signal.SIGTERM)
        if not wait_until(lambda: not self.pids(node), STOP_SECONDS):
            self.kill(node)
            raise LabError("%s did not stop within %d s and was killed" % (node, STOP_SECONDS))

    def kill(self, node):
        ns.kill_as_one(self.pids(node))

    def pause(self, node):
        ns.send_signal(self.pids(node), signal.SIGSTOP)

    def resume(self, node):
        ns.send_signal(self.pids(node), signal.SIGCONT)

    def lbnode(self, node, *arguments, **options):
        return self.execute(node, self.binary_of(node), *arguments, **options)

    def token(self, node):
        """A join token made on NODE."""
        result = self.lbnode(node, "token", "create")
        if result.returncode:
            raise LabError("token create on %s: %s" % (node, result.stderr.strip()))
        return result.stdout.strip()

    def form(self, nodes=None):
        """Makes the first NODES, or all, one cluster."""
        members = self.node_names()[:nodes]
        for node in members:
            self.start(node)
        first = self.lbnode("lb1", "init")
        if first.returncode:
            raise LabError("init on lb1: " + (first.stderr or first.stdout).strip())
        for node in members[1:]:
            joined = self.lbnode(node, "join", self.token("lb1"))
            if joined.returncode:
                raise LabError("join on %s: %s" % (node, (joined.stderr or joined.stdout).strip()))

    # ---- workers ------------------------------------------------------------------------------

    def worker_start(self, worker):
        if self.worker_pids(worker):
            return
        web = self.path(worker, "web")
        os.makedirs(web, exist_ok=True)
        with open(os.path.join(web, "index.html"), "w") as file:
            file.write("<!DOCTYPE html><html><body><p>Hello from worker %s!</p></body></html>\n" % worker[1:])
        self.spawn(worker, "python3", os.path.join(HERE, "worker.py"), "80", web)
        if not wait_until(lambda: ":0050 " in self.execute(worker, "cat", "/proc/net/tcp6").stdout, 10, 0.05):
            raise LabError("%s does not listen: %s" % (worker, tail(self.log(worker))))

    def worker_pids(self, worker):
        return [pid for pid in ns.pids(self.namespace(worker)) if "python" in ns.executable(pid)]

    def worker_stop(self, worker):
        ns.kill_as_one(self.worker_pids(worker))

    # ---- the network --------------------------------------------------------------------------

    def unplug(self, host):
        self.switch.set_port(host, False)

    def plug(self, host):
        self.switch.set_port(host, True)

    def cut(self, a, b):
        if (a, b) not in self.cuts:
            self.cuts.append((a, b))
        self._filter()

    def loss(self, percent):
        if not 0 <= percent <= 100:
            raise LabError("loss %g: use 0..100 percent" % percent)
        self.loss_percent = percent
        self._filter()

    def heal(self):
        self.cuts, self.loss_percent = [], 0.0
        self._filter()
        for host in self.hosts():
            self.plug(host)

    def _filter(self):
        self.switch.filter(self.cuts, self.loss_percent)
        self._save()

    # ---- looking ------------------------------------------------------------------------------

    def holds(self, node, address):
        """Does an interface of NODE carry ADDRESS?"""
        shown = ns.ip(self.namespace(node), "-o", "addr", "show", "dev", "eth0", check=False)
        return re.search(r" %s/" % re.escape(address), shown) is not None

    def holders(self, address):
        return [node for node in self.node_names() if self.holds(node, address)]

    def status(self):
        rows = []
        for host in self.hosts():
            state = "-"
            if host in self.node_names():
                count = len(self.pids(host))
                state = "%d processes" % count if count else "stopped"
            elif host in self.worker_names():
                state = "serving" if self.worker_pids(host) else "stopped"
            shown = ns.ip(self.namespace(host), "-o", "addr", "show", "dev", "eth0", check=False)
            rows.append((host, state, " ".join(re.findall(r"inet6? (\S+)/", shown))))
        return rows


def tail(path, lines=20):
    try:
        with open(path, errors="replace") as file:
            return "".join(file.readlines()[-lines:]).rstrip()
    except OSError as error:
        return str(error)
