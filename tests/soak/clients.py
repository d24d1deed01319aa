"""clients.py JSON: clients of some listeners until the input ends; then what they counted, per listener, as JSON.

JSON = {"seed": n, "tunnels_vanish_s": s, "listeners": {name: {"address", "port", "kind", "steady", "orderly": threads,
"aborting": threads}}}. Orderly clients end what they began; aborting ones go at some point, in some way."""
import collections
import json
import random
import sys
import threading
import time

from wire import UPGRADE, Cut, Request, Wire, Wrong, any_request

STEADY_TIMEOUT_S, TIMEOUT_S, REFUSED_PAUSE_S = 90, 20, 0.05
VANISHING_SOURCES = ["10.77.9.%d" % i for i in range(1, 9)]
SLOW_PAUSE_S, STALL_S = 0.3, 7
FIGURES = "connections requests answered failed wrong sent received aborted".split()


class Clients:
    """What the threads of one listener share; each has a tally of its own."""

    def __init__(self, name, place, stop, tunnels_vanish_s):
        self.name, self.steady, self.kind, self.stop = name, place["steady"], place["kind"], stop
        self.address = place["address"], place["port"]
        self.tunnels_vanish_until = time.monotonic() + tunnels_vanish_s
        self.tallies = []

    def tally(self):
        self.tallies.append(collections.Counter({figure: 0 for figure in FIGURES}))
        return self.tallies[-1]

    def sum(self):
        total = collections.Counter({figure: 0 for figure in FIGURES})
        for tally in self.tallies:
            total.update(tally)
        return total


# ---- orderly ----------------------------------------------------------------------------------


def expect(wire, request, clients):
    """Reads one answer; True when the connection can go on."""
    status, fields, body = wire.answer(request.method)
    wire.tally["answered"] += 1
    wire.tally["status_%d" % status] += 1
    if status == 200:
        request.check(fields, body, may_be_short=not clients.steady)
    elif clients.steady:
        raise Cut("status %d" % status)
    return "close" not in fields.get("connection", "") and status == 200 and request.kind != "/close"


def keep_alive(wire, rng, clients):
    for _ in range(rng.randrange(1, 200)):
        requests = [Request(rng) for _ in range(rng.choice((1,) * 9 + (5,)))]
        if len(requests) > 1:  # bodies and large answers would block both ends
            requests = [request for request in requests if request.method != "POST" and request.size < 1 << 20]
        wire.send(b"".join(request.data for request in requests))
        wire.tally["requests"] += len(requests)
        for request in requests:
            if not expect(wire, request, clients):
                return
        if clients.stop.is_set():
            return


def one_request(wire, rng, clients):
    request = Request(rng, ends=True)
    wire.send(request.data)
    wire.tally["requests"] += 1
    if clients.kind == "TCP" and rng.random() < 0.5:
        wire.socket.shutdown(1)
    expect(wire, request, clients)
    wire.to_the_end()


def tunnel(wire, rng, clients):
    wire.tally["requests"] += 1
    wire.send(UPGRADE)
    status, _, _ = wire.answer("GET")
    wire.tally["answered"] += 1
    if status != 101:
        raise Cut("status %d" % status)
    for _ in range(rng.randrange(1, 20)):
        block = rng.randbytes(rng.choice((10, 1000, 60000)))
        wire.send(block)
        if wire.exactly(len(block)) != block:
            raise Wrong("an echo that is another one's")
    wire.socket.shutdown(1)
    wire.to_the_end()


def orderly(clients, seed):
    rng, tally = random.Random(seed), clients.tally()
    while not clients.stop.is_set():
        act = rng.choice((keep_alive, one_request, one_request, one_request, tunnel))
        try:
            wire = Wire(clients.address, tally, STEADY_TIMEOUT_S if clients.steady else TIMEOUT_S)
        except OSError as error:
            note(clients, tally, error)
            time.sleep(REFUSED_PAUSE_S)
            continue
        try:
            act(wire, rng, clients)
        except (Cut, Wrong, OSError) as error:
            note(clients, tally, error)
        finally:
            wire.close()


def note(clients, tally, error):
    tally["wrong" if isinstance(error, Wrong) else "failed"] += 1
    if isinstance(error, Wrong) or clients.steady:
        print("%s: %s: %s" % (clients.name, type(error).__name__, error), file=sys.stderr, flush=True)


# ---- aborting ---------------------------------------------------------------------------------


def begin(wire, rng):
    """A part of something, and perhaps of what comes back."""
    data = any_request(rng)
    wire.send(data[:rng.choice((len(data), rng.randrange(len(data) + 1)))])
    for _ in range(rng.choice((0, 0, 1, 3))):
        wire.socket.settimeout(0.2)
        wire.receive()


def reset(wire, rng, _):
    begin(wire, rng)
    wire.reset()


def close(wire, rng, _):
    begin(wire, rng)


def half_close(wire, rng, _):
    begin(wire, rng)
    wire.socket.settimeout(TIMEOUT_S)
    wire.socket.shutdown(1)
    wire.to_the_end()


def vanish(wire, rng, clients):
    try:
        if time.monotonic() < clients.tunnels_vanish_until:
            begin(wire, rng)
        else:
            data = Request(rng).data
            wire.send(data[:rng.randrange(1, len(data) + 1)])
    finally:
        wire.vanish()


def slow(wire, rng, clients):
    """Drips a request, byte by byte, until somebody has enough."""
    for byte in Request(rng).data[:rng.randrange(40)]:
        wire.send(bytes((byte,)))
        if clients.stop.wait(rng.random() * SLOW_PAUSE_S):
            return


def stall(wire, _, clients):
    """Wants much and takes nothing."""
    wire.send(b"GET /1/30000000 HTTP/1.1\r\nHost: soak\r\n\r\n" * 2)
    clients.stop.wait(STALL_S)


def garbage(wire, rng, _):
    wire.send(rng.choice((rng.randbytes(200), b"GET / HTTP/1.1\r\n\r\n", b"GET /1/1 HTTP/9.1\r\nHost: x\r\n\r\n",
                          b"POST /1/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                          b"POST /1/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                          b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")))
    wire.to_the_end()


ABORTS = (reset, reset, reset, close, close, half_close, vanish, slow, stall, garbage, garbage)


def aborting(clients, seed):
    rng, tally = random.Random(seed), clients.tally()
    while not clients.stop.is_set():
        act = rng.choice(ABORTS)
        try:
            wire = Wire(clients.address, tally, TIMEOUT_S, rng.choice(VANISHING_SOURCES) if act == vanish else None)
        except OSError:
            time.sleep(REFUSED_PAUSE_S)
            continue
        tally["aborted"] += 1
        tally[act.__name__] += 1
        try:
            act(wire, rng, clients)
        except (Cut, OSError):
            tally["cut"] += 1  # the proxy had enough first
        finally:
            wire.close()


def main():
    sys.stdout.reconfigure(line_buffering=True)
    order, stop, threads, everybody = json.loads(sys.argv[1]), threading.Event(), [], []
    for name, place in order["listeners"].items():
        clients = Clients(name, place, stop, order["tunnels_vanish_s"])
        everybody.append(clients)
        for kind in orderly, aborting:
            for number in range(place[kind.__name__]):
                seed = "%s-%s-%s-%d" % (order["seed"], name, kind.__name__, number)
                threads.append(threading.Thread(target=kind, args=(clients, seed)))
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    print(json.dumps({clients.name: clients.sum() for clients in everybody}))


if __name__ == "__main__":
    main()
