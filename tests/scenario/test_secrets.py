"""The payload of a secret is where it belongs and nowhere else: not on disks, in what nodes tell, or in memory."""
import glob
import json
import os
import re
import resource
import shutil
import signal
import subprocess

from pair import PairTest

MARKER = "payload-%s-of-the-test" % os.urandom(8).hex()
LONG = (MARKER + "\n") * 800    # of what is freed the allocator overwrites the first bytes
ROLES = "vrrp", "control", "health", "proxy"


def holds(path, needle):
    with open(path, "rb") as file:
        return needle in file.read()


def memory_has(pid, needle):
    """The places in the memory of process PID that hold NEEDLE."""
    found = []
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for line in maps:
            start, end, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            start, end = int(start, 16), int(end, 16)
            if rights[0] != "r" or "[vvar" in line or "[vsyscall]" in line or end - start > 1 << 26:
                continue
            try:
                memory.seek(start)
                if needle in memory.read(end - start):
                    found.append(line.strip())
            except OSError:
                pass    # a guard page
    return found


class Secrets(PairTest):
    serves = False

    def create(self, node="lb1", payload=MARKER, name="web-key"):
        return self.cli(node, ["secret", "create", name, "--payload-file", "-"], text_in=payload)

    def payload(self, node, name="web-key"):
        return self.cli(node, ["secret", "show", name, "--payload"])

    def everywhere(self, text):
        for node in self.lab.node_names():
            self.eventually(lambda: self.lab.lbnode(node, "secret", "show", "web-key", "--payload").stdout == text, 5,
                            "%s opens the payload" % node)

    def assertNowhere(self, needle):
        """No file of a node has NEEDLE."""
        for node in self.lab.node_names():
            for folder, _, names in os.walk(self.lab.path(node)):
                for path in (os.path.join(folder, name) for name in names):
                    if os.path.isfile(path) and not os.path.islink(path):
                        self.assertFalse(holds(path, needle.encode()), path)

    def test_a_payload_is_opened_on_every_node_and_stands_in_no_file(self):
        said = self.create()
        self.everywhere(MARKER)
        changed = self.cli("lb2", ["secret", "set", "web-key", "--payload-file", "-"], text_in=MARKER)
        self.assertIn("nothing to change", changed)
        self.cli("lb2", ["secret", "set", "web-key", "--payload-file", "-"], text_in=MARKER + "2")
        self.everywhere(MARKER + "2")
        for command in ("secret list", "secret show web-key", "history", "history web-key", "diff 1h", "export", "events",
                        "conflicts", "status", "schema"):
            for shape in "table", "json", "yaml":
                said += self.cli("lb1", command.split() + ["-o", shape])
        self.assertIn("********", said)
        self.assertNotIn(MARKER, said)
        self.assertNowhere(MARKER)
        export = self.cli("lb1", "export")
        self.assertIn("nothing", self.cli("lb1", "apply --prune -f -", text_in=export).lower())
        self.assertEqual(self.payload("lb1"), MARKER + "2")

    def test_it_survives_backups_restarts_and_rollback(self):
        self.create()
        self.everywhere(MARKER)
        passphrase, backup = self.lab.path("lb1", "passphrase"), self.lab.path("lb1", "backup")
        with open(passphrase, "w") as file:
            file.write("correct horse\n")
        self.cli("lb1", ["backup", backup, "--passphrase-file", passphrase])
        self.cli("lb1", ["secret", "set", "web-key", "--payload-file", "-"], text_in="another")
        self.cli("lb1", ["rollback", self.json("lb1", "history web-key")[0]["id"]])
        self.assertEqual(self.payload("lb1"), MARKER)
        self.cli("lb1", "secret delete web-key")
        self.lab.stop("lb1")
        self.lab.start("lb1")
        self.cli("lb1", ["restore", backup, "--passphrase-file", passphrase])
        self.assertNowhere(MARKER)

    def test_a_new_cluster_has_no_key_for_the_payloads_of_the_old_one_and_says_so(self):
        self.create()
        passphrase, backup = self.lab.path("lb1", "passphrase"), self.lab.path("lb1", "backup")
        with open(passphrase, "w") as file:
            file.write("correct horse\n")
        self.cli("lb1", ["backup", backup, "--passphrase-file", passphrase])
        self.lab.stop("lb2")
        shutil.rmtree(self.lab.path("lb2", "state"))
        self.lab.start("lb2")
        self.cli("lb2", ["restore", "--new-cluster", backup, "--passphrase-file", passphrase])
        self.assertIn("a key that this node does not have", self.cli("lb2", "secret show web-key --payload", code=5))
        self.assertIn("the payload of secret web-key is sealed", self.cli("lb2", "status"))
        self.cli("lb2", ["secret", "set", "web-key", "--payload-file", "-"], text_in="again")
        self.assertEqual(self.payload("lb2"), "again")
        self.assertNotIn("the payload of secret", self.cli("lb2", "status"))

    def data_keys(self, node):
        keys = self.json(node, "cluster show")["keys"]
        return [key["id"] for key in keys if key["purpose"] == "DATA_KEY"]

    def test_a_new_data_key_seals_everything_anew_and_the_past_stays_open(self):
        self.create()
        self.cli("lb1", ["secret", "set", "web-key", "--payload-file", "-"], text_in="another")
        change = self.json("lb1", "history web-key")[0]
        before = self.data_keys("lb1")
        self.cli("lb1", "cluster rotate-keys --purpose data")
        for node in "lb1", "lb2":
            self.eventually(lambda: len(self.data_keys(node)) == 1 and self.data_keys(node) != before, 8,
                            "%s has the new key alone" % node)
            self.assertEqual(self.payload(node), "another")
        self.assertEqual(self.json("lb1", "history web-key")[0]["via"], "keys")
        self.cli("lb1", ["rollback", change["id"]], code=4)    # sealed before, with a key that is gone
        self.assertEqual(self.payload("lb1"), "another")
        self.cli("lb1", ["secret", "set", "web-key", "--payload-file", "-"], text_in="third")
        change = self.json("lb1", "history web-key")[0]
        self.cli("lb1", ["rollback", change["id"]])
        self.assertEqual(self.payload("lb1"), "another")

    def test_requests_leave_nothing_in_the_memory_of_control(self):
        refused = json.dumps({"name": "other", "payload": LONG, "colour": "red"})
        document = json.dumps({"secrets": [{"name": "third", "payload": LONG}]})
        requests = (
            lambda: self.create(payload=LONG),
            lambda: self.lab.execute("lb1", "curl", "-s", "--unix-socket", self.lab.socket("lb1"), "-d", refused,
                                     "http://lb/v1/secrets"),
            lambda: self.cli("lb1", "apply -f -", text_in=document),
            lambda: self.assertEqual(self.payload("lb1"), LONG))
        for number, request in enumerate(requests):
            request()
            for role in ROLES:
                self.assertEqual(memory_has(self.process("lb1", role), MARKER.encode()), [], "%d: %s" % (number, role))
        self.assertTrue(memory_has(self.process("lb1", "control"), b"web-key"), "the search finds what is there")


