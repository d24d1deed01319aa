"""What happens to a node while it is soaked: members that flap, a configuration that changes."""
import collections
import random
import signal
import sys
import threading
import time

import board
from api import Connection
from stage import GUEST_PORT, GUEST_TIMEOUTS, LISTENERS, NODE, ORIGINS

LBAAS = "/v2.0/lbaas"
FLAP_PAUSE_S, CHANGE_PAUSE_S = 0.4, 0.05
LEAVING_MOST = 8
LONGEST_REQUEST_S = 12  # until the last attempt, by the timeouts of stage.py
EXTRA = "10.77.8.%d"  # more addresses of the members: more members


class Player(threading.Thread):
    """Acts until it is told to stop; what it did is in `counts`, and in `failure` why it could not go on."""

    def __init__(self, stage, stop, seed):
        super().__init__()
        self.stage, self.stop, self.rng = stage, stop, random.Random("%s-%s" % (seed, type(self).__name__))
        self.counts, self.failure = collections.Counter(), None

    def run(self):
        try:
            self.play()
        except Exception as error:  # the run has failed: whoever joins tells
            self.failure = "%s: %s: %s" % (type(self).__name__, type(error).__name__, error)
            print(self.failure, file=sys.stderr, flush=True)
            self.stop.set()

    def play(self):
        while not self.stop.wait(self.rng.random() * 2 * self.pause_s):
            act = self.rng.choice(self.acts)
            act(self)
            self.counts[act.__name__] += 1


class Flapper(Player):
    """One member after the other is killed, silent, stopped, or cuts its answers; up to three are ill at once."""
    pause_s = FLAP_PAUSE_S
    kinds = {"fast": ("killed", "stopped"), "wild": ("killed", "silent", "stopped", "cut", "cut")}

    def __init__(self, stage, stop, seed):
        super().__init__(stage, stop, seed)
        self.ill = {}  # origin: how it recovers

    def well(self):
        return [origin for group in ("wild", "fast") for origin in self.stage.origins[group] if origin not in self.ill]

    def recover_one(self):
        origin = self.rng.choice(list(self.ill))
        self.ill.pop(origin)()

    def play(self):
        while not self.stop.wait(self.rng.random() * 2 * self.pause_s):
            if len(self.ill) > 2 or self.ill and self.rng.random() < 0.5:
                self.recover_one()
                continue
            origin = self.rng.choice(self.well())
            kind = self.rng.choice(self.kinds[origin.group])
            self.counts[kind] += 1
            self.ill[origin] = getattr(self, kind)(origin)
        while self.ill:
            self.recover_one()

    def killed(self, origin):
        origin.kill()
        return origin.start

    def stopped(self, origin):
        origin.signal(signal.SIGSTOP)
        return lambda: origin.signal(signal.SIGCONT)

    def silent(self, origin):
        origin.set("silent")
        return lambda: origin.set("good")

    def cut(self, origin):
        origin.set("cut")
        return lambda: origin.set("good")


class Changer(Player):
    """Sets attributes of members, pools and listeners. The first member of steady pools stays as it is."""
    pause_s = CHANGE_PAUSE_S

    def __init__(self, stage, stop, seed):
        super().__init__(stage, stop, seed)
        self.api = Connection(stage.lab.socket(NODE))
        self.pools = {name: self.find("pools", name) for name in LISTENERS}
        self.listeners = {name: self.find("listeners", name) for name in LISTENERS}
        self.members = {name: [self.find("pools/%s/members" % self.pools[name], "m%d" % number)
                               for number in range(1 if LISTENERS[name][3] else 0, len(ORIGINS[LISTENERS[name][2]]))]
                        for name in LISTENERS}

    def find(self, path, name):
        return self.api.ask("GET", "%s/%s?name=%s" % (LBAAS, path, name))[path.split("/")[-1]][0]["id"]

    def set_member(self, pool, member, **attributes):
        self.api.ask("PUT", "%s/pools/%s/members/%s" % (LBAAS, self.pools[pool], member), {"member": attributes})

    def any_member(self):
        pool = self.rng.choice(list(self.members))
        return pool, self.rng.choice(self.members[pool])

    def weight(self):
        self.set_member(*self.any_member(), weight=self.rng.choice((1, 1, 2, 3, 7)))

    def drain(self):
        self.set_member(*self.any_member(), weight=0)

    def admin_down(self):
        self.set_member(*self.any_member(), admin_state_up=False)

    def admin_up(self):
        self.set_member(*self.any_member(), admin_state_up=True)

    def command_line(self):
        pool, number = self.rng.choice(list(LISTENERS)), 1
        self.stage.cli("member set --weight %d %s m%d" % (self.rng.randrange(1, 5), pool, number))

    def connection_limit(self):
        self.set_member("fast", self.rng.choice(self.members["fast"]), connection_limit=self.rng.choice((-1, -1, 4, 20)))

    def algorithm(self):
        pool = self.rng.choice(list(self.pools))
        name = self.rng.choice(("ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP_PORT"))
        self.api.ask("PUT", "%s/pools/%s" % (LBAAS, self.pools[pool]), {"pool": {"lb_algorithm": name}})

    def without_a_pool(self):
        """For a moment clients get a 503."""
        for pool in None, self.pools["fast"]:
            self.api.ask("PUT", "%s/listeners/%s" % (LBAAS, self.listeners["fast"]), {"listener": {"default_pool_id": pool}})

    acts = (weight, weight, weight, drain, admin_down, admin_up, admin_up, admin_up, connection_limit, algorithm)

    def play(self):
        self.acts = self.acts * 4 + (Changer.command_line, Changer.without_a_pool)
        super().play()


