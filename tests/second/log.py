"""The log of a node: streams, their records and keys, and the checks on receipt (docs/protocol.md section 3)."""
from record import Record, key_id
from state import NODE_TYPE, NO_LIMIT, State
from wire import Malformed, need

PENDING = 1024


class Unknown(Malformed):
    """A record of which nobody can tell whose it is: its stream has to be asked for."""


class Stream:
    def __init__(self, node, key, incarnation):
        self.node, self.key, self.incarnation = node, key, incarnation
        self.key_id = key_id(key)
        self.last, self.hash, self.closed, self.truncated = 0, None, False, 0


class Log:
    def __init__(self, genesis):
        self.genesis, self.state = genesis, State(genesis)
        self.streams, self.records, self.pending = {}, {}, {}
        self.clock, self.folded = 0, set()
        self.events = []

    def limit(self, stream):
        """The last seq of the known STREAM that counts."""
        return self.state.limits.get(stream, NO_LIMIT)

    def find_limits(self):
        """After a change of node objects. What is void may itself have said who is removed."""
        for _ in range(64):
            limits = {}
            for stream, known in self.streams.items():
                node = self.state.author(known.node)
                limits[stream] = node.limit(stream, known.key_id) if node else 0
            if limits == self.state.limits:
                return
            self.state.limits = limits

    def vector(self):
        """What is here, clipped to cut-offs, folded streams included."""
        clipped = {s: min(found.last, self.limit(s)) for s, found in self.streams.items()}
        return {s: seq for s, seq in clipped.items() if seq}

    def divided(self):
        """(the vector without folded streams, that of folded ones)"""
        vector = self.vector()
        return ({s: n for s, n in vector.items() if s not in self.folded},
                {s: n for s, n in vector.items() if s in self.folded})

    def tick(self, wall):
        self.clock = max(self.clock + 1, wall << 16)
        return self.clock

    def observe(self, clock, wall):
        if clock > self.clock and clock >> 16 <= wall + 24 * 3600 * 1000:
            self.clock = clock

    def receive(self, data, wall):
        """Takes the record DATA; the names of the streams that moved."""
        record = Record(data)
        known = self.streams.get(record.stream)
        if known and record.seq <= known.last:
            self.check_again(record, known)
            return set()
        if (record.stream, record.seq) not in self.pending:
            self.check_signer(record, known)
            need(len(self.pending) < PENDING, "too many records wait")
            self.pending[record.stream, record.seq] = record
        return self.settle(wall)

    def check_again(self, record, known):
        mine = self.records.get((record.stream, record.seq))
        if mine and mine.hash() != record.hash() and record.is_signed_by(known.key, self.genesis.cluster):
            known.closed = True
            self.events.append("EQUIVOCATION")

    def check_signer(self, record, known):
        """The key of a stream is that of its node when it began; who sees a later record first asks for more."""
        if not known and not record.node:
            raise Unknown("the stream is not known yet")
        node = self.state.author(known.node if known else record.node["id"])
        need(node, "nobody admitted the signer")
        need(known or record.node["key"] == key_id(node.key), "the key id does not fit")
        need(not known or not known.closed, "the stream is closed")
        need(record.is_signed_by(known.key if known else node.key, self.genesis.cluster), "the record is forged")
        limit = node.limit(record.stream, known.key_id if known else record.node["key"])
        if not known and not limit:  # void: only whose it is gets known
            self.streams[record.stream] = Stream(record.node["id"], node.key, record.node["incarnation"])
            self.find_limits()
        need(record.seq <= limit, "beyond the cut-off")

    def settle(self, wall):
        """Applies what waits and may."""
        moved, again = set(), True
        while again:
            again = False
            for place in sorted(self.pending):
                record = self.pending[place]
                if self.is_ready(record):
                    del self.pending[place]
                    self.commit(record, wall)
                    moved.add(record.stream)
                    again = True
        return moved

    def is_ready(self, record):
        known = self.streams.get(record.stream)
        if record.seq != (known.last if known else 0) + 1:
            return False
        return all(s in self.streams and self.streams[s].last >= min(n, self.limit(s))
                   for s, n in record.dependencies.items())

    def commit(self, record, wall):
        known = self.streams.get(record.stream)
        if not known:
            node = record.node["id"]
            known = Stream(node, self.state.key_of(node), record.node["incarnation"])
        node = self.state.author(known.node)
        if node and record.seq > node.limit(record.stream, known.key_id):
            return
        need(record.previous == known.hash, "the predecessor is another one")
        self.streams[record.stream] = known
        self.folded.discard(record.stream)
        known.last, known.hash = record.seq, record.hash()
        self.records[record.stream, record.seq] = record
        self.observe(record.clock, wall)
        self.state.owners[record.stream] = (known.node, known.key_id)
        self.state.apply(record)
        if record.seq == 1 or any(o["type"] == NODE_TYPE for o in record.operations):
            self.find_limits()

    def missing_from(self, vector):
        """The records that VECTOR lacks, by clock."""
        found = [r for (stream, seq), r in self.records.items() if seq > vector.get(stream, 0)]
        return sorted(found, key=lambda r: (r.clock, r.stream, r.seq))

    def lacks(self, vector):
        mine = self.vector()
        return any(seq > mine.get(s, 0) and (s not in self.streams or mine.get(s, 0) < self.limit(s))
                   for s, seq in vector.items())

    def received(self, stream):
        """(highest seq without a gap, gap map) of STREAM, with what waits."""
        known = self.streams.get(stream)
        top = known.last if known else 0
        while (stream, top + 1) in self.pending:
            top += 1
        return top, sum(1 << bit for bit in range(64) if (stream, top + 2 + bit) in self.pending)

