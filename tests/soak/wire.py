"""One connection of a client that counts its bytes, requests for members (origin.py), and answers that are checked."""
import random
import socket
import struct
import zlib

from origin import frame, pattern

TCP_REPAIR = 19
SMALL, MIDDLE, LARGE = 64, 16 << 10, 1 << 20
SIZES = [SMALL] * 24 + [MIDDLE] * 5 + [LARGE]
PIECE = 1 << 16


class Cut(Exception):
    """The connection ended, or said nonsense, before the answer was complete."""


class Wrong(Exception):
    """A complete answer that is not the one to the request."""


class Request:
    """One that a member answers; what it is, as bytes, and what must come back."""

    def __init__(self, rng, ends=False):
        self.seed, self.size = rng.getrandbits(32), rng.choice(SIZES)
        self.kind = rng.choice(("", "", "", "/chunked", "/close" if ends else ""))
        self.method = rng.choice(("GET",) * 6 + ("POST", "POST", "HEAD"))
        self.body = pattern(~self.seed, rng.choice(SIZES) * 3 // 4) if self.method == "POST" else b""
        self.old = ends and rng.random() < 0.2
        lines = ["%s /%d/%d%s HTTP/1.%d" % (self.method, self.seed, self.size, self.kind, not self.old), "Host: soak"]
        body = self.body
        if self.body and rng.random() < 0.5 and not self.old:
            lines.append("Transfer-Encoding: chunked")
            body = frame(self.body, rng.randrange(100, 20000))
        elif self.method == "POST":
            lines.append("Content-Length: %d" % len(body))
        if self.body and rng.random() < 0.1:
            lines.append("Expect: 100-continue")  # and the body follows without waiting
        if ends:
            lines.append("Connection: close")
        self.head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self.data = self.head + body

    def check(self, fields, body, may_be_short):
        """WRONG unless BODY is the answer; one that only the end of the connection delimits MAY_BE_SHORT."""
        expected = pattern(self.seed, 0 if self.method == "HEAD" else self.size)
        if may_be_short and (self.kind == "/close" or self.old and self.kind):
            expected = expected[:len(body)]
        got = "%d-%08x" % (len(self.body), zlib.crc32(self.body))
        if fields.get("x-seed") != str(self.seed) or fields.get("x-got") != got or body != expected:
            raise Wrong("asked %r, got %r and %d bytes" % (self.head, fields, len(body)))


class Wire:
    def __init__(self, address, tally, timeout_s, source=None):
        self.tally, self.data = tally, b""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if source:
                self.socket.bind((source, 0))
            tally["connections"] += 1  # one that is reset at once fails, and was accepted nevertheless
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise

    def send(self, data):
        view = memoryview(data)
        while view:
            sent = self.socket.send(view)
            self.tally["sent"] += sent
            view = view[sent:]

    def receive(self):
        piece = self.socket.recv(PIECE)
        self.tally["received"] += len(piece)
        self.data += piece
        return piece

    def more(self):
        if not self.receive():
            raise Cut("the connection ended")

    def until(self, end):
        while end not in self.data:
            self.more()
        before, _, self.data = self.data.partition(end)
        return before

    def exactly(self, size):
        while len(self.data) < size:
            self.more()
        piece, self.data = self.data[:size], self.data[size:]
        return piece

    def to_the_end(self):
        while self.receive():
            pass
        piece, self.data = self.data, b""
        return piece

    def chunks(self):
        parts = []
        while True:
            size = int(self.until(b"\r\n"), 16)
            parts.append(self.exactly(size))
            if self.exactly(2) != b"\r\n":
                raise Cut("a chunk without its end")
            if size == 0:
                return b"".join(parts)

    def answer(self, method):
        """(status, fields, body) of the next answer."""
        try:
            first, *lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            status = int(first.split(" ")[1])
            if status == 100:
                return self.answer(method)
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            if method == "HEAD" or status == 101:
                return status, fields, b""
            if "chunked" in fields.get("transfer-encoding", ""):
                return status, fields, self.chunks()
            if "content-length" in fields:
                return status, fields, self.exactly(int(fields["content-length"]))
            return status, fields, self.to_the_end()
        except (ValueError, IndexError):
            raise Cut("not HTTP") from None

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def vanish(self):
        """Not a packet more."""
        self.socket.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        self.socket.close()


UPGRADE = b"GET /0/0 HTTP/1.1\r\nHost: soak\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"


def any_request(rng):
    """The bytes of what an aborting client begins with: one request, several, or an upgrade."""
    if rng.random() < 0.15:
        return UPGRADE + random.Random(rng.random()).randbytes(rng.randrange(3000))
    return b"".join(Request(rng).data for _ in range(rng.choice((1, 1, 1, 4))))
