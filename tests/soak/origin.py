"""origin.py PORT: a member. GET or POST /SEED/SIZE[/chunked|/close] is answered with SIZE bytes that follow from SEED
and, of a request with a body, its length and checksum in X-Got; an upgraded connection echoes.

One line on its input sets how it behaves: `good`, `silent` (reads, and says nothing) or `cut` (a part of the answers
ends somewhere: in order, by a reset, or as nonsense)."""
import asyncio
import random
import socket
import struct
import sys
import zlib

CUT_SHARE = 0.3
LINGER_RESET = struct.pack("ii", 1, 0)
MODE = ["good"]


def pattern(seed, size):
    """The body of an answer: nobody else's answer begins like it."""
    return ((b"%08x" % (seed & 0xffffffff)) * (size // 8 + 1))[:size]


class Reader:
    """Takes one request after the other out of a stream of bytes. The proxy's requests are well formed."""

    def __init__(self):
        self.data, self.head, self.left, self.chunked = b"", None, 0, False

    def next(self):
        """(request line, fields, length, checksum) of a complete request, or None."""
        if self.head is None and not self.take_head():
            return None
        if not (self.take_chunks() if self.chunked else self.take_length()):
            return None
        done, self.head = self.head, None
        return done[0], done[1], self.length, self.checksum

    def take_head(self):
        text, found, rest = self.data.partition(b"\r\n\r\n")
        if not found:
            return False
        first, *lines = text.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.head, self.data = (first, fields), rest
        self.chunked = "transfer-encoding" in fields
        self.left = int(fields.get("content-length", 0))
        self.length = self.checksum = 0
        return True

    def note(self, piece):
        self.length += len(piece)
        self.checksum = zlib.crc32(piece, self.checksum)

    def take_length(self):
        piece = self.data[:self.left]
        self.note(piece)
        self.left -= len(piece)
        self.data = self.data[len(piece):]
        return self.left == 0

    def take_chunks(self):
        while True:
            size, found, rest = self.data.partition(b"\r\n")
            if not found:
                return False
            count = int(size, 16)
            if len(rest) < count + 2:
                return False
            self.note(rest[:count])
            self.data = rest[count + 2:]
            if count == 0:
                return True


def frame(body, piece=7000):
    parts = [body[i:i + piece] for i in range(0, len(body), piece)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def answer(request):
    """The bytes of an answer, and whether the connection ends with it."""
    line, fields, length, checksum = request
    method, target = line.split(" ")[:2]
    _, seed, size, *kind = target.split("/")
    body = pattern(int(seed), int(size))
    head = "HTTP/1.1 200 OK\r\nX-Seed: %s\r\nX-Got: %d-%08x\r\n" % (seed, length, checksum)
    if kind == ["chunked"]:
        head, body = head + "Transfer-Encoding: chunked\r\n", frame(body)
    elif kind == ["close"]:
        head += "Connection: close\r\n"
    else:
        head += "Content-Length: %d\r\n" % len(body)
    if method == "HEAD":
        body = b""
    ends = kind == ["close"] or "close" in fields.get("connection", "")
    return head.encode() + b"\r\n" + body, ends


class Member(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.reader, self.echoes, self.over = transport, Reader(), False, False

    def data_received(self, data):
        if self.echoes:
            self.transport.write(data)
            return
        self.reader.data += data
        while MODE[0] != "silent" and not self.over and not self.echoes:
            request = self.reader.next()
            if not request:
                return
            self.serve(request)

    def serve(self, request):
        if "upgrade" in request[1]:
            self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
                                 + self.reader.data)
            self.echoes = True
            return
        data, ends = answer(request)
        if MODE[0] == "cut" and random.random() < CUT_SHARE:
            self.cut(data)
            return
        self.transport.write(data)
        if ends:
            self.finish()

    def finish(self):
        self.over = True
        self.transport.close()

    def cut(self, data):
        self.over = True
        how = random.choice(("end", "reset", "nonsense"))
        self.transport.write(b"\x00nonsense\r\n\r\n" if how == "nonsense" else data[:random.randrange(len(data))])
        if how == "reset":
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        self.transport.close()

    def eof_received(self):
        return False  # what is written goes out before the end


def obey(line):
    if line:
        MODE[0] = line.strip()
    else:
        sys.exit(0)


async def main():
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, lambda: obey(sys.stdin.readline()))
    server = await loop.create_server(Member, "0.0.0.0", int(sys.argv[1]), backlog=4096, reuse_address=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
