"""Joining by a token (docs/protocol.md sections 7 and 8): `join` gives the log that the inviter sent."""
import base64
import ipaddress
import socket

import noise
from frames import SNAPSHOT, frame_body
from record import Genesis
from snapshot import Snapshot
from wire import BYTES, TEXT, be, blake2b, decode, encode, need, required, u64

HELLO, WELCOME, CONFIRM, ACCEPT, REFUSED = 32, 33, 34, 35, 38
HELLO_BODY = {1: ("token", 8), 2: ("key", 32), 3: ("handshake", BYTES)}
FACTS = {1: ("node", 16), 2: ("name", TEXT), 3: ("addresses", [TEXT]), 4: ("vrrp", TEXT)}
WELCOME_PAYLOAD = {1: ("genesis", BYTES), 2: ("sentence", TEXT)}
SENTENCE = {1: ("sentence", TEXT)}
HEAD = b"LJ\2"
MESSAGE_MAXIMUM = 5 << 20
CHUNK = 16384


class Refused(Exception):
    """The inviter's sentence for people."""


def from_base32(text):
    """The bytes of a text for people, its checksum tested."""
    letters = text.strip().replace("-", "").upper()
    data = base64.b32decode(letters + "=" * (-len(letters) % 8))
    need(len(data) > 4 and blake2b(data[:-4], 128)[:4] == data[-4:], "the checksum is wrong")
    return data[:-4]


class Token:
    def __init__(self, text):
        data = from_base32(text)
        need(data[0] == 1 and data[17] in (4, 6), "no token of this version")
        size = 4 if data[17] == 4 else 16
        need(len(data) == 76 + size, "a token of %d bytes" % len(data))
        self.cluster = data[1:17]
        self.address = str(ipaddress.ip_address(data[18:18 + size]))
        rest = data[18 + size:]
        self.port, self.key, self.secret, self.expiry = u64(rest[:2]), rest[2:34], rest[34:50], u64(rest[50:])
        self.id = blake2b(b"lbnode-token-id-v1", 64, key=self.secret)


def message(kind, body):
    return HEAD + bytes([kind]) + body


def parse(data):
    """(type, body) of a message."""
    need(len(data) >= 4 and data[:3] == HEAD, "no message of a join")
    kind = data[3]
    need(kind in (HELLO, WELCOME, CONFIRM, ACCEPT, REFUSED) or kind in SNAPSHOT, "a message of type %d" % kind)
    return kind, data[4:]


class Session:
    """One side's cryptography: OWN's and PEER's Ed25519 keys, under the secret of a token."""

    def __init__(self, joins, cluster, secret, own, peer):
        joiner, inviter = (own.public, peer) if joins else (peer, own.public)
        self.token = blake2b(b"lbnode-token-id-v1", 64, key=secret)
        self.handshake = noise.Handshake(
            joins, noise.dh_private(own.private), noise.dh_public(peer), blake2b(b"join" + secret, 256),
            b"lbnode-join-v2" + cluster + self.token + joiner + inviter)
        self.sent = self.received = 0

    def seal(self, kind, body):
        chunks = [body[at:at + CHUNK] for at in range(0, len(body), CHUNK)] or [b""]
        bound = HEAD + bytes([kind]) + be(len(body) + noise.TAG * len(chunks), 4)
        sealed = b""
        for chunk in chunks:
            sealed += noise.seal(self.handshake.keys()[0], self.sent, bound, chunk)
            self.sent += 1
        return message(kind, sealed)

    def open(self, data):
        """(type, body)."""
        kind, sealed = parse(data)
        bound, body = data[:4] + be(len(sealed), 4), b""
        need(sealed, "a message without a body")
        for at in range(0, len(sealed), CHUNK + noise.TAG):
            chunk = sealed[at:at + CHUNK + noise.TAG]
            body += noise.open_sealed(self.handshake.keys()[1], self.received, bound, chunk)
            self.received += 1
        return kind, body


class Connection:
    def __init__(self, token):
        self.socket = socket.create_connection((token.address, token.port), timeout=5)

    def send(self, data):
        self.socket.sendall(be(len(data), 4) + data)

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            need(more, "the inviter hung up")
            data += more
        return data

    def receive(self):
        """The next message."""
        size = u64(self.exactly(4))
        need(size <= MESSAGE_MAXIMUM, "a message of %d bytes" % size)
        return self.exactly(size)


def admitted(said, token, node, signer, name, endpoint):
    """Asks to be let in; (session, genesis)."""
    session = Session(True, token.cluster, token.secret, signer, token.key)
    facts = encode(FACTS, {"node": node, "name": name, "addresses": [endpoint]})
    said.send(message(HELLO, encode(HELLO_BODY, {
        "token": token.id, "key": signer.public, "handshake": session.handshake.write(facts)})))
    kind, body = parse(said.receive())
    need(kind == WELCOME, "a message of type %d out of turn" % kind)
    payload = decode(session.handshake.read(body), WELCOME_PAYLOAD)
    if payload.get("sentence"):
        raise Refused(payload["sentence"])
    genesis = Genesis(required(payload, "genesis")["genesis"])
    need(genesis.cluster == token.cluster, "the genesis is that of another cluster")
    said.send(session.seal(CONFIRM, b""))
    kind, body = session.open(said.receive())
    if kind == REFUSED:
        raise Refused(decode(body, SENTENCE)["sentence"])
    need(kind == ACCEPT, "a message of type %d out of turn" % kind)
    return session, genesis


def join(text, node, signer, name, endpoint):
    """Makes NODE a node of the cluster of the token TEXT; the log that came."""
    token = Token(text)
    said = Connection(token)
    session, genesis = admitted(said, token, node, signer, name, endpoint)
    snapshot = Snapshot(genesis)
    while not snapshot.done:
        kind, body = session.open(said.receive())
        need(kind in SNAPSHOT, "a message of type %d out of turn" % kind)
        snapshot.take(kind, frame_body(kind, body))
    said.socket.close()
    need(snapshot.log.state.key_of(node) == signer.public, "this node is not in the roster")
    return snapshot.log
