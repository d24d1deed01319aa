"""The log of a node: streams, their records and keys, and the checks on receipt (docs/protocol.md section 3)."""
from record import Record, key_id
from state import State, merge
from wire import need

PENDING = 1024


class Stream:
    def __init__(self, node, key, incarnation):
        self.node, self.key, self.incarnation = node, key, incarnation
        self.last, self.hash, self.closed = 0, None, False


class Log:
    def __init__(self, genesis):
        self.genesis, self.state = genesis, State(genesis)
        self.streams, self.records, self.pending = {}, {}, {}
        self.clock, self.folded = 0, {}
        self.events = []

    def vector(self):
        """What is here, clipped to cut-offs, without folded streams."""
        return {s: found.last for s, found in self.streams.items() if found.last and s not in self.folded}

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
            need(len(self.pending) < PENDING, "too many records wait")
            self.check_signer(record, known)
            self.pending[record.stream, record.seq] = record
        return self.settle(wall)

    def check_again(self, record, known):
        mine = self.records.get((record.stream, record.seq))
        if mine and mine.hash() != record.hash() and record.is_signed_by(known.key, self.genesis.cluster):
            known.closed = True
            self.events.append("EQUIVOCATION")

    def check_signer(self, record, known):
        """By the roster, where it can be told already whose the record is."""
        if known:
            need(not known.closed, "the stream is closed")
            node, key = known.node, known.key
        elif record.node:
            node, key = record.node["id"], self.state.key_of(record.node["id"])
            need(key, "the signer is not in the roster")
            need(record.node["key"] == key_id(key), "the key id does not fit")
        else:
            return
        status, cutoffs = self.state.status(node)
        need(not status or record.seq <= cutoffs.get(record.stream, 0), "beyond the cut-off")
        need(record.is_signed_by(key, self.genesis.cluster), "the record is forged")

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
        return all(s in self.streams and self.streams[s].last >= n for s, n in record.dependencies.items())

    def commit(self, record, wall):
        known = self.streams.get(record.stream)
        if not known:
            node = record.node["id"]
            known = Stream(node, self.state.key_of(node), record.node["incarnation"])
        self.check_signer(record, known)
        need(record.previous == known.hash, "the predecessor is another one")
        self.streams[record.stream] = known
        known.last, known.hash = record.seq, record.hash()
        self.records[record.stream, record.seq] = record
        self.observe(record.clock, wall)
        self.state.apply(record)

    def missing_from(self, vector):
        """The records that VECTOR lacks, by clock."""
        found = [r for (stream, seq), r in self.records.items() if seq > vector.get(stream, 0)]
        return sorted(found, key=lambda r: (r.clock, r.stream, r.seq))

    def lacks(self, vector):
        mine = self.vector()
        return any(seq > mine.get(stream, 0) for stream, seq in vector.items())

    def received(self, stream):
        """(highest seq without a gap, gap map) of STREAM, with what waits."""
        known = self.streams.get(stream)
        top = known.last if known else 0
        while (stream, top + 1) in self.pending:
            top += 1
        return top, sum(1 << bit for bit in range(64) if (stream, top + 2 + bit) in self.pending)


__all__ = ["Log", "Stream", "merge"]
