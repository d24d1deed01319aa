"""Two groups with different preferred nodes: both nodes serve, each is the other's backup."""
import json

from pair import VIP, PairTest, Prober

SECOND = "10.77.0.101"


class Groups(PairTest):
    def holders(self):
        return {vip: self.lab.holders(vip) for vip in (VIP, SECOND)}

    def make_second(self):
        """VIP on lb1, SECOND on lb2, each preferred there."""
        self.cli("lb1", "vrrpgroup set --preference lb1=200 default")
        self.cli("lb2", "vrrpgroup create --name second --preference lb2=200")
        self.cli("lb2", "loadbalancer create --name other --vip-address %s --vrrp-group second" % SECOND)
        self.cli("lb2", "listener create --name http2 --protocol HTTP --protocol-port 80 other")
        self.cli("lb2", "pool create --name more --protocol HTTP --lb-algorithm ROUND_ROBIN --listener http2")
        self.cli("lb2", "member create --name m1 --address %s --protocol-port 80 more" % self.lab.address("w1"))
        self.eventually(lambda: all(len(held) == 1 for held in self.holders().values()), 5, "both are held")
        for vip, group, node in (VIP, "default", "lb1"), (SECOND, "second", "lb2"):
            if self.active(vip) != node:
                self.cli("lb1", "failover --group %s --to %s" % (group, node))
        self.eventually(lambda: self.holders() == {VIP: ["lb1"], SECOND: ["lb2"]}, 5, "one on each")

    def test_a_survivor_has_both_and_failover_brings_one_back(self):
        self.make_second()
        self.assertTrue(self.answers(VIP) and self.answers(SECOND))
        with Prober(self.lab, SECOND) as prober:
            self.lab.kill("lb2")
            self.eventually(lambda: self.lab.holds("lb1", SECOND), 2, "the survivor takes the other one over")
            self.eventually(lambda: self.answers(SECOND), 2, "and serves it")
        self.assertLess(prober.report.outage_ms, 1000, prober.report.line())
        self.assertTrue(self.lab.holds("lb1", VIP))
        self.lab.start("lb2")
        self.eventually(lambda: self.lab.lbnode("lb1", "failover", "--group", "second", "--to", "lb2").returncode == 0,
                        10, "failover brings it back once lb2 is eligible")
        self.eventually(lambda: self.holders() == {VIP: ["lb1"], SECOND: ["lb2"]}, 5, "one on each")

    def test_thirty_groups_move_as_one_and_stay(self):
        addresses = ["10.77.0.%d" % (120 + i) for i in range(30)]
        names = ["g%d" % i for i in range(30)]
        taken = self.json("lb1", "vrrpgroup show default")["vrid"]  # whichever it drew
        vrids = [vrid for vrid in range(101, 132) if vrid != taken]
        document = {"vrrp_groups": [{"name": name, "vrid": vrid} for name, vrid in zip(names, vrids)],
                    "loadbalancers": [{"name": "l" + name, "vip_address": address, "vrrp_group": name}
                                      for name, address in zip(names, addresses)]}
        self.cli("lb1", "apply -f -", text_in=json.dumps(document))
        self.eventually(lambda: all(self.lab.holders(address) for address in addresses), 8, "all are held")
        self.lab.lbnode("lb1", "failover", "--to", "lb1")
        self.eventually(lambda: all(self.lab.holders(address) == ["lb1"] for address in addresses), 8, "all on lb1")
        self.cli("lb1", "failover --to lb2")
        self.eventually(lambda: all(self.lab.holders(address) == ["lb2"] for address in addresses), 8, "all on lb2")
        self.assertNotIn("VRRP_FALSE_TAKEOVER", self.cli("lb1", "events"))

    def test_a_returning_node_takes_its_group_back_only_with_preempt(self):
        self.make_second()
        self.lab.kill("lb2")
        self.eventually(lambda: self.lab.holds("lb1", SECOND), 2, "the survivor has it")
        self.lab.start("lb2")
        self.eventually(lambda: self.json("lb2", "vrrpgroup show second")["nodes"][1] == "lb2 (IPv4): backup", 10,
                        "lb2 is back and eligible")
        self.assertTrue(self.lab.holds("lb1", SECOND), "no preemption by default")
        self.cli("lb1", "vrrpgroup set --enable-preempt --preempt-delay-s 1 second")
        self.eventually(lambda: self.lab.holders(SECOND) == ["lb2"], 8, "with preempt it does")
        self.assertEqual(self.lab.holders(VIP), ["lb1"])