class Comings(Changer):
    """Members that come and go. Where the sum over members has to be exact (`exact`), they go when they have nothing to do
    any more, and what they counted is kept in `retired`; elsewhere in the middle of it."""
    exact = ("steadytcp", "wild", "wildtcp")

    def __init__(self, stage, stop, seed):
        super().__init__(stage, stop, seed)
        self.retired = collections.defaultdict(list)
        self.leaving = {}  # member: (pool, what it counted, since when)
        self.number = 0

    def play(self):
        while not self.stop.wait(self.rng.random() * self.pause_s):
            pool = self.rng.choice(list(LISTENERS))
            if pool in self.exact and len(self.leaving) >= LEAVING_MOST:
                continue
            member = self.add(pool)
            self.stop.wait(self.rng.random() * 0.5)
            self.remove(pool, member)
            self.see_off()

    def add(self, pool):
        self.number += 1
        body = {"name": "x%d" % self.number, "address": EXTRA % (1 + self.number % 250), "weight": self.rng.randrange(1, 4),
                "protocol_port": self.rng.choice(ORIGINS[LISTENERS[pool][2]])}
        self.counts["member_added"] += 1
        return self.api.ask("POST", "%s/pools/%s/members" % (LBAAS, self.pools[pool]), {"member": body})["member"]["id"]

    def remove(self, pool, member):
        if pool in self.exact:
            self.set_member(pool, member, weight=0)
            self.leaving[member] = pool, None, time.monotonic()
        else:
            self.delete(pool, member)

    def delete(self, pool, member):
        self.api.ask("DELETE", "%s/pools/%s/members/%s" % (LBAAS, self.pools[pool], member))
        self.counts["member_removed"] += 1

    def see_off(self):
        """Deletes who has been idle for so long that no request knows it any more: one goes on with the configuration
        that it began with, and may turn to a drained member when it tries again."""
        members, now = board.read(board.text(self.stage.lab.socket(NODE)))["member"], time.monotonic()
        for member, (pool, before, since) in list(self.leaving.items()):
            counted = members.get(member)
            if counted != before or not counted or counted["active"]:
                self.leaving[member] = pool, counted, now
            elif now - since > LONGEST_REQUEST_S:
                self.retired[pool].append(counted)
                del self.leaving[member]
                self.delete(pool, member)


class Guests(Changer):
    """A listener, with its pool and a member, that is made and deleted again and again while clients use it."""

    def play(self):
        balancer = self.api.ask("GET", LBAAS + "/loadbalancers?name=soak")["loadbalancers"][0]["id"]
        while not self.stop.wait(self.rng.random()):
            kind = {"loadbalancer_id": balancer, "protocol": "HTTP", "name": "guest"}
            pool = self.api.ask("POST", LBAAS + "/pools", {"pool": dict(kind, lb_algorithm="ROUND_ROBIN")})["pool"]["id"]
            member = {"address": EXTRA % 251, "protocol_port": self.rng.choice(ORIGINS["wild"])}
            self.api.ask("POST", "%s/pools/%s/members" % (LBAAS, pool), {"member": member})
            listener = dict(kind, protocol_port=GUEST_PORT, default_pool_id=pool, **GUEST_TIMEOUTS)
            listener = self.api.ask("POST", LBAAS + "/listeners", {"listener": listener})["listener"]["id"]
            self.stop.wait(self.rng.random() * 3)
            self.api.ask("DELETE", "%s/listeners/%s" % (LBAAS, listener))
            self.api.ask("DELETE", "%s/pools/%s" % (LBAAS, pool))
            self.counts["listener_made_and_deleted"] += 1
