"""Joining by a token (docs/protocol.md sections 7 and 8): `join` gives the log that the inviter sent."""
import base64
import ipaddress
import secrets
import socket

from frames import SNAPSHOT, frame_body
from record import Genesis
from snapshot import Snapshot
from wire import BYTES, TEXT, be, blake2b, decode, encode, need, required, u64

HELLO, CHALLENGE, PROOF, ACCEPT, REFUSED = 32, 33, 34, 35, 38
BODIES = {
    HELLO: {1: ("token", 8), 2: ("node", 16), 3: ("key", 32), 4: ("name", TEXT), 5: ("addresses", [TEXT]),
            6: ("vrrp", TEXT), 7: ("nonce", 32)},
    CHALLENGE: {1: ("nonce", 32)},
    PROOF: {1: ("proof", 32)},
    ACCEPT: {1: ("proof", 32), 2: ("genesis", BYTES)},
    REFUSED: {1: ("sentence", TEXT)},
}
HEAD = b"LJ\1"
MESSAGE_MAXIMUM = 5 << 20


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
    return HEAD + bytes([kind]) + encode(BODIES[kind], body)


def parse(data):
    """(type, body) of a message."""
    need(len(data) >= 4 and data[:3] == HEAD, "no message of a join")
    kind = data[3]
    need(kind in BODIES or kind in SNAPSHOT, "a message of type %d" % kind)
    return kind, decode(data[4:], BODIES[kind]) if kind in BODIES else frame_body(kind, data[4:])


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

    def receive(self, *kinds):
        """(type, body, bytes) of the next message."""
        size = u64(self.exactly(4))
        need(size <= MESSAGE_MAXIMUM, "a message of %d bytes" % size)
        data = self.exactly(size)
        kind, body = parse(data)
        if kind == REFUSED:
            raise Refused(body["sentence"])
        need(kind in kinds, "a message of type %d out of turn" % kind)
        return kind, body, data


def join(text, node, signer, name, endpoint):
    """Makes NODE a node of the cluster of the token TEXT; the log that came."""
    token = Token(text)
    said = Connection(token)
    hello = message(HELLO, {"token": token.id, "node": node, "key": signer.public, "name": name,
                            "addresses": [endpoint], "nonce": secrets.token_bytes(32)})
    said.send(hello)
    _, body, challenge = said.receive(CHALLENGE)
    required(body, "nonce")
    hashes = blake2b(hello, 256) + blake2b(challenge, 256)
    said.send(message(PROOF, {"proof": blake2b(b"lbnode-join-joiner-v1" + hashes, 256, key=token.secret)}))
    _, body, _ = said.receive(ACCEPT)
    required(body, "proof", "genesis")
    genesis = Genesis(body["genesis"])
    need(genesis.cluster == token.cluster, "the genesis is that of another cluster")
    proof = blake2b(b"lbnode-join-inviter-v1" + hashes + blake2b(genesis.data, 256), 256, key=token.secret)
    need(proof == body["proof"], "the inviter's proof is wrong")
    snapshot = Snapshot(genesis)
    while not snapshot.done:
        kind, body, _ = said.receive(*SNAPSHOT)
        snapshot.take(kind, body)
    said.socket.close()
    need(snapshot.log.state.key_of(node) == signer.public, "this node is not in the roster")
    return snapshot.log
