"""The pairs of load balancers that `run failover` breaks: lbnode, and keepalived with haproxy.

Both offer the same verbs. election() and proxy() are process ids, parent() is the process that restarts
them (or would)."""
import json
import os
import resource
import signal
import subprocess
import sys
import time

import namespaces as ns
from lab import LabError, wait_until

VIP = "10.77.0.100"
PORT = 80
HERE = os.path.dirname(os.path.abspath(__file__))

HAPROXY = """global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
frontend web
  bind *:80
  default_backend workers
backend workers
  server w1 10.77.0.21:80 check inter 5s
"""

KEEPALIVED = """global_defs {
  router_id %(node)s
  vrrp_version 3
}
vrrp_track_process proxy {
  process %(proxy)s
  weight 0
  delay 0.001
}
"""

INSTANCE = """vrrp_instance v%(vrid)s {
  state BACKUP
  nopreempt
  interface eth0
  virtual_router_id %(vrid)s
  priority %(priority)d
  advert_int %(advert)s
  virtual_ipaddress {
    %(addresses)s
  }
  track_process {
    proxy
  }
}
"""


def command_name(pid):
    try:
        with open("/proc/%d/comm" % pid) as file:
            return file.read().strip()
    except OSError:
        return ""


def use_light_worker(lab):
    lab.worker_stop("w1")
    lab.spawn("w1", sys.executable, os.path.join(HERE, "backend.py"), "0.0.0.0", str(PORT))


def document(groups):
    """What `lbnode apply` takes: GROUPS is a list of lists of addresses, one per VRRP group."""
    names = ["default"] + ["group%d" % number for number in range(1, len(groups))]
    return json.dumps({
        "vrrp_groups": [{"name": name, "vrid": 1 + number, "interface": "eth0"} for number, name in enumerate(names)],
        "loadbalancers": [{"name": "web" if name == "default" else name, "vrrp_group": name,
                           "vip_address": addresses[0], "additional_vips": addresses[1:]}
                          for name, addresses in zip(names, groups)]})


SERVICE = ("listener create --name http --protocol HTTP --protocol-port 80 web",
           "pool create --name workers --protocol HTTP --lb-algorithm ROUND_ROBIN --listener http",
           "member create --name w1 --address 10.77.0.21 --protocol-port 80 workers",
           "healthmonitor create --type HTTP --delay 5 --timeout 3 --max-retries 3 --url-path / workers")


class Lbnode:
    name, restarts_proxy, learns = "lbnode", True, True

    def __init__(self, lab):
        self.lab = lab

    def prepare(self, groups=((VIP,),)):
        use_light_worker(self.lab)
        self.lab.form()
        made = self.lab.lbnode("lb1", "apply", "-f", "-", text_in=document([list(group) for group in groups]))
        if made.returncode:
            raise LabError("apply: " + made.stderr)
        for command in SERVICE:
            done = self.lab.lbnode("lb1", *command.split())
            if done.returncode:
                raise LabError(command + ": " + done.stderr)

    def pids(self, node):
        return self.lab.pids(node)

    def process(self, node, role):
        for pid in self.lab.pids(node):
            if command_name(pid) == "lbnode-" + role:
                return pid
        return None

    def proxy(self, node):
        return self.process(node, "proxy")

    def election(self, node):
        return self.process(node, "vrrp")

    def parent(self, node):
        return self.lab.supervisor(node)

    def status(self, node):
        shown = self.lab.lbnode(node, "status", "-o", "json")
        try:
            return json.loads(shown.stdout)
        except ValueError:
            return {}

    def is_ready(self, node):
        """It is active or can become so at once."""
        groups = self.status(node).get("vrrp", [])
        return bool(groups) and all(group["state"] in ("active", "backup") for group in groups)

    def dead_ms(self, node):
        """Silence after which NODE takes over."""
        return max((group["dead_time_ms"] for group in self.status(node).get("vrrp", [])), default=None)

    def renew(self, node):
        """A stand-by forgets what it learned about the other node."""
        self.lab.stop(node)
        self.lab.start(node)

    def counted(self, node, name):
        """The sum of a counter over all groups."""
        told = self.lab.lbnode(node, "metrics")
        if told.returncode != 0:
            raise LabError("%s tells no metrics: %s" % (node, told.stderr))
        return sum(int(float(line.split()[-1])) for line in told.stdout.splitlines() if line.startswith(name + "{"))

    def adverts(self, node):
        """How many NODE has sent, as its status says once a second."""
        return self.counted(node, "lbnode_vrrp_adverts_sent_total")

    def became_active(self):
        """How often a node has become active since it was started, over both."""
        return sum(self.counted(node, "lbnode_vrrp_became_active_total") for node in self.lab.node_names())

    def kill(self, node):
        self.lab.kill(node)

    def revive(self, node):
        self.lab.start(node)

    def revive_proxy(self, node):
        """It is restarted by itself."""

    def forget(self, node):
        """Addresses go by themselves."""

    def stop(self, node):
        ns.send_signal([self.parent(node)], signal.SIGTERM)

    def command(self, node, *words):
        done = self.lab.lbnode(node, *words)
        if done.returncode:
            raise LabError("%s: %s" % (" ".join(words), done.stderr))

    def switch(self, node):
        self.command(node, "failover")

    def drain(self, node):
        self.command(node, "node", "drain", node)

    def undrain(self, node):
        self.command(node, "node", "undrain", node)

    def deny_restart(self, node, what, value):
        """From now on nothing that the parent of NODE starts can run: of WHAT it may have VALUE."""
        resource.prlimit(self.parent(node), what, (value, value))


