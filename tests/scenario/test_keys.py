"""Keys of the cluster: rotated while a node is away, and after a node was removed."""
from pair import PairTest


class Keys(PairTest):
    nodes, workers, serves = 3, 1, False

    def keys(self, node, purpose):
        """[(id, state)] of the keys, the newest first."""
        cluster = self.json(node, "cluster show")
        return [(key["id"], key["state"]) for key in cluster["keys"] if key["purpose"] == purpose]

    def settled(self, nodes, purpose):
        """One key in use, the same on all; its id, or None."""
        seen = [self.keys(node, purpose) for node in nodes]
        same = len(seen[0]) == 1 and seen[0][0][1] == "IN_USE" and all(keys == seen[0] for keys in seen)
        return seen[0][0][0] if same else None

    def test_a_new_key_waits_for_a_node_that_is_away_and_a_removed_one_takes_none_along(self):
        everybody, purposes = ("lb1", "lb2", "lb3"), ("CLUSTER_SECRET", "DATA_KEY")
        for purpose in purposes:
            self.eventually(lambda: self.settled(everybody, purpose), 5, "all have the first key")
        first = {purpose: self.settled(everybody, purpose) for purpose in purposes}
        self.lab.kill("lb3")
        self.assertIn("waiting for lb3", self.cli("lb1", "cluster rotate-keys"))
        self.cli("lb2", "cluster rotate-keys --purpose secret")
        self.assertIn("node lb3 does not have the last one yet",
                      self.cli("lb1", "cluster rotate-keys --purpose secret", code=4))
        self.assertEqual(self.keys("lb1", "DATA_KEY")[1], (first["DATA_KEY"], "IN_USE"))
        self.lab.start("lb3")
        for purpose in purposes:
            self.eventually(lambda: self.settled(everybody, purpose), 8, "all have the new key alone")
            self.assertNotEqual(self.settled(everybody, purpose), first[purpose])
        before = {purpose: self.settled(everybody, purpose) for purpose in purposes}
        self.cli("lb1", "node remove lb3")
        left = ("lb1", "lb2")
        self.eventually(lambda: self.settled(left, "CLUSTER_SECRET") not in (None, before["CLUSTER_SECRET"]), 8,
                        "those that are left have a secret that lb3 does not know")
        self.assertEqual(self.settled(left, "DATA_KEY"), before["DATA_KEY"])
        known = [key["known_to"] for key in self.json("lb1", "cluster show")["keys"]]
        self.assertEqual(known, [None, None])
