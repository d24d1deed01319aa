"""A running client: requests to one address at a fixed rate, each on a fresh connection.

The load is open loop: a request starts when it is due, whatever became of those before. From the
results come the number of failed requests and the outage: the time from the first failed request
to the first request that was answered after the last failed one."""
import asyncio
import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass, field

from namespaces import LabError

TIMEOUT_SECONDS = 0.5
UNDISTURBED = 100       # requests before anything happens to the node
PATIENCE_SECONDS = 30


@dataclass
class Report:
    sent: int = 0
    failed: int = 0
    outage_ms: float = 0.0
    kinds: dict = field(default_factory=dict)      # what went wrong: how often
    answers: dict = field(default_factory=dict)    # body: how often

    def line(self):
        kinds = ", ".join("%d %s" % (count, kind) for kind, count in sorted(self.kinds.items()))
        return "%d requests, %d failed%s, outage %.0f ms" % (
            self.sent, self.failed, " (%s)" % kinds if kinds else "", self.outage_ms)


async def request(host, port):
    """(what happened: ok or a word for the failure, body)"""
    writer = None
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
            answer = await reader.read(-1)
        head, found, body = answer.partition(b"\r\n\r\n")
        if not found or not body:
            return "cut", b""
        status = head.split(b" ", 2)[1]
        return ("ok" if status == b"200" else "status " + status.decode("latin-1")), body.strip()
    except TimeoutError:
        return "timeout", b""
    except ConnectionRefusedError:
        return "refused", b""
    except (ConnectionResetError, BrokenPipeError, asyncio.IncompleteReadError):
        return "reset", b""
    except OSError:
        return "unreachable", b""
    finally:
        if writer:
            writer.close()


async def probe(host, port, rate, until, ended):
    """Sends until UNTIL (an asyncio.Event), calls ENDED after each; a list of (due time, what happened, body)."""
    results, running = [], set()

    async def one(due):
        what, body = await request(host, port)
        results.append((due, what, body))
        ended()

    due = time.monotonic()
    while not until.is_set():
        task = asyncio.ensure_future(one(due))
        running.add(task)
        task.add_done_callback(running.discard)
        due += 1.0 / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    if running:
        await asyncio.wait(running)
    return sorted(results)


def report(results):
    summary = Report(sent=len(results))
    bad = []
    for index, (_, what, body) in enumerate(results):
        if what == "ok":
            text = body.decode("latin-1")
            summary.answers[text] = summary.answers.get(text, 0) + 1
        else:
            bad.append(index)
            summary.kinds[what] = summary.kinds.get(what, 0) + 1
    summary.failed = len(bad)
    if bad:
        after = min(bad[-1] + 1, len(results) - 1)
        summary.outage_ms = (results[after][0] - results[bad[0]][0]) * 1000
    return summary


async def main():
    """prober.py ADDRESS PORT RATE: sends until its input ends: a dot for each request that has ended, then a line
    of JSON."""
    until = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, lambda: sys.stdin.readline() or until.set())
    results = await probe(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), until,
                          lambda: os.write(sys.stdout.fileno(), b"."))
    print("\n" + json.dumps(vars(report(results))))


class Prober:
    """Runs this file on a host of a lab: with Prober(lab, address) as p: ...; p.report"""

    def __init__(self, lab, address, port=80, rate=200, host="client"):
        self.command = [host, "python3", __file__, address, str(port), str(rate)]
        self.lab, self.report, self.said = lab, None, b""

    def __enter__(self):
        self.process = self.lab.popen(*self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        try:
            self.await_more(UNDISTURBED)
        except BaseException:
            self.process.kill()
            self.process.communicate()
            raise
        return self

    def await_more(self, requests):
        """Until REQUESTS more have ended, well or not: how many there are is no matter of how busy the machine is."""
        self._read()
        wanted = self.said.count(b".") + requests
        self._read(lambda: self.said.count(b".") >= wanted)

    def _read(self, is_enough=lambda: True):
        """What it has said meanwhile, and on until IS_ENOUGH."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while select.select([self.process.stdout], [], [], 0)[0] or not is_enough():
            left = max(0.0, deadline - time.monotonic())
            data = select.select([self.process.stdout], [], [], left)[0] and self.process.stdout.read(65536)
            if not data:
                raise LabError("the client %s %s" % (" ".join(self.command), "has ended" if data == b"" else "hangs"))
            self.said += data

    def __exit__(self, *exception):
        output, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
        if exception[0] is None:
            self.report = Report(**json.loads((self.said + output).split(b"\n")[1]))


if __name__ == "__main__":
    asyncio.run(main())
