#!/usr/bin/env python3
"""A second implementation of the replication protocol, written from docs/protocol.md alone: it shows that the
document suffices. It keeps nothing on disk and serves nobody.

node.py --token TOKEN --name NAME --address ADDRESS: joins, then gossips. It reads commands from standard input,
one JSON object a line, and answers each with one on standard output:
  {"do": "look"}                              what it has, what its peers said, what it counted
  {"do": "rename", "pool": ID, "name": TEXT}  a record of its own; "blind": true: it concurs with what came last
  {"do": "deaf", "on": BOOL}                  records that are pushed to it are lost: it has to ask for them
  {"do": "mute", "on": BOOL}                  it pushes none of its own: the others have to ask for them
  {"do": "odd"}, {"do": "wrong"}              records that others have to take, and to refuse
  {"do": "equivocate"}                        a second record in the place of its last one
  {"do": "forge"}                             a packet with a wrong signature, and one that comes twice
  {"do": "token"}                             a token by which a node may join through this one"""
import argparse
import collections
import json
import secrets
import selectors
import socket
import sys
import time

import frames as f
import oddities
from invite import Invitation, is_join, make_token
from join import join
from log import Unknown
from record import CONFIGURATION, META, ROSTER, WHO, Record, Signer, key_id, record_body
from state import NODE_TYPE, merge
from wire import TEXT, Malformed, be, blake2b, encode, u64, vector_digest, vector_items

PORT = 7850
COMMANDS = {"look": "look", "rename": "rename", "deaf": "be_deaf", "mute": "be_mute", "odd": "write_odd",
            "wrong": "send_wrong", "equivocate": "equivocate", "forge": "forge",
            "token": "token"}
POOL_TYPE = 4
META_FIELDS = {1: ("name", TEXT), 2: ("description", TEXT), 3: ("tags", [TEXT])}
HEARTBEAT_S, DIFFERS_S, VV_S, REPEAT_S, PULL_S, IDLE_S = 0.2, 0.25, 1.0, 0.1, 2.0, 60.0
FIRST_MESSAGE_MAXIMUM = 2048
PULL_RECORDS, PULL_BYTES = 512, 1 << 20


def wall_ms():
    return time.time_ns() // 1000000


class Peer:
    """What is known of another node: what it said last, and what we asked it."""

    def __init__(self, node):
        self.node, self.windows = node, (f.Window(), f.Window())
        self.heard_at = self.clock_at = self.differs_since = self.asked_at = self.pull_at = 0.0
        self.clock, self.heartbeat, self.pull, self.answered = 0, {}, None, None
        self.acknowledged, self.stream, self.pushed_at = {}, None, 0.0


class Link:
    """A connection on which a peer sends packets to us."""

    def __init__(self, connection):
        self.connection, self.data, self.first, self.invitation = connection, b"", True, None

    def packets(self):
        """The whole packets that arrived; raises Malformed, or EOFError at the end."""
        more = self.connection.recv(1 << 16)
        if not more:
            raise EOFError
        self.data += more
        while len(self.data) >= 4:
            size = u64(self.data[:4])
            if size > (FIRST_MESSAGE_MAXIMUM if self.first else f.STREAM_MAXIMUM):
                raise Malformed("a message of %d bytes" % size)
            if len(self.data) < 4 + size:
                return
            yield self.data[4:4 + size]
            self.data, self.first = self.data[4 + size:], False


