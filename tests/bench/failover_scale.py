"""Many addresses: 250 in one group, and 100 groups with one each. What an advert costs, and how far apart
the first and the last address move when the active node vanishes."""
import os
import time

from failover_cases import come_back, other, vanish
from figures import cpu_seconds
from lab import LabError, wait_until
from observer import Observer

ADDRESSES = ["10.77.1.%d" % number for number in range(1, 251)]
LAYOUTS = {
    "250 addresses": [ADDRESSES],
    "100 groups": [[address] for address in ADDRESSES[:100]],
}
BARE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
                    "build/tests/bench/bare_adverts")
BARE_BYTES = 8 + 4 * len(ADDRESSES)                 # of an advert that lists them all
CPU_SECONDS = 3                                     # whole ones: so often the nodes tell their counters
BARS = {"cpu_per_advert_us": (10, 10), "announced_within_ms": (20, 20), "moved_within_ms": (20, 20)}


def owner(pair, wanted):
    """The node that has all addresses of WANTED while the other one has none."""
    for node in pair.lab.node_names():
        if wanted <= pair.observer.owned[node] and not wanted & pair.observer.owned[other(node)]:
            return node
    return None


def advert_cost(pair, node):
    """Microseconds of CPU that the election of NODE takes for each advert it sends."""
    process = [pair.election(node)]
    before, sent_before = cpu_seconds(process), pair.adverts(node)
    time.sleep(CPU_SECONDS)
    used, sent = cpu_seconds(process) - before, pair.adverts(node) - sent_before
    if sent <= 0:
        raise LabError("%s sent no advert in %d s" % (node, CPU_SECONDS))
    return used / sent * 1e6


def bare_cost(pair, node):
    """The same of a process that only wakes up every 20 ms and sends as many bytes to a process that takes
    them: what waking up and the network of this machine cost."""
    receiver = pair.lab.spawn(other(node), BARE, "receive")
    try:
        sent = pair.lab.execute(node, BARE, "send", pair.lab.address(other(node)), str(BARE_BYTES), str(CPU_SECONDS))
        return float(sent.stdout)
    finally:
        receiver.kill()
        receiver.wait()


def first_times(events, kind, node, begin, wanted):
    """When KIND first happened to each address of WANTED after BEGIN."""
    times = {}
    for when, what, who, address in events:
        if what == kind and who == node and when >= begin and address in wanted:
            times.setdefault(address, when)
    return list(times.values())


def move(pair, node, wanted):
    """The active NODE vanishes: {measure: value} of how the other one takes over."""
    taker, begin = other(node), time.monotonic()
    pair.observer.forget()
    vanish(pair, node)
    complete = wait_until(lambda: wanted <= pair.observer.owned[taker], 20, 0.01)
    time.sleep(1)
    events = list(pair.observer.events)
    gained = first_times(events, "gained", taker, begin, wanted)
    announced = first_times(events, "announcement", taker, begin, wanted)
    come_back(pair, node)
    if not complete or len(announced) < len(wanted):
        raise LabError("%s: %d of %d addresses moved, %d announced" % (
            pair.name, len(gained), len(wanted), len(announced)))
    return {"moved_within_ms": (max(gained) - min(gained)) * 1000,
            "announced_within_ms": (max(announced) - min(announced)) * 1000,
            "last_announced_ms": (max(announced) - begin) * 1000}


def measure(pair, layout, groups, rounds, table):
    wanted = {address for group in groups for address in group}
    for number in range(rounds):
        if not wait_until(lambda: owner(pair, wanted) and all(map(pair.is_ready, pair.lab.node_names())), 30, 0.05):
            raise LabError("%s: no owner of %s" % (pair.name, layout))
        table.note_load()
        time.sleep(1.5)
        node = owner(pair, wanted)
        if pair.name == "lbnode" and len(groups) == 1:
            table.add(layout, "bare adverts", {"cpu_per_advert_us": bare_cost(pair, node)}, {}, 0)
        values = {"cpu_per_advert_us": advert_cost(pair, node), **move(pair, node, wanted)}
        table.add(layout, pair.name, values, BARS if pair.name == "lbnode" else {}, 0)
        print("round %2d  %-18s %-16s %s" % (number + 1, layout, pair.name, "  ".join(
            "%s=%.1f" % item for item in values.items())), flush=True)


def run_layout(pair, layout, rounds, table, errors):
    groups = LAYOUTS[layout]
    try:
        pair.lab.up(2, 1)
        pair.observer = Observer(pair.lab, adverts=False)
        pair.prepare(groups)
        measure(pair, layout, groups, rounds, table)
        pair.observer.close()
    except (LabError, OSError) as error:
        errors.append("%s, %s: %s" % (pair.name, layout, error))
    finally:
        pair.lab.down()
