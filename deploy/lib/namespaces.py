"""Network namespaces, their processes and their switch: what the lab is made of.

Everything here enters a namespace with nsenter and finds processes by the namespace they live in,
so it works in a chroot and needs no list of process ids that could go stale."""
import os
import signal
import subprocess
import time

NETNS_DIR = "/run/netns"


class LabError(Exception):
    """A sentence for the user."""


def run(*command, check=True, text_in=None):
    result = subprocess.run(command, input=text_in, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, timeout=60)
    if check and result.returncode:
        raise LabError("%s: %s" % (" ".join(command), result.stderr.strip() or result.stdout.strip()))
    return result.stdout


def exists(namespace):
    return os.path.exists(os.path.join(NETNS_DIR, namespace))


def all_names():
    return sorted(os.listdir(NETNS_DIR)) if os.path.isdir(NETNS_DIR) else []


def create(namespace):
    run("ip", "netns", "add", namespace)
    ip(namespace, "link", "set", "lo", "up")


def ip(namespace, *arguments, check=True):
    """Runs ip(8) in NAMESPACE. Not by `ip -n`: that remounts /, which a chroot refuses."""
    return run(*enter(namespace, "ip", *arguments), check=check)


def enter(namespace, *command):
    """The command line that runs COMMAND inside NAMESPACE."""
    return ["nsenter", "--net=" + os.path.join(NETNS_DIR, namespace), "--", *command]


def pids(namespace):
    """Living processes whose network namespace is NAMESPACE."""
    try:
        wanted = os.stat(os.path.join(NETNS_DIR, namespace)).st_ino
    except OSError:
        return []
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            if os.stat("/proc/%s/ns/net" % entry).st_ino == wanted:
                found.append(int(entry))
        except OSError:
            pass                                    # gone meanwhile, or a zombie
    return found


def executable(pid):
    try:
        return os.readlink("/proc/%d/exe" % pid).removesuffix(" (deleted)")
    except OSError:
        return ""


def is_alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def send_signal(pid_list, number):
    for pid in pid_list:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def kill_as_one(pid_list):
    """SIGKILL without last words: all are stopped before the first one dies."""
    send_signal(pid_list, signal.SIGSTOP)
    send_signal(pid_list, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, pid_list)), 5)


def wait_until(condition, seconds, pause=0.02):
    """True as soon as CONDITION holds; its last answer when SECONDS have passed."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()) and time.monotonic() < deadline:
        time.sleep(pause)
    return answer


def destroy(namespace):
    for _ in range(50):
        left = pids(namespace)
        if not left:
            break
        kill_as_one(left)
    run("ip", "netns", "del", namespace, check=False)


class Switch:
    """A bridge in a namespace of its own; each host hangs on the port that bears its name."""

    def __init__(self, namespace):
        self.namespace = namespace

    def create(self):
        create(self.namespace)
        ip(self.namespace, "link", "add", "br0", "type", "bridge", "forward_delay", "0",
            "mcast_snooping", "0")
        ip(self.namespace, "link", "set", "br0", "up")

    def attach(self, host, namespace, addresses):
        create(namespace)
        # Duplicate address detection would only make everybody wait: the lab has no duplicates.
        for scope in "all", "default":
            run(*enter(namespace, "sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/%s/accept_dad" % scope), check=False)
        ip(self.namespace, "link", "add", host, "type", "veth", "peer", "name", "eth0",
            "netns", namespace)
        ip(self.namespace, "link", "set", host, "master", "br0", "up")
        ip(namespace, "link", "set", "eth0", "up")
        for address in addresses:
            ip(namespace, "addr", "add", address, "dev", "eth0")

    def set_port(self, host, up):
        ip(self.namespace, "link", "set", host, "up" if up else "down")

    def filter(self, cuts, loss_percent):
        """Replaces the switch's rules: drop between each pair of CUTS, and at random."""
        rules = ["table bridge lab", "delete table bridge lab", "table bridge lab {", "chain forward {",
                 "type filter hook forward priority 0"]
        for a, b in cuts:
            rules += ['iifname "%s" oifname "%s" drop' % pair for pair in ((a, b), (b, a))]
        if loss_percent:
            rules.append("numgen random mod 1000 <= %d drop" % max(0, round(loss_percent * 10) - 1))
        run(*enter(self.namespace, "nft", "-f", "-"), text_in="\n".join(rules + ["}", "}", ""]))
