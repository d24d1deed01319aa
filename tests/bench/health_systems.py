"""The two that bench_health.py compares, lbnode's health process and haproxy, on one host of a lab: each checks
as many members as it is told, all of them addresses of the loopback interface behind one program that answers."""
import os
import re
import signal

from api import Connection
from bench_replication import percentile
from lab import LabError, wait_until

DELAY, PER_DOCUMENT, PER_NETWORK = 5, 5000, 250  # seconds; a change has at most 65,536 operations
NETWORKS = {"lbnode": "127.1", "haproxy": "127.2"}
PORTS = {"HTTP": 8000, "TCP": 8000, "HTTPS": 8443}
MONITOR = "delay: %d, timeout: %d, max_retries: 3, max_retries_down: 3" % (DELAY, DELAY)
HAPROXY = """global
  nbthread 1
  stats socket %(directory)s/haproxy.sock
defaults
  mode http
  timeout connect 5s
  timeout client 50s
  timeout server 50s
  timeout check 5s
listen spare
  bind 127.0.0.1:8999
%(backends)s"""
CERTIFICATE = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
               "-subj", "/CN=checked", "-keyout", "%(directory)s/key.pem", "-out", "%(directory)s/cert.pem")
# As Octavia writes them; `status` is cheaper than the `rstatus` that it uses.
HAPROXY_CHECKS = {"HTTP": "  option httpchk GET / HTTP/1.0\n  http-check expect status 200\n", "TCP": "",
                  "HTTPS": "  option httpchk GET / HTTP/1.0\n  http-check expect status 200\n"}


def address(system, number):
    return "%s.%d.%d" % (NETWORKS[system], number // PER_NETWORK, number % PER_NETWORK + 1)


def proportional_kib(pid):
    with open("/proc/%d/smaps_rollup" % pid) as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def sockets(pid):
    """How many descriptors of PID are sockets."""
    count = 0
    for entry in os.scandir("/proc/%d/fd" % pid):
        try:
            count += os.readlink(entry.path).startswith("socket:")
        except OSError:
            pass
    return count


class Lbnode:
    """A whole node; what is measured is its health process."""
    name = "lbnode"

    def __init__(self, lab):
        self.lab, self.monitors = lab, []

    def start(self):
        self.lab.start("lb1", options=["--workers", "1"])
        self.run("init")
        self.pid = self.find()

    def find(self):
        """The health process; None while there is none."""
        for pid in self.lab.pids("lb1"):
            try:
                with open("/proc/%d/comm" % pid) as file:
                    if re.fullmatch("lbnode-health", file.read().strip()):
                        return pid
            except OSError:
                pass
        return None

    def renew(self):
        """Another health process, which has nothing left of what was measured before."""
        before = self.pid
        os.kill(before, signal.SIGKILL)
        if not wait_until(lambda: self.find() not in (None, before), 10):
            raise LabError("the health process does not start again")
        self.pid = self.find()

    def run(self, command, text_in=None):
        done = self.lab.lbnode("lb1", *command.split(), text_in=text_in)
        if done.returncode:
            raise LabError(command + ": " + done.stderr)
        return done.stdout

    def kinds(self):
        """The types of monitors that there are."""
        told = re.search("--type CHOICE .*: (.*)", self.run("healthmonitor create --help"))
        return told.group(1).split(", ") if told else []

    def check(self, count, kind):
        """Checks COUNT members by monitors of type KIND."""
        for start in range(0, count, PER_DOCUMENT):
            name = "%s%d" % (kind.lower(), start)
            members = range(start, min(start + PER_DOCUMENT, count))
            lines = ["loadbalancers:", "- name: %s" % name, "  vip_address: 10.77.0.%d" % (101 + len(self.monitors)),
                     "  pools:", "  - name: %s" % name, "    protocol: HTTP",
                     "    lb_algorithm: ROUND_ROBIN", "    healthmonitor: {name: %s, type: %s, %s}" % (name, kind, MONITOR),
                     "    members:"]
            lines += ["    - {address: %s, protocol_port: %d}" % (address("lbnode", i), PORTS.get(kind, 8000)) for i in members]
            self.run("apply -f -", "\n".join(lines) + "\n")
            self.monitors.append(name)

    def forget(self):
        for name in self.monitors:
            self.run("loadbalancer delete --cascade " + name)
        self.monitors = []

    def switch(self, on):
        for name in self.monitors:
            self.run("healthmonitor set %s %s" % ("--enable" if on else "--disable", name))

    def online(self):
        """How many members are known to be well."""
        connection = Connection(self.lab.socket("lb1"))
        connection.send("GET", "/metrics")
        _, text = connection.answer()
        connection.close()
        return len(re.findall(rb"^lbnode_member_up\{.* 1$", text, re.MULTILINE))


class Haproxy:
    name = "haproxy"

    def __init__(self, lab):
        self.lab, self.process = lab, None

    def start(self, count=0, kind="HTTP"):
        backends = ""
        for start in range(0, count, PER_DOCUMENT):
            backends += "backend b%d\n%s" % (start, HAPROXY_CHECKS[kind])
            check = "check inter %ds fall 3 rise 3%s" % (DELAY, " check-ssl verify none" if kind == "HTTPS" else "")
            backends += "".join("  server s%d %s:%d %s\n" % (i, address("haproxy", i), PORTS[kind], check)
                                for i in range(start, min(start + PER_DOCUMENT, count)))
        path = self.lab.path("lb1", "haproxy.cfg")
        with open(path, "w") as file:
            file.write(HAPROXY % {"directory": self.lab.path("lb1"), "backends": backends})
        self.process = self.lab.spawn("lb1", "haproxy", "-db", "-f", path)
        self.pid = self.process.pid
        if not wait_until(lambda: os.path.exists(self.lab.path("lb1", "haproxy.sock")) or self.process.poll(), 30):
            raise LabError("haproxy does not start")

    def stop(self):
        if self.process:
            os.kill(self.pid, signal.SIGKILL)
            self.process.wait(10)
            os.unlink(self.lab.path("lb1", "haproxy.sock"))
        self.process = None


class Starts:
    """What probe_starts saw of one system: the times of each member's starts, in ms."""

    def __init__(self, lines, system):
        self.times, self.by_member, seen = [], {}, set()
        prefix = "%02x%02x" % tuple(int(part) for part in NETWORKS[system].split("."))
        for line in lines:
            stamp, member, port = line.split()
            if not member.startswith(prefix) or (port != "0" and (member, port) in seen):
                continue  # a SYN that is sent again is no start
            seen.add((member, port))
            self.times.append(int(stamp) / 1000)
            self.by_member.setdefault(member, []).append(int(stamp) / 1000)
        self.times.sort()

    def most_in(self, span_ms):
        """Most starts in any window of SPAN_MS."""
        most = first = 0
        for last, time_ms in enumerate(self.times):
            while self.times[first] <= time_ms - span_ms:
                first += 1
            most = max(most, last - first + 1)
        return most

    def rounds(self):
        """How much later than a delay after the one before each start was, in ms."""
        return [later - earlier - 1000 * DELAY for times in self.by_member.values() for earlier, later in zip(times, times[1:])]

    def lateness_p99(self):
        return percentile(self.rounds(), 99)

    def drift(self):
        rounds = self.rounds()
        return sum(rounds) / max(1, len(rounds))
