"""The encoding of docs/protocol.md section 1: messages, vectors, and the hashes over them.

A message is described by a dict {number: (name, kind)}; a kind is INT, FIXED, BYTES, TEXT, a number (so
many bytes exactly), another such dict, or a list of one of these for a repeated field."""
import hashlib

INT, FIXED, BYTES, TEXT, FLAGS = "int", "fixed", "bytes", "text", "flags"
WIRE_VARINT, WIRE_FIXED, WIRE_DELIMITED = 0, 1, 2
U64 = 1 << 64
VECTOR_ENTRIES = 65536


class Malformed(Exception):
    """Bytes that the document does not allow."""


class Lenient(dict):
    """A message in which a field that does not fit is skipped like an unknown one."""


VECTOR = Lenient({1: ("stream", FIXED), 2: ("seq", INT)})


def need(condition, why):
    if not condition:
        raise Malformed(why)


def blake2b(data, bits, key=b""):
    """BLAKE2b-BITS; below 128 bits the start of BLAKE2b-128."""
    return hashlib.blake2b(data, digest_size=max(bits, 128) // 8, key=key).digest()[:bits // 8]


def u64(data):
    return int.from_bytes(data, "big")


def be(number, size=8):
    return number.to_bytes(size, "big")


# ---- bytes -> values --------------------------------------------------------------------------

def read_varint(data, at):
    value = 0
    for size in range(10):
        need(at + size < len(data), "a varint is cut off")
        byte = data[at + size]
        value |= (byte & 0x7f) << (7 * size)
        if byte < 0x80:
            need(byte or not size, "a varint is not minimal")
            need(value < U64, "a varint has more than 64 bits")
            return value, at + size + 1
    raise Malformed("a varint has more than 10 bytes")


def fields(data):
    """[(number, wire type, value)] of a message."""
    found, at, last = [], 0, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        number, wire = tag >> 3, tag & 7
        need(1 <= number <= 65535 and number >= last, "field number %d after %d" % (number, last))
        last = number
        if wire == WIRE_VARINT:
            value, at = read_varint(data, at)
        elif wire == WIRE_FIXED:
            need(at + 8 <= len(data), "a fixed64 is cut off")
            value, at = int.from_bytes(data[at:at + 8], "little"), at + 8
        else:
            need(wire == WIRE_DELIMITED, "wire type %d" % wire)
            size, at = read_varint(data, at)
            need(size <= len(data) - at, "a length exceeds what is left")
            value, at = data[at:at + size], at + size
        found.append((number, wire, value))
    return found


def convert(name, kind, wire, value):
    if kind == FLAGS:
        return value if wire == WIRE_VARINT else 0
    expected = {INT: WIRE_VARINT, FIXED: WIRE_FIXED}.get(kind if isinstance(kind, str) else "", WIRE_DELIMITED)
    need(wire == expected, "%s has wire type %d" % (name, wire))
    if isinstance(kind, dict):
        return decode(value, kind)
    if isinstance(kind, int):
        need(len(value) == kind, "%s has %d bytes, not %d" % (name, len(value), kind))
    if kind == TEXT:
        return clean_text(name, value)
    return value


def clean_text(name, value):
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("%s is not UTF-8" % name) from None
    need(not any(c < " " or "\x7f" <= c <= "\x9f" for c in text), "%s has control characters" % name)
    return text


def decode(data, schema, exact=False, once=0):
    """{name: value}; absent fields are not in it, repeated ones always. EXACT: no unknown fields. A field that is
    not repeated stands once at most if its number is up to ONCE, else the last one counts."""
    message = {name: [] for name, kind in schema.values() if isinstance(kind, list)}
    last = 0
    for number, wire, value in fields(data):
        name, kind = schema.get(number, ("", ""))
        repeated = isinstance(kind, list)
        need(name or not exact, "unknown field %d" % number)
        need(repeated or number != last or number > once, "field %d stands twice" % number)
        last = number
        if repeated:
            message[name].append(convert(name, kind[0], wire, value))
        elif name:
            try:
                message[name] = convert(name, kind, wire, value)
            except Malformed:
                if not isinstance(schema, Lenient):
                    raise
    return message


def required(message, *names):
    for name in names:
        need(name in message, "%s is missing" % name)
    return message


# ---- values -> bytes --------------------------------------------------------------------------

def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_one(number, kind, value):
    if kind in (INT, FLAGS):
        return varint(number << 3 | WIRE_VARINT) + varint(value)
    if kind == FIXED:
        return varint(number << 3 | WIRE_FIXED) + value.to_bytes(8, "little")
    if isinstance(kind, dict):
        value = encode(kind, value)
    elif kind == TEXT:
        value = value.encode()
    return varint(number << 3 | WIRE_DELIMITED) + varint(len(value)) + value


def encode(schema, message):
    out = b""
    for number, (name, kind) in sorted(schema.items()):
        value = message.get(name)
        if isinstance(kind, list):
            out += b"".join(encode_one(number, kind[0], item) for item in value or ())
        elif value is not None:
            out += encode_one(number, kind, value)
    return out


# ---- vectors ----------------------------------------------------------------------------------

def vector_of(items):
    """{stream: seq} of the decoded items of a vector."""
    need(len(items) <= VECTOR_ENTRIES, "a vector has too many entries")
    last, vector = 0, {}
    for item in items:
        required(item, "stream", "seq")
        need(item["stream"] > last, "a vector is not ascending")
        need(item["seq"], "a vector has a zero")
        last = item["stream"]
        vector[last] = item["seq"]
    return vector


def vector_items(vector):
    return [{"stream": stream, "seq": seq} for stream, seq in sorted(vector.items()) if seq]


def vector_digest(vector):
    return u64(blake2b(b"".join(be(s) + be(n) for s, n in sorted(vector.items()) if n), 64))
