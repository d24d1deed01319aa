"""A client of a benchmark: a request each 5 ms on a fresh connection, for as long as it is wanted.

Open loop: a request starts when it is due, whatever became of those before. As a program (stream.py
ADDRESS PORT RATE) it writes a line per request: when it started (monotonic clock), how long it took,
what became of it, of which kind it was. A line of input starts requests that are long under way: two
whose answer takes 0.4 s, two whose second half is sent 0.3 s after the first. It ends with its input."""
import os
import select
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

RATE = 200
TIMEOUT_SECONDS = 0.5
SLOW_TIMEOUT_SECONDS = 2.0
SECOND_HALF_SECONDS = 0.3
HEAD = b"GET %s HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
ENDINGS = {ConnectionRefusedError: "refused", ConnectionResetError: "reset", BrokenPipeError: "reset"}


class Request:
    """One connection with one request; KIND is quick, slow or halves."""

    def __init__(self, address, kind, now):
        self.kind, self.started, self.connected, self.answer = kind, now, False, b""
        self.head = HEAD % (b"/slow" if kind == "slow" else b"/")
        self.limit = now + (TIMEOUT_SECONDS if kind == "quick" else SLOW_TIMEOUT_SECONDS)
        self.socket = socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.socket.connect_ex(address)

    def send(self):
        """The first half if this is one of two; True when more is to be sent later."""
        self.connected = True
        first = 12 if self.kind == "halves" else len(self.head)
        self.socket.send(self.head[:first])
        self.head = self.head[first:]
        return bool(self.head)

    def read(self):
        """What became of it, or None while it is under way."""
        data = self.socket.recv(4096)
        self.answer += data
        if b"Hello" in self.answer:
            return "ok" if b" 200 " in self.answer[:16] else "status"
        if data:
            return None
        return "status" if self.answer.startswith(b"HTTP/1.1 ") and b"\r\n\r\n" in self.answer else "cut"


class Client:
    def __init__(self, address, rate):
        self.address, self.interval = address, 1.0 / rate
        self.poll, self.live, self.halves = select.epoll(), {}, []

    def start(self, kind, now):
        try:
            request = Request(self.address, kind, now)
        except OSError:
            return
        self.live[request.socket.fileno()] = request
        self.poll.register(request.socket.fileno(), select.EPOLLOUT)

    def end(self, number, what):
        request = self.live.pop(number)
        if not request.connected and what not in ("refused", "unreachable"):
            what = "no-connection"
        print("%.6f %.6f %s %s" % (request.started, time.monotonic() - request.started, what, request.kind), flush=True)
        request.socket.close()

    def turn(self, number, event):
        request = self.live.get(number)
        if not request:
            return
        try:
            error = request.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error))
            if event & select.EPOLLOUT:
                if request.send():
                    self.halves.append((request.started + SECOND_HALF_SECONDS, request))
                self.poll.modify(number, select.EPOLLIN)
                return
            what = request.read()
        except OSError as error:
            what = ENDINGS.get(type(error), "unreachable")
        if what:
            self.end(number, what)

    def due(self, now):
        """Second halves and time limits; quick requests are in the order of their limits."""
        while self.halves and self.halves[0][0] <= now:
            request = self.halves.pop(0)[1]
            if self.live.get(request.socket.fileno()) is request:
                try:
                    request.socket.send(request.head)
                except OSError:
                    self.end(request.socket.fileno(), "reset")
        for number, request in list(self.live.items()):
            if request.limit <= now:
                self.end(number, "timeout")

    def run(self):
        following, open_input = time.monotonic(), True
        self.poll.register(0, select.EPOLLIN)
        while open_input or self.live:
            now = time.monotonic()
            while open_input and now >= following:
                self.start("quick", following)
                following += self.interval
            wait = max(0.0, following - time.monotonic()) if open_input else 0.02
            for number, event in self.poll.poll(wait):
                if number != 0:
                    self.turn(number, event)
                elif os.read(0, 100):
                    for kind in "slow", "halves":
                        self.start(kind, now)
                        self.start(kind, now)
                else:
                    open_input = False
                    self.poll.unregister(0)
            self.due(time.monotonic())


@dataclass
class Report:
    """What the client saw in a window of time."""
    sent: int = 0
    failed: int = 0                                 # of the quick requests
    outage_ms: float = 0.0                          # first failed one to the first good one after the last failed
    refused: int = 0                                # failed connection attempts among them
    slow: int = 0
    slow_lost: int = 0                              # of those that were under way
    last_failure: float = 0.0                       # when the last failed one started; 0: none
    kinds: dict = field(default_factory=dict)

    def line(self):
        kinds = ", ".join("%d %s" % (count, kind) for kind, count in sorted(self.kinds.items()))
        return "%4d requests, %3d failed%s, outage %5.0f ms" % (
            self.sent, self.failed, " (%s)" % kinds if kinds else "", self.outage_ms)


def report(rows):
    """Of rows (started, took, what, kind) that are sorted."""
    seen = Report()
    quick = [row for row in rows if row[3] == "quick"]
    seen.sent = len(quick)
    bad = [index for index, row in enumerate(quick) if row[2] != "ok"]
    seen.failed = len(bad)
    for row in rows:
        if row[2] != "ok":
            name = row[2] if row[3] == "quick" else row[3] + "-" + row[2]
            seen.kinds[name] = seen.kinds.get(name, 0) + 1
    seen.refused = sum(quick[i][2] in ("refused", "no-connection", "unreachable") for i in bad)
    seen.slow = len(rows) - len(quick)
    seen.slow_lost = sum(row[3] != "quick" and row[2] != "ok" for row in rows)
    if bad:
        seen.last_failure = quick[bad[-1]][0]
        after = min(bad[-1] + 1, len(quick) - 1)
        seen.outage_ms = (quick[after][0] - quick[bad[0]][0]) * 1000
    return seen


class Stream:
    """Runs this file on the client of a lab; rows come in while it runs."""

    def __init__(self, lab, address, port=80, rate=RATE):
        self.rows, self.lock = [], threading.Lock()
        self.process = lab.popen("client", "python3", __file__, address, str(port), str(rate),
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            started, took, what, kind = line.split()
            with self.lock:
                self.rows.append((float(started), float(took), what, kind))

    def start_slow(self):
        self.process.stdin.write("slow\n")
        self.process.stdin.flush()

    def window(self, begin, end):
        """The report of the requests that started between BEGIN and END, which must be over."""
        with self.lock:
            rows = sorted(row for row in self.rows if begin <= row[0] < end)
        return report(rows)

    def forget(self, before):
        with self.lock:
            self.rows = [row for row in self.rows if row[0] >= before]

    def is_well(self, seconds=0.3):
        """All requests that ended in the last SECONDS were answered, and some did."""
        edge = time.monotonic() - seconds
        with self.lock:
            recent = [row for row in self.rows[-int(RATE * (seconds + 1)):] if row[0] + row[1] >= edge]
        return len(recent) >= RATE * seconds / 2 and all(row[2] == "ok" for row in recent)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.thread.join(2)


if __name__ == "__main__":
    Client((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).run()
