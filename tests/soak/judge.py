"""What must hold when the load has ended and everything has settled: figures in, rules out. No clock, no process.

figures = {
    "minutes": of load, "idle": {"sockets", "pipes"}, "settled": the same at the end, "settle_s", "pipe_limit",
    "memory": [(second of the load, anonymous KiB, shared KiB)], "memory_judged": false in a build with a sanitizer,
    "proxy_pids": all that were seen, "restarts": {process: count}, "errors": [event of level ERROR],
    "reports": what sanitizers said,
    "listeners": {name: {"board": {counter: n, "terminations": {reason: n}, "client_wait": requests whose head came},
                         "pool": {counter: n, "assigned": requests that got a member}, "members": {counter: sum},
                         "members_known": false when members were deleted while they served,
                         "clients": {figure of clients.py: n}, "kind": "HTTP" | "TCP", "steady": no member fails}},
    "guests": {figure: n} of the clients of a listener that comes and goes, "changes", "flaps": {kind: count},
}"""
from statistics import median

GROWTH_SHARE, GROWTH_KIB = 0.10, 4096
SHARED_GROWTH_KIB = 8192  # each new member or listener touches a further slot of the counter board, about 1 KiB; they are reused
SETTLE_S = 100
REFERENCE, LAST = (0.2, 0.3), (0.9, 1.0)  # minutes 3 and 10 of ten


class Verdict:
    def __init__(self):
        self.rows = []  # (rule, what was seen, what it may be, good)

    def add(self, rule, seen, bound, good):
        self.rows.append((rule, str(seen), str(bound), bool(good)))

    def equal(self, rule, seen, expected):
        self.add(rule, seen, "= %s" % expected, seen == expected)

    def most(self, rule, seen, most):
        self.add(rule, seen, "<= %s" % most, seen <= most)

    def least(self, rule, seen, least):
        self.add(rule, seen, ">= %s" % least, seen >= least)


def window(samples, part):
    end = samples[-1][0]
    return [sample for sample in samples if part[0] * end <= sample[0] <= part[1] * end]


def judge_memory(figures, verdict):
    """The median of the last tenth of the load, beside that of its third tenth."""
    if not figures["memory_judged"]:
        return
    samples = figures["memory"]
    reference, last = window(samples, REFERENCE) if samples else [], window(samples, LAST) if samples else []
    if not reference or not last:
        verdict.add("memory was sampled", "%d samples" % len(samples), "some", False)
        return
    for column, name, share, least in (1, "own memory", GROWTH_SHARE, GROWTH_KIB), (2, "shared memory", 0, SHARED_GROWTH_KIB):
        before, after = (median(sample[column] for sample in part) for part in (reference, last))
        bound = before + max(share * before, least)
        verdict.most("%s flat, KiB (%d before)" % (name, before), int(after), int(bound))


def judge_process(figures, verdict):
    verdict.equal("proxy processes seen", len(set(figures["proxy_pids"])), 1)
    verdict.equal("restarts of processes", sum(figures["restarts"].values()), 0)
    verdict.equal("events of level ERROR", len(figures["errors"]), 0)
    verdict.equal("reports of sanitizers", len(figures["reports"]), 0)


def judge_stuck(figures, verdict):
    verdict.equal("sockets back to the idle number", figures["settled"]["sockets"], figures["idle"]["sockets"])
    verdict.most("descriptors of pooled pipes", figures["settled"]["pipes"], figures["pipe_limit"])
    verdict.most("settled after the load, s", figures["settle_s"], SETTLE_S)
    for name, listener in figures["listeners"].items():
        gauges = (listener["board"]["active_connections"], listener["pool"]["queued"], listener["members"]["active"])
        verdict.equal(name + ": connections, queue, at members", "%d %d %d" % gauges, "0 0 0")


def ended(listener, *reasons):
    return sum(listener["board"]["terminations"][reason] for reason in reasons)


