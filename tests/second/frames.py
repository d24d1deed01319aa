"""Packets and frames (docs/protocol.md sections 4 to 6)."""
from record import verify
from wire import (BYTES, FIXED, INT, VECTOR, be, decode, encode, need, read_varint, required, u64,
                  varint, vector_of)

HEARTBEAT, VV, RECORD, ACK, PULL, HEALTH, NOTICE, PULL_END, SWITCH, PROBE = 1, 2, 3, 4, 5, 6, 11, 15, 16, 18
HEALTH_WANTED = 19
BEGIN, STREAM, SNAPSHOT_RECORD, END, STOP = 20, 21, 22, 23, 24
DATAGRAM, BY_STREAM = 0, 1
HEAD, SIGNATURE, DATAGRAM_MAXIMUM = 44, 64, 1232
RECORD_BY_DATAGRAM, WINDOW = 1100, 2048
STREAM_MAXIMUM = 5 << 20

CLAIM = {1: ("group", 16), 2: ("family", INT), 3: ("vrid", INT), 4: ("state", INT), 5: ("priority", INT),
         6: ("age", INT), 7: ("interval", INT), 8: ("hindrance", INT), 9: ("source", INT), 10: ("since", INT)}
ACK_ITEM = {1: ("stream", FIXED), 2: ("received", INT), 3: ("durable", INT), 4: ("running", INT), 5: ("gaps", FIXED)}
STREAM_ROW = {1: ("node", 16), 2: ("key", 32), 3: ("last", INT), 4: ("hash", 32), 5: ("closed", INT),
              6: ("context", [VECTOR]), 7: ("incarnation", INT), 8: ("truncated", INT), 9: ("folded", INT),
              10: ("count", INT)}
BODIES = {
    HEARTBEAT: {1: ("clock", INT), 2: ("echo", INT), 3: ("since", INT), 4: ("wall", INT), 5: ("digest", FIXED),
                6: ("state", 8), 7: ("trouble", INT), 8: ("hears", INT), 9: ("roster", INT),
                10: ("claims", [CLAIM]), 11: ("sources", [BYTES]), 13: ("verdicts_sent", INT)},
    VV: {1: ("vector", [VECTOR]), 2: ("reply", INT), 3: ("folded_digest", FIXED), 4: ("folded", [VECTOR])},
    ACK: {1: ("streams", [ACK_ITEM])},
    PULL: {1: ("vector", [VECTOR]), 2: ("number", FIXED)},
    HEALTH: {1: ("incarnation", INT), 2: ("seq", INT), 3: ("entries", BYTES), 4: ("before", INT), 5: ("whole", INT)},
    HEALTH_WANTED: {},
    PULL_END: {1: ("more", INT), 2: ("number", FIXED)},
    SWITCH: {1: ("group", 16), 2: ("node", 16)},
    PROBE: {1: ("pool", 16)},
    BEGIN: {1: ("transfer", FIXED), 2: ("schema", INT), 3: ("state", 32), 4: ("streams", INT), 5: ("records", INT),
            6: ("clock", FIXED)},
    STREAM: {1: ("transfer", FIXED), 2: ("stream", FIXED), 3: ("row", STREAM_ROW)},
    SNAPSHOT_RECORD: {1: ("transfer", FIXED), 2: ("record", BYTES), 3: ("dead", BYTES), 4: ("replaced", BYTES)},
    END: {1: ("transfer", FIXED), 3: ("state", 32), 5: ("records", INT)},
    STOP: {1: ("transfer", FIXED)},
}
HEALTH_ENTRY, HEALTH_ENTRIES = 22, 16384
SNAPSHOT = (BEGIN, STREAM, SNAPSHOT_RECORD, END)


def check_heartbeat(body):
    need(body.get("clock"), "the clock is missing")
    body["claims"] = body["claims"][:16]
    body["sources"] = [source for source in body["sources"] if len(source) in (4, 16)][:16]
    before = {}
    for claim in body["claims"]:
        if "group" in before:
            claim.setdefault("group", before["group"])
        required(claim, "group")
        before = claim


