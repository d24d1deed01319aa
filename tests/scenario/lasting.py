"""Connections that last: a server, and clients that hold on to it and tell how each of them ended.

lasting.py serve PORT: an HTTP GET is answered by SIZE bytes, one each PAUSE; other lines are sent back.
lasting.py visit ADDRESS NAME:TCP_PORT:HTTP_PORT...: opens a TCP connection and a download for each NAME and says
`ready`. As they end: NAME, tcp or http, how, and the system's monotonic time, one a line. A line on its input asks
the TCP connections that are left once more; their answers end them."""
import asyncio
import sys
import time

SIZE, PAUSE = 40, 0.1


async def serve_one(reader, writer):
    try:
        while line := await reader.readline():
            if not line.startswith(b"GET "):
                writer.write(line)
                continue
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
            for _ in range(SIZE):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(PAUSE)
            break
        writer.close()
    except ConnectionError:
        pass


async def serve(port):
    await (await asyncio.start_server(serve_one, "0.0.0.0", port)).serve_forever()


def tell(name, kind, how):
    print(name, kind, how, time.monotonic(), flush=True)


async def end_of(read):
    """How a connection ended from which READ waits for the last bytes."""
    try:
        return "complete" if await read else "closed"
    except asyncio.IncompleteReadError:
        return "cut"
    except ConnectionResetError:
        return "reset"


async def hold(name, address, port, asked):
    reader, writer = await asyncio.open_connection(address, port)

    async def watch():
        how = asyncio.create_task(end_of(reader.readline()))
        await asyncio.wait([how, asyncio.create_task(asked.wait())], return_when=asyncio.FIRST_COMPLETED)
        if not how.done():
            writer.write(b"still there?\n")
        tell(name, "tcp", await how)

    writer.write(b"hello\n")
    await reader.readline()
    return watch()


async def download(name, address, port):
    reader, writer = await asyncio.open_connection(address, port)

    async def watch():
        tell(name, "http", await end_of(reader.readexactly(SIZE - 1)))
        writer.close()

    writer.write(b"GET / HTTP/1.1\r\nHost: lasting\r\nConnection: close\r\n\r\n")
    while (await reader.readline()).strip():
        pass
    await reader.readexactly(1)
    return watch()


async def visit(address, places):
    asked = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, lambda: (sys.stdin.readline(), asked.set()))
    opened = []
    for place in places:
        name, tcp_port, http_port = place.split(":")
        opened += [await hold(name, address, int(tcp_port), asked), await download(name, address, int(http_port))]
    print("ready", flush=True)
    await asyncio.gather(*opened)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[2])) if sys.argv[1] == "serve" else visit(sys.argv[2], sys.argv[3:]))
