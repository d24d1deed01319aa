"""Letting a node in (docs/protocol.md sections 7, 8 and 10): tokens, the inviter's side, the node's record."""
import base64
import ipaddress
import time

import snapshot
from frames import BODIES as PARTS
from join import (ACCEPT, CONFIRM, FACTS, HELLO, HELLO_BODY, REFUSED, SENTENCE, WELCOME, WELCOME_PAYLOAD, HEAD,
                  Session, message, parse)
from record import LIFE, META, key_id
from state import FACET_KEY, FACET_PLACE, FACET_STATUS, KEY, NODE_TYPE
from wire import INT, TEXT, be, blake2b, decode, encode, need, required

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


def node_operations(hello, key):
    """What creates the node of HELLO and KEY: its life and all its facets."""
    values = [(LIFE, b"\1"), (META, encode(NAMED, {"a": hello["name"]})), (2, encode(FLAG, {"a": 1})),
              (3, encode(NAMED, {"a": "lbnode"})),
              (FACET_KEY, encode(KEY, {"key": key.hex(), "id": key_id(key).hex()})),
              (FACET_PLACE, encode(TEXTS, {"a": hello["addresses"]})), (12, encode(TEXTS, {"a": ["admin"]})),
              (13, encode(FLAG, {"a": 0})), (FACET_STATUS, encode(NUMBER, {"a": 0}))]
    return [{"object": hello["node"], "type": NODE_TYPE, "facet": facet, "value": value} for facet, value in values]


class Invitation:
    """One joiner's connection. SIGNER is this node's key."""

    def __init__(self, connection, tokens, log, commit, signer):
        self.connection, self.tokens, self.log, self.commit = connection, tokens, log, commit
        self.signer, self.session, self.hello, self.facts = signer, None, None, None

    def send(self, data):
        self.connection.sendall(be(len(data), 4) + data)

    def take(self, data):
        """One message of the joiner; True when all is said."""
        if not self.session:
            kind, body = parse(data)
            need(kind == HELLO, "a message of type %d out of turn" % kind)
            return self.take_hello(required(decode(body, HELLO_BODY), "token", "key", "handshake"))
        kind, _ = self.session.open(data)
        need(kind == CONFIRM, "a message of type %d out of turn" % kind)
        return self.let_in()

    def take_hello(self, hello):
        secret = self.tokens.get(hello["token"])
        need(secret, "an unknown token")  # no answer
        self.session = Session(False, self.log.genesis.cluster, secret, self.signer, hello["key"])
        self.hello = hello
        self.facts = required(decode(self.session.handshake.read(hello["handshake"]), FACTS), "node", "name")
        need(1 <= len(self.facts["addresses"]) <= 4 and any(self.facts["node"]), "a node without address or id")
        payload = encode(WELCOME_PAYLOAD, {"genesis": self.log.genesis.data})
        self.send(message(WELCOME, self.session.handshake.write(payload)))
        return False

    def let_in(self):
        if self.tokens.pop(self.hello["token"], None) is None:
            self.send(self.session.seal(REFUSED, encode(SENTENCE, {"sentence": "the token was used already"})))
            return True
        self.commit(node_operations(self.facts, self.hello["key"]))
        self.send(self.session.seal(ACCEPT, b""))
        for kind, part in snapshot.parts_of(self.log):
            self.send(self.session.seal(kind, encode(PARTS[kind], part)))
        return True


def is_join(data):
    return data[:2] == HEAD[:2]