class Keepalived:
    restarts_proxy = learns = False

    def __init__(self, lab, advert):
        self.group_count = 1
        self.lab, self.advert = lab, advert
        self.name = "keepalived %s s" % advert

    def prepare(self, groups=((VIP,),)):
        use_light_worker(self.lab)
        self.group_count = len(groups)
        for node in self.lab.node_names():
            # Tracked by its name, which no other pair's may have.
            os.symlink("/usr/sbin/haproxy", self.program(node))
            with open(self.lab.path(node, "haproxy.cfg"), "w") as file:
                file.write(HAPROXY)
            with open(self.lab.path(node, "keepalived.conf"), "w") as file:
                file.write(KEEPALIVED % {"node": node, "proxy": os.path.basename(self.program(node))})
                for number, addresses in enumerate(groups):
                    # The same one begins with all groups; nopreempt lets nothing move back.
                    file.write(INSTANCE % {"priority": 101 if node == "lb1" else 100,
                                           "vrid": 1 + number, "advert": self.advert,
                                           "addresses": "\n    ".join(a + "/24" for a in addresses)})
            self.revive(node)

    def program(self, node):
        return self.lab.path(node, "h%s-%s" % (self.lab.name[-8:], node))

    def pids(self, node):
        return ns.pids(self.lab.namespace(node))

    def named(self, node, name):
        return sorted(pid for pid in self.pids(node) if command_name(pid) == name)

    def proxies(self, node):
        return self.named(node, os.path.basename(self.program(node)))

    def proxy(self, node):
        return self.proxies(node)[-1]

    def election(self, node):
        """Its child, which the parent starts again."""
        found = self.named(node, "keepalived")
        return found[-1] if len(found) > 1 else None

    def parent(self, node):
        return self.named(node, "keepalived")[0]

    def is_ready(self, node):
        return len(self.named(node, "keepalived")) > 1 and bool(self.proxies(node))

    def dead_ms(self, node):
        del node

    def adverts(self, node):
        """As many as its configuration says; the interface would count repeated announcements, too."""
        del node
        return time.monotonic() / float(self.advert) * self.group_count

    def kill(self, node):
        ns.kill_as_one(self.pids(node))

    def forget(self, node):
        """What a reboot does to a node: its addresses are gone."""
        for net in VIP + "/32", "10.77.1.0/24":
            ns.ip(self.lab.namespace(node), "addr", "flush", "dev", "eth0", "to", net, check=False)

    def stop(self, node):
        for found in self.named(node, "keepalived")[:1], self.proxies(node)[:1]:
            ns.send_signal(found, signal.SIGTERM)
            time.sleep(0.3)

    def switch(self, node):
        """An orderly stop of the election is the way to move the address."""
        parent = self.parent(node)
        ns.send_signal([parent], signal.SIGTERM)
        wait_until(lambda: not ns.is_alive(parent), 5)
        self.revive_election(node)

    def revive(self, node):
        self.forget(node)
        if not self.proxies(node):
            self.revive_proxy(node)
        if not self.named(node, "keepalived"):
            self.revive_election(node)

    def revive_proxy(self, node):
        self.lab.spawn(node, self.program(node), "-db", "-f", self.lab.path(node, "haproxy.cfg"))

    def revive_election(self, node):
        # A killed one leaves them, and its number may belong to somebody else by now: keepalived
        # would take that for itself and not start.
        for name in "keepalived.pid", "vrrp.pid":
            if os.path.exists(self.lab.path(node, name)):
                os.unlink(self.lab.path(node, name))
        # It enters the namespace by itself: the kernel tells of processes in the first one only.
        with open(self.lab.log(node), "a") as log:
            subprocess.Popen(("keepalived", "--dont-fork", "--vrrp", "--log-console",
                              "--namespace=" + self.lab.namespace(node),
                              "--use-file=" + self.lab.path(node, "keepalived.conf"),
                              "--pid=" + self.lab.path(node, "keepalived.pid"),
                              "--vrrp_pid=" + self.lab.path(node, "vrrp.pid")),
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/")
