"""Snapshots (docs/protocol.md section 6): the parts in, a new log out; or a log in, the parts out."""
import secrets
import time

from frames import BEGIN, END, SNAPSHOT_RECORD, STREAM
from log import Log, Stream
from record import Record, key_id
from state import FACET_KEY, NODE_TYPE, read_key
from wire import Malformed, be, need, required, vector_items, vector_of

STREAMS = 65536


class Snapshot:
    def __init__(self, genesis):
        self.log = Log(genesis)
        self.begin, self.rows, self.records, self.done = None, {}, 0, False
        self.keys = set()

    def take(self, kind, body):
        """One part in its turn; raises Malformed when the whole is to be given up."""
        need(not self.done and (self.begin is None) == (kind == BEGIN), "a part out of turn")
        if kind == BEGIN:
            self.begin = required(body, "transfer", "schema", "state", "streams", "records", "clock")
            need(body["transfer"] and body["schema"] == 1 and body["streams"] <= STREAMS, "BEGIN")
            return
        need(body.get("transfer") == self.begin["transfer"], "a part of another transfer")
        if kind == STREAM:
            self.take_stream(body)
            return
        need(len(self.rows) == self.begin["streams"], "STREAM parts are missing")
        if kind == SNAPSHOT_RECORD:
            self.take_record(Record(body["record"]), body["dead"], replaced_of(body.get("replaced", b"")))
        else:
            need(kind == END, "a part of kind %d" % kind)
            self.finish(required(body, "state", "records"))

    def take_stream(self, body):
        stream, row = required(body, "stream", "row")["stream"], required(body["row"], "node", "key")
        need(not self.records and len(self.rows) < self.begin["streams"], "a STREAM out of turn")
        need(stream and (not self.rows or stream > max(self.rows)), "streams are not ascending")
        row.setdefault("last", 0)
        need(row.get("truncated", 0) <= row["last"] and any(row["node"]), "the row about a stream")
        row["context"] = vector_of(row["context"])
        self.rows[stream] = row
        self.log.streams[stream] = Stream(row["node"], row["key"], row.get("incarnation", 0))
        self.log.streams[stream].truncated = row.get("truncated", 0)
        if row.get("folded"):
            self.log.folded.add(stream)

    def take_record(self, record, dead, replaced):
        row, known = self.rows.get(record.stream), self.log.streams.get(record.stream)
        need(row, "a record of no announced stream")
        need(known.last < record.seq <= row["last"], "a record out of turn")
        truncated = row.get("truncated", 0)
        need(record.seq <= truncated or record.seq == max(known.last, truncated) + 1, "a gap")
        need(known.last + 1 != record.seq or record.previous == known.hash, "another predecessor")
        key = row["key"]
        need(key in self.keys_of(row["node"]), "the key of the stream is not that of its node")
        need(not record.node or (record.node["id"] == row["node"] and record.node["key"] == key_id(key)), "node")
        need(record.is_signed_by(key, self.log.genesis.cluster), "the record is forged")
        need(all(index < len(record.operations) for index in dead), "a dead operation that is none")
        known.last, known.hash = record.seq, record.hash()
        self.log.records[record.stream, record.seq] = record
        self.log.state.owners[record.stream] = (row["node"], key_id(key))
        self.log.state.put(record, dead, replaced)
        self.note_keys(record)
        self.records += 1

    def note_keys(self, record):
        """Nodes may have had other keys than now."""
        for operation in record.operations:
            if operation["type"] == NODE_TYPE and operation["facet"] == FACET_KEY:
                try:
                    self.keys.add((operation["object"], read_key(operation["value"])))
                except (Malformed, ValueError):
                    continue

    def keys_of(self, node):
        return {key for one, key in self.keys if one == node} | {self.log.state.key_of(node)}

    def finish(self, end):
        need(end["records"] == self.records, "records are missing")
        need(self.begin["state"] == end["state"] == self.log.state.hash(), "the state hashes differ")
        for stream, row in self.rows.items():
            known = self.log.streams[stream]
            if row["last"] > row.get("truncated", 0):
                need(known.last == row["last"] and known.hash == row.get("hash"), "a stream is not whole")
            need(not row["last"] or row["key"] in self.keys_of(row["node"]), "the node of a stream is not in the roster")
            known.last, known.hash, known.closed = row["last"], row.get("hash"), bool(row.get("closed"))
            self.log.state.contexts[stream] = row["context"]
        self.log.find_limits()
        self.log.observe(self.begin["clock"], time.time_ns() // 1000000)
        self.done = True



# ---- sending ------------------------------------------------------------------------------------

def dead_of(state, record):
    """The numbers of the operations of RECORD that provide nothing."""
    dead = []
    for index, operation in enumerate(record.operations):
        place = (record.clock, record.stream, record.seq, index)
        if place not in [e.place for e in state.not_replaced(operation["object"], operation["facet"])]:
            dead.append(index)
    return dead


def replaced_by(state, record):
    """What replaced the operations of RECORD, for all of which that is known."""
    out = b""
    for index, operation in enumerate(record.operations):
        entry = state.facets.get((operation["object"], operation["facet"]), {}).get((record.stream, record.seq))
        if entry and entry.place[3] == index and (entry.by or state.is_void((record.stream, record.seq))):
            dots = b"".join(be(stream) + be(seq) for stream, seq in entry.by.items())
            out += be(index, 4) + be(len(entry.by), 4) + dots
    return out


def replaced_of(data):
    """{operation: dots}"""
    found, at = {}, 0
    while at < len(data):
        need(len(data) - at >= 8, "an entry is cut off")
        index, count = int.from_bytes(data[at:at + 4], "big"), int.from_bytes(data[at + 4:at + 8], "big")
        need(index > max(found, default=-1) and len(data) - at - 8 >= 16 * count, "an entry is cut off")
        numbers = [int.from_bytes(data[i:i + 8], "big") for i in range(at + 8, at + 8 + 16 * count, 8)]
        found[index], at = list(zip(numbers[::2], numbers[1::2])), at + 8 + 16 * count
    return found


def row_of(log, stream):
    known = log.streams[stream]
    count = sum(1 for place in log.records if place[0] == stream)
    return {"node": known.node, "key": known.key, "last": known.last, "hash": known.hash, "closed": int(known.closed),
            "context": vector_items(log.state.contexts.get(stream, {})), "incarnation": known.incarnation,
            "truncated": known.truncated, "folded": int(stream in log.folded), "count": count}


def parts_of(log):
    """[(type, part)] of the whole state in LOG."""
    transfer, state = int.from_bytes(secrets.token_bytes(8), "big") or 1, log.state.hash()
    records = log.missing_from({})
    parts = [(BEGIN, {"transfer": transfer, "schema": 1, "state": state, "streams": len(log.streams),
                      "records": len(records), "clock": log.clock})]
    for stream in sorted(log.streams):
        parts.append((STREAM, {"transfer": transfer, "stream": stream, "row": row_of(log, stream)}))
    for record in records:
        dead = b"".join(be(index, 4) for index in dead_of(log.state, record))
        parts.append((SNAPSHOT_RECORD, {"transfer": transfer, "record": record.data, "dead": dead or None,
                                        "replaced": replaced_by(log.state, record) or None}))
    return parts + [(END, {"transfer": transfer, "state": state, "records": len(records)})]
