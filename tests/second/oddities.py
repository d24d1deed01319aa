"""Records at the edges of docs/protocol.md section 3: odd ones that every node has to take, with the same state
hash after them, and wrong ones that every node has to refuse, although their author signed them."""
import secrets

from record import ANEW, BODY, OPERATION, SIGNATURE, WHO, Record
from wire import BYTES, FIXED, INT, VECTOR, encode, encode_one, varint

STRANGE_TYPE, STRANGE_FACET = 77, 900
ALIVE = b"\1"
CHAIN = 10


def operation(thing, kind, facet, value, owner=None):
    return {"object": thing, "type": kind, "facet": facet, "value": value, "owner": owner}


def encoded(operations):
    return b"".join(encode_one(20, OPERATION, one) for one in operations)


def parts_of(**found):
    """{field number: its bytes} of a body; absent ones are not in it."""
    parts = {}
    for number, (name, kind) in BODY.items():
        if found.get(name) is not None:
            parts[number] = encode({number: (name, kind)}, found)
    return parts


def body_of(parts):
    return b"".join(data for _, data in sorted(parts.items()))



def life_and(thing, value, owner=None):
    """An object of a type that nobody knows, with one facet; VALUE is that of its life."""
    return [operation(thing, STRANGE_TYPE, 0, value, owner),
            operation(thing, STRANGE_TYPE, STRANGE_FACET, b"\xff no message", owner)]


def chain():
    """Objects each of which is owned by the one before: the last ones lie too deep to count."""
    ids = [secrets.token_bytes(16) for _ in range(CHAIN)]
    found = []
    for depth, thing in enumerate(ids):
        found += life_and(thing, ALIVE, ids[depth - 1] if depth else None)
    return found


def odd(own, other):
    """[(name, {field number: bytes})]: what replaces those fields of an ordinary record. OWN and OTHER are
    streams; at least one record of OTHER is known to all."""
    def entry(stream, seq):
        return encode_one(6, VECTOR, {"stream": stream, "seq": seq})

    def new():
        return secrets.token_bytes(16)

    twice, again, below = new(), new(), new()
    once_more = operation(again, STRANGE_TYPE, 0, ALIVE)
    return [
        ("a higher level, unknown fields", {12: encode_one(12, INT, 7), 13: encode_one(13, INT, 1),
                                            30: 2 * encode_one(30, BYTES, b"later")}),
        ("dependencies in no order, twice, and of its own stream",
         {6: entry(max(own, other), 1) + entry(min(own, other), 1) + entry(other, 1)}),
        ("one facet twice", {20: encoded([operation(twice, STRANGE_TYPE, 0, ALIVE),
                                          operation(twice, STRANGE_TYPE, 1, b"first"),
                                          operation(twice, STRANGE_TYPE, 1, b"second")])}),
        ("life is 2", {20: encoded(life_and(new(), b"\2"))}),
        ("life is empty", {20: encoded(life_and(new(), b""))}),
        ("life has two bytes", {20: encoded(life_and(new(), b"\1\1"))}),
        ("no life", {20: encoded(life_and(new(), ALIVE)[1:])}),
        ("an owner that is not there", {20: encoded(life_and(new(), ALIVE, new()))}),
        ("owners upon owners", {20: encoded(chain())}),
        ("a node that nobody can read", {20: encoded([operation(twice[::-1], 20, 0, ALIVE),
                                                      operation(twice[::-1], 20, 10, b"\x0a\x02zz"),
                                                      operation(twice[::-1], 20, 11, b"\x0a")])}),
        ("what is made anew later, and what is below it",
         {20: encoded(life_and(again, ALIVE) + life_and(below, ALIVE, again))}),
        ("flags that are no number",
         {20: encode_one(20, BYTES, encode(OPERATION, once_more) + encode_one(5, BYTES, b"x"))}),
        ("made anew", {20: encoded([dict(once_more, flags=ANEW | 2)])}),
        ("an author without a name", {10: encode_one(10, BYTES, encode_one(9, BYTES, b"later"))}),
        ("no author, no operation", {10: b"", 20: b""}),
    ]


def wrong(parts):
    """[(name, body)] of records that look like the one of PARTS but for one thing."""
    def changed(**fields):
        return body_of({**parts, **{int(number[1:]): data for number, data in fields.items()}})

    def who(**texts):
        return encode_one(10, WHO, texts)

    def text(data):
        return encode_one(11, BYTES, data)

    body = body_of(parts)
    one = operation(bytes(15) + b"\1", STRANGE_TYPE, 1, b"x")
    return [
        ("an unknown field twice", changed(f13=2 * encode_one(13, INT, 1))),
        ("no kind", changed(f8=b"")),
        ("kind 4", changed(f8=encode_one(8, INT, 4))),
        ("clock as varint", changed(f4=encode_one(4, INT, 9))),
        ("no clock", changed(f4=b"")),
        ("no wall", changed(f5=b"")),
        ("no predecessor", changed(f3=b"")),
        ("another predecessor", changed(f3=encode_one(3, BYTES, bytes(32)))),
        ("a short change id", changed(f9=encode_one(9, BYTES, bytes(15)))),
        ("a node after seq 1", changed(f7=encode_one(7, BYTES, b""))),
        ("a dependency on nothing", changed(f6=encode_one(6, VECTOR, {"stream": 5, "seq": 0}))),
        ("a dependency of no stream", changed(f6=encode_one(6, BYTES, encode_one(2, INT, 1)))),
        ("a long principal", changed(f10=who(principal="x" * 65))),
        ("an author with a number", changed(f10=encode_one(10, BYTES, encode_one(9, INT, 1)))),
        ("a long comment", changed(f11=text(b"x" * 257))),
        ("a comment with U+0085", changed(f11=text("\x85".encode()))),
        ("a comment with a tab", changed(f11=text(b"a\tb"))),
        ("a comment that is not UTF-8", changed(f11=text(b"\xed\xa0\x80"))),
        ("type 0", changed(f20=encoded([dict(one, type=0)]))),
        ("type 256", changed(f20=encoded([dict(one, type=256)]))),
        ("facet 65536", changed(f20=encoded([dict(one, facet=65536)]))),
        ("an operation without value", changed(f20=encoded([dict(one, value=None)]))),
        ("an operation without object", changed(f20=encoded([dict(one, object=None)]))),
        ("a value of more than 64 KiB", changed(f20=encoded([dict(one, value=bytes((64 << 10) + 1))]))),
        ("a field after a higher one", body + encode_one(8, INT, 1)),
        ("a varint that is not minimal", body + varint(30 << 3) + b"\x81\0"),
        ("a varint of 65 bits", body + varint(30 << 3) + b"\xff" * 9 + b"\2"),
        ("field 65536", body + encode_one(65536, INT, 1)),
        ("wire type 5", body + varint(30 << 3 | 5) + bytes(4)),
        ("a length beyond the end", body + varint(30 << 3 | 2) + b"\2x"),
        ("a fixed64 that is cut off", body + encode_one(30, FIXED, 1)[:-1]),
    ]


NOT_BY_FORM = ("another predecessor",)


def is_record(body):
    """Does BODY, with any signature, have the form of a record?"""
    Record(body + bytes(SIGNATURE))
