"""The worker behind a benchmark: one small answer, on one thread; /slow takes 0.4 s.

Cheaper than the lab's own worker, so that a machine of two cores is not measured by it."""
import asyncio
import sys

SLOW_SECONDS = 0.4
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nHello\n"


class Worker(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""

    def answer(self):
        if not self.transport.is_closing():
            self.transport.write(ANSWER)

    def data_received(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            if head.startswith(b"GET /slow"):
                asyncio.get_running_loop().call_later(SLOW_SECONDS, self.answer)
            else:
                self.answer()


async def main():
    server = await asyncio.get_running_loop().create_server(Worker, sys.argv[1], int(sys.argv[2]), backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
