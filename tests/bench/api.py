"""The API of nodes as a benchmark uses it: connections that stay open, many requests at once."""
import json
import selectors
import socket
import time


class ApiError(Exception):
    """An answer that the benchmark cannot go on with."""


class Connection:
    """One HTTP connection to the Unix socket of a node, one request at a time."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.buffer = b""

    def close(self):
        self.socket.close()

    def fileno(self):
        return self.socket.fileno()

    def send(self, method, path, body=None):
        data = b"" if body is None else json.dumps(body).encode()
        head = "%s %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.socket.sendall((head % (method, path, len(data))).encode() + data)

    def read(self):
        """Waits for some bytes; (status, body) when they end an answer, else None."""
        piece = self.socket.recv(1 << 20)
        if not piece:
            raise ApiError("the node closed the connection")
        self.buffer += piece
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(rest) < length:
            return None
        self.buffer = rest[length:]
        return int(head.split(b" ", 2)[1]), rest[:length]

    def answer(self):
        while (got := self.read()) is None:
            pass
        return got

    def ask(self, method, path, body=None):
        """The answer as JSON; ApiError unless the node agreed."""
        self.send(method, path, body)
        status, text = self.answer()
        if status >= 300:
            raise ApiError("%s %s: %d %s" % (method, path, status, text.decode(errors="replace")[:200]))
        return json.loads(text) if text else None


class Watcher:
    """Tells when a node has the next change on its disk: it holds a request for the event."""

    def __init__(self, path):
        self.connection = Connection(path)
        self.last = self.connection.ask("GET", "/v1/events")["last"]

    def arm(self):
        self.connection.send("GET", "/v1/events?after=%d&wait=60" % self.last)

    def read(self):
        """The changes that were heard of by an answer; None when it is not complete."""
        got = self.connection.read()
        if got is None:
            return None
        answer = json.loads(got[1])
        self.last = answer["last"]
        return sum(event["code"] == "CONFIG_CHANGED" for event in answer["events"])


class Flood:
    """Many requests to one node over WIDTH connections; with RATE, that many a second."""

    def __init__(self, path, width=60):
        self.connections = [Connection(path) for _ in range(width)]

    def close(self):
        for connection in self.connections:
            connection.close()

    def run(self, requests, rate=None):
        """REQUESTS yields (method, path, body). The seconds it took and how many were refused."""
        selector = selectors.DefaultSelector()
        free, busy, refused, sent = list(self.connections), 0, 0, 0
        started, more = time.monotonic(), True
        for connection in free:
            selector.register(connection, selectors.EVENT_READ)
        while more or busy:
            while more and free and (not rate or sent < (time.monotonic() - started) * rate):
                request = next(requests, None)
                if request is None:
                    more = False
                    break
                connection = free.pop()
                connection.send(*request)
                sent, busy = sent + 1, busy + 1
            for key, _ in selector.select(0.001 if more and free else 1):
                got = key.fileobj.read()
                if got:
                    refused += got[0] >= 300
                    free.append(key.fileobj)
                    busy -= 1
        selector.close()
        return time.monotonic() - started, refused