def check_health(body):
    entries = body.get("entries", b"")
    need(len(entries) % HEALTH_ENTRY == 0, "health entries have %d bytes" % len(entries))
    need(len(entries) <= HEALTH_ENTRIES * HEALTH_ENTRY, "too many health entries")
    need(all(state & 15 <= 2 for state in entries[8::HEALTH_ENTRY]), "no such state of a member")
    body["entries"] = [
        {"member": entries[at:at + 8], "state": entries[at + 8] & 15, "rare": entries[at + 8] >> 7,
         "last_failed": entries[at + 8] >> 6 & 1,
         "reason": entries[at + 9], "round_trip": u64(entries[at + 10:at + 12]),
         "age": u64(entries[at + 12:at + 16]), "status": u64(entries[at + 16:at + 18]),
         "probe_age": u64(entries[at + 18:at + 22])}
        for at in range(0, len(entries), HEALTH_ENTRY)]


def check_dead(body):
    required(body, "transfer", "record")
    dead = body.get("dead", b"")
    need(len(dead) % 4 == 0, "dead operations")
    body["dead"] = [u64(dead[at:at + 4]) for at in range(0, len(dead), 4)]
    need(body["dead"] == sorted(set(body["dead"])), "dead operations are not ascending")


def frame_body(kind, data):
    """The decoded body of a frame: a dict; bytes for RECORD and NOTICE; None for an unknown kind."""
    if kind == RECORD:
        return data
    if kind == NOTICE:
        need(len(data) == 16, "a notice has %d bytes" % len(data))
        return data
    if kind not in BODIES:
        return None
    body = decode(data, BODIES[kind], exact=kind in SNAPSHOT, once=31 if kind in SNAPSHOT else 0)
    if kind == HEARTBEAT:
        check_heartbeat(body)
    elif kind == HEALTH:
        check_health(body)
    elif kind == SNAPSHOT_RECORD:
        check_dead(body)
    elif kind == ACK:
        for item in body["streams"]:
            required(item, "stream")
    for name in ("vector", "folded"):
        if name in body:
            body[name] = vector_of(body[name])
    return body


def raw_frames(data):
    """(type, bytes of the body) one after the other; Malformed where the rest makes no sense."""
    at = 0
    while at < len(data):
        kind, at = read_varint(data, at)
        size, at = read_varint(data, at)
        need(size <= len(data) - at, "a frame exceeds its packet")
        yield kind, data[at:at + size]
        at += size


def frames(data):
    """[(type, decoded body)] of the known types."""
    found = [(kind, frame_body(kind, body)) for kind, body in raw_frames(data)]
    return [(kind, body) for kind, body in found if body is not None]


def frame(kind, body):
    if not isinstance(body, bytes):
        body = encode(BODIES[kind], body)
    return varint(kind) + varint(len(body)) + body


class Packet:
    def __init__(self, data, channel):
        need(len(data) >= HEAD + SIGNATURE, "a packet of %d bytes" % len(data))
        need(channel != DATAGRAM or len(data) <= DATAGRAM_MAXIMUM, "a datagram of %d bytes" % len(data))
        need(data[:4] == b"LB\1" + bytes([channel]), "no packet of this version and channel")
        self.data, self.cluster, self.sender, self.receiver = data, data[4:12], data[12:20], data[20:28]
        self.incarnation, self.counter = u64(data[28:36]), u64(data[36:44])
        self.payload = data[HEAD:-SIGNATURE]

    def is_signed_by(self, key):
        return verify(key, self.data[-SIGNATURE:], b"lbnode-gossip-v1", self.data[:-SIGNATURE])

    def frames(self):
        return frames(self.payload)


def make_packet(signer, channel, cluster, sender, receiver, incarnation, counter, payload):
    head = b"LB\1" + bytes([channel]) + cluster[:8] + sender[:8] + receiver[:8] + be(incarnation) + be(counter)
    return head + payload + signer.sign(b"lbnode-gossip-v1", head + payload)


class Window:
    """Which counters of one sender and channel were seen."""

    def __init__(self):
        self.incarnation, self.highest, self.seen = 0, 0, set()

    def accept(self, incarnation, counter):
        if incarnation < self.incarnation or counter == 0:
            return False
        if incarnation > self.incarnation:
            self.incarnation, self.highest, self.seen = incarnation, 0, set()
        if counter in self.seen or counter + WINDOW <= self.highest:
            return False
        self.seen.add(counter)
        self.highest = max(self.highest, counter)
        if len(self.seen) > 2 * WINDOW:
            self.seen = {c for c in self.seen if c + WINDOW > self.highest}
        return True
