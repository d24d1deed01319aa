"""Letting a node in (docs/protocol.md sections 7, 8 and 10): tokens, the inviter's side, the node's record."""
import base64
import ipaddress
import secrets
import time

import snapshot
from frames import BODIES as PARTS
from join import ACCEPT, BODIES, CHALLENGE, HEAD, HELLO, PROOF, REFUSED, message, parse
from record import LIFE, META, key_id
from state import FACET_KEY, FACET_PLACE, FACET_STATUS, KEY, NODE_TYPE
from wire import INT, TEXT, be, blake2b, encode, need, required

TTL_MS = 600 * 1000
NAMED, FLAG, NUMBER, TEXTS = {1: ("a", TEXT)}, {1: ("a", INT)}, {1: ("a", INT)}, {1: ("a", [TEXT])}


def to_base32(data):
    """A text for people, with its checksum."""
    return base64.b32encode(data + blake2b(data, 128)[:4]).decode().rstrip("=")


def make_token(cluster, address, port, key, secret):
    packed = ipaddress.ip_address(address).packed
    family = bytes([4 if len(packed) == 4 else 6])
    expiry = be(time.time_ns() // 1000000 + TTL_MS)
    return to_base32(b"\1" + cluster + family + packed + be(port, 2) + key + secret + expiry)


def node_operations(hello):
    """What creates the node of HELLO: its life and all its facets."""
    values = [(LIFE, b"\1"), (META, encode(NAMED, {"a": hello["name"]})), (2, encode(FLAG, {"a": 1})),
              (3, encode(NAMED, {"a": "lbnode"})),
              (FACET_KEY, encode(KEY, {"key": hello["key"].hex(), "id": key_id(hello["key"]).hex()})),
              (FACET_PLACE, encode(TEXTS, {"a": hello["addresses"]})), (12, encode(TEXTS, {"a": ["admin"]})),
              (13, encode(FLAG, {"a": 0})), (FACET_STATUS, encode(NUMBER, {"a": 0}))]
    return [{"object": hello["node"], "type": NODE_TYPE, "facet": facet, "value": value} for facet, value in values]


class Invitation:
    """One joiner's connection."""

    def __init__(self, connection, tokens, log, commit):
        self.connection, self.tokens, self.log, self.commit = connection, tokens, log, commit
        self.hello, self.said, self.secret = None, b"", b""

    def send(self, data):
        self.connection.sendall(be(len(data), 4) + data)

    def take(self, data):
        """One message of the joiner; True when all is said."""
        kind, body = parse(data)
        if kind == HELLO and not self.hello:
            return self.take_hello(data, required(body, "token", "node", "key", "name", "nonce"))
        need(kind == PROOF and self.hello, "a message of type %d out of turn" % kind)
        return self.take_proof(required(body, "proof"))

    def take_hello(self, data, hello):
        need(1 <= len(hello["addresses"]) <= 4 and any(hello["node"]), "a node without address or id")
        self.secret = self.tokens.get(hello["token"])
        if not self.secret:
            return self.refuse("the token is not valid here")
        challenge = message(CHALLENGE, {"nonce": secrets.token_bytes(32)})
        self.hello, self.said = hello, blake2b(data, 256) + blake2b(challenge, 256)
        self.send(challenge)
        return False

    def take_proof(self, body):
        if body["proof"] != blake2b(b"lbnode-join-joiner-v1" + self.said, 256, key=self.secret):
            return self.refuse("the token is wrong")
        del self.tokens[self.hello["token"]]
        self.commit(node_operations(self.hello))
        genesis = self.log.genesis.data
        proof = blake2b(b"lbnode-join-inviter-v1" + self.said + blake2b(genesis, 256), 256, key=self.secret)
        self.send(message(ACCEPT, {"proof": proof, "genesis": genesis}))
        for kind, part in snapshot.parts_of(self.log):
            self.send(HEAD + bytes([kind]) + encode(PARTS[kind], part))
        return True

    def refuse(self, sentence):
        self.send(HEAD + bytes([REFUSED]) + encode(BODIES[REFUSED], {"sentence": sentence}))
        return True


def is_join(data):
    return data[:2] == HEAD[:2]
