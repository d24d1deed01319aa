"""The disk below a node fills up or rots: nothing that was acknowledged is lost, and the node says what is wrong."""
import os
import subprocess

from pair import PairTest


class StorageTest(PairTest):
    serves = False

    def state(self, node, *parts):
        return self.lab.path(node, "state", *parts)

    def make_pool(self):
        self.cli("lb1", "loadbalancer create --name web --vip-address 10.77.0.100")
        self.cli("lb1", "pool create --name workers --protocol HTTP --lb-algorithm ROUND_ROBIN --loadbalancer web")

    def weight(self, node, member):
        return self.member(node, member).get("weight")

    def members(self, node):
        return {row["name"] for row in self.json(node, "member list workers")}


class FullDisk(StorageTest):
    def setUp(self):
        super().setUp()
        self.lab.stop("lb1")
        state, kept = self.state("lb1"), self.lab.path("lb1", "kept")
        os.rename(state, kept)
        os.mkdir(state)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "lbnode-test", state], stderr=subprocess.PIPE)
        if done.returncode:
            self.skipTest("no mounting here: " + done.stderr.decode())
        self.addCleanup(subprocess.run, ["umount", "-l", state])
        self.addCleanup(self.lab.stop, "lb1")
        subprocess.run(["cp", "-a", "--sparse=always", kept + "/.", state], check=True)
        self.lab.start("lb1")

    def fill(self, leave=0):
        """Until LEAVE bytes are left."""
        with open(self.state("lb1", "ballast"), "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                file.truncate(file.tell() - leave)

    def add_until_refused(self):
        """The addresses of members that were acknowledged, and what the refusal said."""
        acknowledged = set()
        for batch in range(100):
            addresses = ["10.78.%d.%d" % (batch, i) for i in range(1, 17)]
            result = self.lab.lbnode("lb1", "member", "add", "workers", *(a + ":80" for a in addresses))
            if result.returncode:
                self.assertEqual(result.returncode, 5, result.stderr)
                return acknowledged, result.stderr
            acknowledged.update(addresses)
        self.fail("a full disk never refused a change")

    def test_changes_are_refused_peers_are_followed_and_space_heals(self):
        self.make_pool()
        self.cli("lb1", "member create --name w1 --address 10.77.0.21 --protocol-port 80 workers")
        self.fill(leave=160 << 10)
        acknowledged, said = self.add_until_refused()
        self.assertIn("No space left", said)
        self.tells("lb1", "events", "STORAGE_DEGRADED")
        self.assertIn("No space left", self.lab.lbnode("lb1", "status").stdout)
        self.eventually(lambda: self.lab.lbnode("lb2", "member", "show", "workers", "w1").returncode == 0, 5,
                        "lb2 has what lb1 accepted before")
        self.cli("lb2", "member set --weight 7 workers w1")
        self.eventually(lambda: self.weight("lb1", "w1") == 7, 5, "lb1 follows lb2 in memory")
        os.unlink(self.state("lb1", "ballast"))
        self.eventually(lambda: "STORAGE_RECOVERED" in self.lab.lbnode("lb1", "events").stdout, 15, "lb1 recovers")
        self.cli("lb1", "member set --weight 9 workers w1")
        self.lab.kill("lb1")
        self.lab.start("lb1")
        self.assertEqual(self.weight("lb1", "w1"), 9)
        kept = {row["address"] for row in self.json("lb1", "member list workers")}
        self.assertGreater(len(acknowledged), 0)
        self.assertEqual(acknowledged - kept, set())

    def test_a_node_starts_on_a_full_disk(self):
        self.make_pool()
        self.lab.stop("lb1")
        self.fill()
        self.lab.start("lb1")
        self.assertIn("workers", self.cli("lb1", "pool list"))


class DamagedStore(StorageTest):
    def test_what_was_known_alone_and_what_the_peer_has_come_back(self):
        self.make_pool()
        self.lab.stop("lb2")
        self.cli("lb1", "member create --name alone --address 10.77.0.21 --protocol-port 80 workers")
        self.lab.stop("lb1")
        with open(self.state("lb1", "config.mdb"), "r+b") as file:
            file.write(bytes(8192))
        self.lab.start("lb2")
        self.cli("lb2", "member create --name other --address 10.77.0.22 --protocol-port 80 workers")
        self.lab.start("lb1")
        self.tells("lb1", "events", "STORAGE_QUARANTINED")
        for node in "lb1", "lb2":
            self.eventually(lambda: self.members(node) == {"alone", "other"}, 10, node + " has both changes")
        self.assertTrue(any(name.startswith("quarantine-") for name in os.listdir(self.state("lb1"))))
        self.lab.stop("lb1")
        self.assertIn("in order", self.cli("lb1", ["db", "verify", "--state-dir", self.state("lb1")]))


class Backup(StorageTest):
    def test_a_restored_backup_rolls_nothing_back(self):
        self.make_pool()
        self.cli("lb1", "member create --name w1 --address 10.77.0.21 --protocol-port 80 workers")
        passphrase, backup = self.lab.path("lb1", "passphrase"), self.lab.path("lb1", "backup")
        with open(passphrase, "w") as file:
            file.write("correct horse\n")
        self.assertIn("changes are in", self.cli(
            "lb1", ["backup", backup, "--passphrase-file", passphrase]))
        self.cli("lb1", "member set --weight 5 workers w1")
        said = self.cli("lb2", ["restore", backup, "--passphrase-file", passphrase])
        self.assertIn("nothing was rolled back", said)
        self.assertEqual(self.weight("lb1", "w1"), 5)
        with open(passphrase, "w") as file:
            file.write("wrong horse\n")
        self.cli("lb2", ["restore", backup, "--passphrase-file", passphrase], code=5)

    def test_a_node_that_lost_its_store_comes_back_from_a_backup(self):
        self.make_pool()
        passphrase, backup = self.lab.path("lb1", "passphrase"), self.lab.path("lb1", "backup")
        with open(passphrase, "w") as file:
            file.write("correct horse\n")
        self.cli("lb1", ["backup", backup, "--passphrase-file", passphrase])
        self.cli("lb2", "member create --name later --address 10.77.0.22 --protocol-port 80 workers")
        self.lab.stop("lb1")
        os.unlink(self.state("lb1", "config.mdb"))
        self.lab.start("lb1")
        self.cli("lb1", ["restore", backup, "--passphrase-file", passphrase])
        self.eventually(lambda: self.members("lb1") == {"later"}, 10, "lb1 has the backup and what came after it")

    def test_a_backup_starts_a_cluster_that_the_old_nodes_are_strangers_to(self):
        self.make_pool()
        self.cli("lb1", "member create --name w1 --address 10.77.0.21 --protocol-port 80 workers")
        passphrase, backup = self.lab.path("lb1", "passphrase"), self.lab.path("lb1", "backup")
        with open(passphrase, "w") as file:
            file.write("correct horse\n")
        self.cli("lb1", ["backup", backup, "--passphrase-file", passphrase])
        restore = ["restore", backup, "--new-cluster", "--name", "anew", "--passphrase-file", passphrase]
        self.cli("lb1", restore, code=4)
        self.lab.stop("lb1")
        os.unlink(self.state("lb1", "config.mdb"))
        self.lab.start("lb1")
        self.assertIn("recovery code", self.cli("lb1", restore))
        self.assertEqual(self.members("lb1"), {"w1"})
        self.assertEqual([node["name"] for node in self.json("lb1", "node list")], ["lb1"])
        self.cli("lb2", "member create --name stray --address 10.77.0.22 --protocol-port 80 workers")
        self.eventually(lambda: not any(node["alive"] for node in self.json("lb2", "node list") if node["name"] == "lb1"),
                        20, "lb2 does not know lb1 any more")
        self.assertEqual(self.members("lb1"), {"w1"})