class CoreDumps(PairTest):
    nodes, serves = 1, False

    def setUp(self):
        before = resource.getrlimit(resource.RLIMIT_CORE)
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        try:
            resource.setrlimit(resource.RLIMIT_CORE, unlimited)
        except (ValueError, OSError) as error:
            self.skipTest("core dumps cannot be allowed here: %s" % error)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, (before[0], resource.RLIM_INFINITY))
        super().setUp()

    def raise_limit(self, pid):
        """What the process forbids holds even where somebody raises the limit again."""
        try:
            resource.prlimit(pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        except PermissionError:
            pass    # root without CAP_SYS_RESOURCE

    def cores(self, folder):
        return {path: os.stat(path).st_mtime_ns for path in glob.glob(os.path.join(folder, "core*"))}

    def test_no_process_that_crashes_leaves_a_core(self):
        folder = self.lab.path("lb1")
        other = subprocess.Popen(["sleep", "60"], cwd=folder)
        other.send_signal(signal.SIGSEGV)
        other.wait()
        if not self.cores(folder):
            self.skipTest("a crash leaves no file here that a test could find: see core_pattern")
        for role in ROLES:
            pid = self.process("lb1", role)
            self.assertEqual(resource.prlimit(pid, resource.RLIMIT_CORE), (0, 0), role)
            self.raise_limit(pid)
            cwd = os.readlink("/proc/%d/cwd" % pid)
            before = self.cores(cwd)
            os.kill(pid, signal.SIGABRT if role == "health" else signal.SIGTRAP)    # a sanitizer takes SIGSEGV
            self.eventually(lambda: not os.path.exists("/proc/%d" % pid), 3, "%s is gone" % role)
            self.assertEqual(self.cores(cwd), before, role)
        self.eventually(lambda: "PROCESS_DIED" in self.lab.lbnode("lb1", "events").stdout, 5, "the node goes on")


class Credential(PairTest):
    nodes, serves = 1, False

    def test_the_key_of_a_node_may_be_a_credential(self):
        name = self.json("lb1", "node list")
        self.lab.stop("lb1")
        place = self.lab.path("lb1", "credentials")
        os.mkdir(place, 0o700)
        os.rename(self.lab.path("lb1", "state", "node.key"), os.path.join(place, "node.key"))
        os.environ["CREDENTIALS_DIRECTORY"] = place
        self.addCleanup(os.environ.pop, "CREDENTIALS_DIRECTORY", None)
        self.lab.start("lb1")
        after = self.json("lb1", "node list")
        self.assertEqual([node["id"] for node in after], [node["id"] for node in name])
        self.assertFalse(os.path.exists(self.lab.path("lb1", "state", "node.key")))

    def test_a_key_that_others_may_read_is_refused_with_what_to_do(self):
        self.lab.stop("lb1")
        os.chmod(self.lab.path("lb1", "state", "node.key"), 0o640)
        self.lab.start("lb1", wait=False)
        self.eventually(lambda: holds(self.lab.log("lb1"), b"run chmod 600"), 5, "the log says what to do")