class Node:
    def __init__(self, token, name, address):
        self.id, self.signer, self.address = secrets.token_bytes(16), Signer(), address
        self.waiting = selectors.DefaultSelector()
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind((address, PORT))
        self.listener = socket.create_server((address, PORT))
        self.waiting.register(self.datagrams, selectors.EVENT_READ, self.on_datagram)
        self.waiting.register(self.listener, selectors.EVENT_READ, self.on_connection)
        self.waiting.register(sys.stdin, selectors.EVENT_READ, self.on_command)
        self.log = join(token, self.id, self.signer, name, "%s:%d" % (address, PORT))
        self.cluster, self.incarnation = self.log.genesis.cluster, wall_ms()
        self.counters, self.peers = [0, 0], {}
        self.own = int.from_bytes(secrets.token_bytes(8), "big") or 1
        self.said_of = {}  # the dependencies that our records told
        self.deaf = self.mute = False
        self.tokens = {}  # id -> secret
        self.counts = collections.Counter()
        self.heartbeat_at = 0.0

    # ---- sending ------------------------------------------------------------------------------

    def packet(self, peer, channel, payload):
        self.counters[channel] += 1
        return f.make_packet(self.signer, channel, self.cluster, self.id, peer.node, self.incarnation,
                             self.counters[channel], payload)

    def endpoint(self, peer):
        address, _, port = self.log.state.roster()[peer.node].addresses[0].rpartition(":")
        return address.strip("[]"), int(port)

    def send(self, peer, kind, body):
        payload = f.frame(kind, body)
        if kind == f.RECORD and len(body) > f.RECORD_BY_DATAGRAM:
            self.send_by_stream(peer, [payload])
        else:
            self.datagrams.sendto(self.packet(peer, f.DATAGRAM, payload), self.endpoint(peer))

    def send_by_stream(self, peer, payloads):
        try:
            if not peer.stream:
                peer.stream = socket.create_connection(self.endpoint(peer), timeout=1)
                payloads = [b"", *payloads]
            for payload in payloads:
                packet = self.packet(peer, f.BY_STREAM, payload)
                peer.stream.sendall(be(len(packet), 4) + packet)
        except OSError:
            self.close_stream(peer)

    def close_stream(self, peer):
        if peer.stream:
            peer.stream.close()
        peer.stream = None

    def heartbeat(self, peer, now):
        active = self.log.state.active()
        hears = 0
        for rank, node in enumerate(active):
            other = self.peers.get(node[:8])
            if other and other.heard_at and now - other.heard_at < 5 * HEARTBEAT_S:
                hears |= 1 << rank
        body = {"clock": int(now * 1e6), "wall": wall_ms(), "digest": vector_digest(self.log.vector()),
                "state": self.log.state.hash()[:8], "trouble": 0, "hears": hears,
                "roster": u64(blake2b(b"".join(active), 64)[:4])}
        if peer.clock:
            body.update(echo=peer.clock, since=int((now - peer.clock_at) * 1e6))
        self.send(peer, f.HEARTBEAT, body)

    def send_vector(self, peer, reply):
        here, folded = self.log.divided()
        body = {"vector": vector_items(here), "reply": reply}
        if folded:
            body.update(folded_digest=vector_digest(folded), folded=vector_items(folded))
        self.send(peer, f.VV, body)

    def acknowledge(self, peer):
        items = []
        for stream, known in sorted(self.log.streams.items()):
            if known.node == peer.node and known.last:
                received, gaps = self.log.received(stream)
                items.append({"stream": stream, "received": received, "durable": known.last, "running": known.last,
                              "gaps": gaps or None})
        self.send(peer, f.ACK, {"streams": items})

    def send_pull(self, peer):
        self.send(peer, f.PULL, {"vector": vector_items(self.log.vector()), "number": peer.pull})

    # ---- time ---------------------------------------------------------------------------------

    def meet(self):
        """The peers are the other active nodes of the roster."""
        active = [node for node in self.log.state.active() if node != self.id]
        for node in active:
            self.peers.setdefault(node[:8], Peer(node))
        for key in [key for key, peer in self.peers.items() if peer.node not in active]:
            self.close_stream(self.peers.pop(key))

    def tick(self, now):
        if now - self.heartbeat_at >= HEARTBEAT_S:
            self.heartbeat_at = now
            self.meet()
            for peer in self.peers.values():
                self.heartbeat(peer, now)
        for peer in self.peers.values():
            if not self.mute and now - peer.pushed_at >= REPEAT_S:
                self.push(peer, now)
            self.compare(peer, now)

    def push(self, peer, now):
        """Own records that PEER did not receive yet."""
        peer.pushed_at = now
        top = self.log.vector().get(self.own, 0)
        for seq in range(peer.acknowledged.get("received", 0) + 1, top + 1):
            self.send(peer, f.RECORD, self.log.records[self.own, seq].data)

    def compare(self, peer, now):
        """Anti-entropy: digests that differ for a while lead to VV, then to PULL."""
        if peer.pull and now - peer.pull_at > PULL_S:
            peer.pull = None
        if not peer.heartbeat or peer.heartbeat["digest"] == vector_digest(self.log.vector()):
            peer.differs_since = 0.0
            return
        peer.differs_since = peer.differs_since or now
        if now - peer.differs_since >= DIFFERS_S and now - peer.asked_at >= VV_S:
            peer.asked_at = now
            self.send_vector(peer, 1)

    # ---- receiving ----------------------------------------------------------------------------

    def on_datagram(self, _):
        data, _ = self.datagrams.recvfrom(65536)
        self.on_packet(data, f.DATAGRAM)

    def on_connection(self, _):
        connection, _ = self.listener.accept()
        self.waiting.register(connection, selectors.EVENT_READ, Link(connection))

    def on_link(self, link):
        try:
            for data in link.packets():
                if link.invitation or (link.first and is_join(data)):
                    self.on_joiner(link, data)
                else:
                    self.on_packet(data, f.BY_STREAM)
        except (EOFError, OSError, Malformed):
            self.waiting.unregister(link.connection)
            link.connection.close()

    def on_joiner(self, link, data):
        """Lets a node in that has one of our tokens; EOFError when all is said."""
        link.invitation = link.invitation or Invitation(link.connection, self.tokens, self.log, self.let_in,
                                                      self.signer)
        if link.invitation.take(data):
            raise EOFError

    def let_in(self, operations):
        self.write(record_body({**self.draft(operations), "kind": ROSTER}))

    def token(self):
        secret = secrets.token_bytes(16)
        self.tokens[blake2b(b"lbnode-token-id-v1", 64, key=secret)] = secret
        return {"token": make_token(self.cluster, self.address, PORT, self.signer.public, secret)}

    def on_packet(self, data, channel):
        try:
            packet = f.Packet(data, channel)
            peer = self.sender(packet, channel)
            for kind, data in f.raw_frames(packet.payload):
                self.counts["frame %d" % kind] += 1
                self.on_raw_frame(peer, kind, data, channel)
        except Malformed as error:
            self.counts["refused: %s" % error] += 1

    def on_raw_frame(self, peer, kind, data, channel):
        """A frame that is malformed is dropped alone."""
        try:
            self.on_frame(peer, kind, f.frame_body(kind, data), channel)
        except Malformed as error:
            self.counts["refused: %s" % error] += 1

    def sender(self, packet, channel):
        peer = self.peers.get(packet.sender)
        if not peer or packet.cluster != self.cluster[:8] or packet.receiver != self.id[:8]:
            raise Malformed("a stranger's packet")
        if not packet.is_signed_by(self.log.state.key_of(peer.node)):
            raise Malformed("a forged packet")
        if not peer.windows[channel].accept(packet.incarnation, packet.counter):
            raise Malformed("an old packet")
        peer.heard_at = time.monotonic()
        return peer

    def on_frame(self, peer, kind, body, channel):
        if kind == f.HEARTBEAT:
            self.on_heartbeat(peer, body)
        elif kind == f.VV:
            self.on_vector(peer, body)
        elif kind == f.RECORD:
            self.on_record(peer, body, channel)
        elif kind == f.ACK:
            self.on_ack(peer, body)
        elif kind == f.PULL:
            self.on_pull(peer, body)
        elif kind == f.PULL_END and peer.pull and body.get("number", 0) in (0, peer.pull):
            peer.pull = None
            self.counts["pulls answered"] += 1
            if body.get("more"):
                self.ask(peer)
        elif kind == f.NOTICE and body == self.id:
            self.counts["notices of our removal"] += 1
        elif kind == f.BEGIN:
            self.send(peer, f.STOP, {"transfer": body.get("transfer", 0)})

    def on_heartbeat(self, peer, body):
        peer.heartbeat, peer.clock, peer.clock_at = body, body["clock"], time.monotonic()
        if "state" in body and body["digest"] == vector_digest(self.log.vector()):
            same = body["state"] == self.log.state.hash()[:8]
            self.counts["state hashes that %s" % ("agree" if same else "differ")] += 1

    def on_vector(self, peer, body):
        if body.get("reply"):
            self.send_vector(peer, 0)
        if self.log.lacks(body["vector"]) and not peer.pull:
            self.ask(peer)

    def ask(self, peer):
        peer.pull, peer.pull_at = int.from_bytes(secrets.token_bytes(8), "big") or 1, time.monotonic()
        self.counts["pulls"] += 1
        self.send_pull(peer)

    def on_record(self, peer, data, channel):
        asked = peer.pull and channel == f.BY_STREAM
        if self.deaf and not asked:
            self.counts["records lost"] += 1
            return
        self.counts["records by a pull" if asked else "records by a push"] += 1
        try:
            self.log.receive(data, wall_ms())
        except Unknown:
            if not peer.pull:
                self.ask(peer)
        self.acknowledge(peer)

    def on_ack(self, peer, body):
        for item in body["streams"]:
            if item["stream"] == self.own:
                peer.acknowledged = item
        if not body["streams"]:
            self.acknowledge(peer)

    def on_pull(self, peer, body):
        """The records that the vector lacks, then PULL_END, on a stream of ours."""
        if body.get("number"):
            if body["number"] == peer.answered:
                return
            peer.answered = body["number"]
        missing = self.log.missing_from(body["vector"])
        chosen, size = [], 0
        for record in missing[:PULL_RECORDS]:
            size += len(record.data)
            if chosen and size > PULL_BYTES:
                break
            chosen.append(f.frame(f.RECORD, record.data))
        end = {"more": int(len(chosen) < len(missing)), "number": body.get("number")}
        self.counts["pulls given"] += 1
        self.counts["records given"] += len(chosen)
        self.send_by_stream(peer, chosen + [f.frame(f.PULL_END, end)])

    # ---- own records and commands -------------------------------------------------------------

    def draft(self, operations, blind=False):
        """The fields of our next record; BLIND: as if nothing came since the last one."""
        vector = self.log.vector()  # to name folded streams too is never wrong
        seq = vector.pop(self.own, 0) + 1
        risen = {} if blind else {s: n for s, n in vector.items() if n > self.said_of.get(s, 0)}
        known = self.log.streams.get(self.own)
        first = {"id": self.id, "key": key_id(self.signer.public), "incarnation": self.incarnation}
        return {"stream": self.own, "seq": seq, "previous": known.hash if known else None,
                "clock": self.log.tick(wall_ms()), "wall": wall_ms(), "dependencies": vector_items(risen),
                "node": None if known else first, "kind": CONFIGURATION, "change": secrets.token_bytes(16),
                "who": encode(WHO, {"principal": "second", "via": "cli"}), "operations": operations}

    def sign(self, body):
        return body + self.signer.sign(b"lbnode-record-v1", self.cluster, body)

    def write(self, body):
        """Our next record, with BODY; its place."""
        record = Record(self.sign(body))
        merge(self.said_of, record.dependencies)
        self.log.receive(record.data, wall_ms())
        for peer in self.peers.values():
            if not self.mute:
                self.push(peer, time.monotonic())
        return {"stream": "%016x" % record.stream, "seq": record.seq}

    def rename(self, pool, name, blind=False):
        thing = bytes.fromhex(pool.replace("-", ""))
        before = self.log.state.counting(thing, META)
        value = dict(self.log.state.value(thing, META, META_FIELDS), name=name)
        return self.write(record_body(self.draft([{
            "object": thing, "type": before.type, "facet": META, "owner": before.owner,
            "value": encode(META_FIELDS, value)}], blind)))

    def write_odd(self):
        """Records that all have to take, strange as they are."""
        other = next(s for s in sorted(self.log.vector()) if s != self.own)
        for _, changed in oddities.odd(self.own, other):
            place = self.write(oddities.body_of({**oddities.parts_of(**self.draft([])), **changed}))
        return place

    def send_wrong(self):
        """Records that all have to refuse; the number of their place. One is not even signed by us."""
        parts = oddities.parts_of(**self.draft([]))
        bodies = [body for _, body in oddities.wrong(parts)]
        records = [self.sign(body) for body in bodies] + [oddities.body_of(parts) + bytes(64)]
        for peer in self.peers.values():
            for data in records:
                self.send(peer, f.RECORD, data)
        return {"sent": len(records)}

    def equivocate(self):
        """Another record in the place of our last one."""
        last = self.log.records[self.own, self.log.streams[self.own].last]
        body = record_body({**self.draft([]), "seq": last.seq, "previous": last.previous})
        for peer in self.peers.values():
            self.send(peer, f.RECORD, self.sign(body))
        return {}

    def forge(self):
        """A packet with a signature that is none, and one that was sent already."""
        for peer in self.peers.values():
            packet = self.packet(peer, f.DATAGRAM, f.frame(f.ACK, {}))
            self.datagrams.sendto(packet[:-1] + bytes([packet[-1] ^ 1]), self.endpoint(peer))
            for _ in range(2):
                self.datagrams.sendto(packet, self.endpoint(peer))
        return {}

    def is_heard_by(self, peer):
        """Does PEER say so, and mean the same roster?"""
        active = self.log.state.active()
        digest = u64(blake2b(b"".join(active), 64)[:4])
        return (peer.heartbeat.get("roster") == digest and
                bool(peer.heartbeat.get("hears", 0) >> active.index(self.id) & 1))

    def look(self):
        state = self.log.state
        return {
            "node": self.id.hex(), "hash": state.hash().hex(), "digest": vector_digest(self.log.vector()),
            "vector": {"%016x" % s: n for s, n in self.log.vector().items()}, "counts": self.counts,
            "events": self.log.events, "nodes": len(state.objects(NODE_TYPE)),
            "pools": {t.hex(): state.value(t, META, META_FIELDS).get("name") for t in state.objects(POOL_TYPE)},
            "peers": [{"node": p.node.hex(), "digest": p.heartbeat.get("digest"), "echo": p.heartbeat.get("echo"),
                       "hears us": self.is_heard_by(p), "state": p.heartbeat.get("state", b"").hex(),
                       "acknowledged": p.acknowledged} for p in self.peers.values()]}

    def on_command(self, _):
        line = sys.stdin.readline()
        if not line:
            sys.exit(0)
        command = json.loads(line)
        do = command.pop("do")
        print(json.dumps(getattr(self, COMMANDS[do])(**command)), flush=True)

    def be_deaf(self, on):
        self.deaf = on

    def be_mute(self, on):
        self.mute = on

    def run(self):
        self.meet()
        print(json.dumps({"joined": self.id.hex()}), flush=True)
        while True:
            for key, _ in self.waiting.select(0.02):
                if isinstance(key.data, Link):
                    self.on_link(key.data)
                else:
                    key.data(key.fileobj)
            self.tick(time.monotonic())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in "--token", "--name", "--address":
        parser.add_argument(option, required=True)
    options = parser.parse_args()
    Node(options.token, options.name, options.address).run()


if __name__ == "__main__":
    main()