def judge_http(name, listener, verdict):
    """Requests = ended by reason - those whose head never was complete or good."""
    board, total = listener["board"], sum(listener["board"]["terminations"].values())
    headless = ended(listener, "bad_request", "client_timeout", "client_closed", "no_resources", "stopped")
    verdict.equal(name + ": requests = heads that came", board["requests"], board["client_wait"])
    verdict.least(name + ": ended by reason, of the requests", total, board["requests"])
    verdict.most(name + ": ended by reason, beyond the requests", total - board["requests"], headless)
    local = ended(listener, "bad_request", "no_member")
    verdict.most(name + ": requests answered here, not for the pool", board["requests"] - listener["pool"]["total"], local)


def judge_tcp(name, listener, verdict):
    board, total = listener["board"], sum(listener["board"]["terminations"].values())
    verdict.equal(name + ": accepted = ended by reason", board["total_connections"], total)
    verdict.equal(name + ": accepted = for the pool", board["total_connections"], listener["pool"]["total"])


def judge_pool(name, listener, verdict):
    """Each request for the pool got a member, or ended without one; each further attempt is a retry."""
    pool, members = listener["pool"], listener["members"]
    without = ended(listener, "no_member", "queue_full", "queue_timeout", "client_closed", "connect_failed", "stopped")
    verdict.least(name + ": for the pool, of those that got a member", pool["total"], pool["assigned"])
    verdict.most(name + ": for the pool, without a member", pool["total"] - pool["assigned"], without)
    attempts = pool["assigned"] + pool["retries"]
    if listener["members_known"]:
        verdict.equal(name + ": given to members = requests + retries", members["total"], attempts)
    else:
        verdict.most(name + ": given to members that are left", members["total"], attempts)


def judge_clients(name, listener, verdict):
    board, clients = listener["board"], listener["clients"]
    verdict.equal(name + ": answers that were not the right ones", clients["wrong"], 0)
    if listener["kind"] == "HTTP":
        verdict.least(name + ": requests, of what clients got answered", board["requests"], clients["answered"])
    if listener["steady"]:
        verdict.equal(name + ": failures that clients saw", clients["failed"], 0)
        verdict.equal(name + ": connections = those of the clients", board["total_connections"], clients["connections"])
        verdict.equal(name + ": bytes in = sent by clients", board["bytes_in"], clients["sent"])
        verdict.equal(name + ": bytes out = received by clients", board["bytes_out"], clients["received"])
        if listener["kind"] == "HTTP":
            verdict.equal(name + ": requests = those of the clients", board["requests"], clients["requests"])
            verdict.equal(name + ": all complete", ended(listener, "complete"), clients["requests"])
        return
    verdict.least(name + ": bytes out, of those that clients got", board["bytes_out"], clients["received"])
    if "sent" in clients:  # who only counts answers does not know the rest
        verdict.most(name + ": connections, of those of the clients", board["total_connections"], clients["connections"])
        verdict.most(name + ": bytes in, of those that clients sent", board["bytes_in"], clients["sent"])


def judge_load(figures, verdict):
    """A run in which nothing happened proves nothing."""
    for name, listener in figures["listeners"].items():
        verdict.least(name + ": answers to clients", listener["clients"]["answered"], 1)
    for what in "changes", "flaps":
        verdict.least(what + " during the load", sum(figures[what].values()), 1)


def judge_guests(figures, verdict):
    """What its listener counted is gone with it."""
    verdict.least("guest: answers to clients", figures["guests"]["answered"], 1)
    verdict.equal("guest: answers that were not the right ones", figures["guests"]["wrong"], 0)


def judge(figures):
    """[(rule, seen, bound, good)]."""
    verdict = Verdict()
    judge_process(figures, verdict)
    judge_memory(figures, verdict)
    judge_stuck(figures, verdict)
    judge_load(figures, verdict)
    judge_guests(figures, verdict)
    for name, listener in figures["listeners"].items():
        (judge_http if listener["kind"] == "HTTP" else judge_tcp)(name, listener, verdict)
        judge_pool(name, listener, verdict)
        judge_clients(name, listener, verdict)
    return verdict.rows
