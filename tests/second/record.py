"""Records (docs/protocol.md section 3): their bytes, signatures and limits, and the keys of nodes."""
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wire import (BYTES, FIXED, FLAGS, INT, TEXT, VECTOR, WIRE_DELIMITED, Lenient, blake2b, clean_text, decode, encode,
                  fields, need, required)

SIGNATURE = 64
BODY_MAXIMUM, OPERATIONS, VALUE_MAXIMUM, DEPENDENCIES = 4 << 20, 65536, 64 << 10, 65536
CONFIGURATION, ROSTER, CONTROL = 1, 2, 3
LIFE, META, ADMIN = 0, 1, 2
ANEW = 1  # a flag
NODE = Lenient({1: ("id", 16), 2: ("key", 8), 3: ("incarnation", INT)})
WHO = {1: ("principal", TEXT), 2: ("method", TEXT), 3: ("via", TEXT)}
LEVEL = {12: ("level", INT)}  # we write it, and do not look at it
OPERATION = {1: ("object", 16), 2: ("type", INT), 3: ("facet", INT), 4: ("value", BYTES), 5: ("flags", FLAGS),
             6: ("owner", 16)}
BODY = {1: ("stream", FIXED), 2: ("seq", INT), 3: ("previous", 32), 4: ("clock", FIXED), 5: ("wall", INT),
        6: ("dependencies", [VECTOR]), 7: ("node", NODE), 8: ("kind", INT), 9: ("change", 16), 10: ("who", BYTES),
        11: ("comment", TEXT), 20: ("operations", [OPERATION])}
GENESIS = {1: ("root", 32), 2: ("name", TEXT), 3: ("wall", INT), 4: ("node", 16), 5: ("key", 32)}
GENESIS_MAXIMUM = 1024


def verify(key, signature, *parts):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, b"".join(parts))
    except (InvalidSignature, ValueError):
        return False
    return True


def key_id(key):
    return blake2b(key, 64)


class Signer:
    """A node's signing key; the seed is random unless given."""

    def __init__(self, seed=None):
        self.private = Ed25519PrivateKey.from_private_bytes(seed) if seed else Ed25519PrivateKey.generate()
        self.public = self.private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    def sign(self, *parts):
        return self.private.sign(b"".join(parts))


class Genesis:
    def __init__(self, data):
        need(SIGNATURE < len(data) <= GENESIS_MAXIMUM, "the genesis has %d bytes" % len(data))
        message = data[:-SIGNATURE]
        found = required(decode(message, GENESIS), "root", "name", "wall", "node", "key")
        need(verify(found["root"], data[-SIGNATURE:], b"lbnode-genesis-v1", message), "the genesis is forged")
        self.data, self.cluster = data, blake2b(data, 128)
        self.node, self.key, self.name = found["node"], found["key"], found["name"]
        self.root, self.root_id = found["root"], blake2b(b"lbnode-root-id-v1" + found["root"], 128)


def who_of(data):
    """{name: text}; also what is not known here has to be text."""
    for number, wire, value in fields(data):
        need(wire == WIRE_DELIMITED and len(value) <= 64, "field %d of the author" % number)
        clean_text("the author", value)
    return decode(data, WHO)


class Record:
    """One record as it came; `data` is never encoded again."""

    def __init__(self, data):
        need(SIGNATURE < len(data) <= BODY_MAXIMUM + SIGNATURE, "a record has %d bytes" % len(data))
        self.data, self.body, self.signature = data, data[:-SIGNATURE], data[-SIGNATURE:]
        found = required(decode(self.body, BODY, once=20), "stream", "seq", "clock", "wall", "kind", "change")
        self.stream, self.seq, self.clock, self.wall = (found[k] for k in ("stream", "seq", "clock", "wall"))
        self.previous, self.node, self.kind = found.get("previous"), found.get("node"), found["kind"]
        self.who, self.operations = who_of(found.get("who", b"")), found["operations"]
        self.dependencies = {}
        for item in found["dependencies"]:
            need(required(item, "stream", "seq")["stream"] and item["seq"], "a dependency is zero")
            self.dependencies[item["stream"]] = max(item["seq"], self.dependencies.get(item["stream"], 0))
        need(len(found["dependencies"]) <= DEPENDENCIES, "too many dependencies")
        self.dependencies.pop(self.stream, None)  # what is of its own stream says nothing
        self.check(found)

    def check(self, found):
        need(self.stream and self.seq, "stream or seq is zero")
        need((self.previous is None) == (self.seq == 1), "predecessor and seq do not fit")
        need((self.node is None) == (self.seq > 1), "node and seq do not fit")
        need(self.kind in (CONFIGURATION, ROSTER, CONTROL), "kind %d" % self.kind)
        need(len(found.get("comment", "").encode()) <= 256, "the comment is too long")
        need(len(self.operations) <= OPERATIONS, "too many operations")
        if self.node:
            required(self.node, "id", "key", "incarnation")
        for operation in self.operations:
            required(operation, "object", "type", "facet", "value")
            need(len(operation["value"]) <= VALUE_MAXIMUM, "a value is too long")
            need(0 < operation["type"] < 256 and operation["facet"] < 65536, "type or facet")

    def hash(self):
        return blake2b(self.data, 256)

    def is_signed_by(self, key, cluster):
        return verify(key, self.signature, b"lbnode-record-v1", cluster, self.body)


def record_body(found):
    """The body of a record; FOUND has the names of BODY."""
    return encode({**BODY, **LEVEL}, dict(found, level=1))
