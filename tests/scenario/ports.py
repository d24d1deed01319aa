"""A worker with many members, one a port: ports.py FIRST COUNT answers at the ports FIRST, FIRST + 1, ... and, for
monitors, at the same number of ports from FIRST + 10000 on."""
import selectors
import socket
import sys

MONITOR_OFFSET = 10000
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def listen(port):
    """Two of them share a port of which one is about to end."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen(512)
    listener.setblocking(False)
    return listener


def serve(first, count):
    ready = selectors.DefaultSelector()
    for port in range(first, first + count):
        ready.register(listen(port), selectors.EVENT_READ, True)
        ready.register(listen(port + MONITOR_OFFSET), selectors.EVENT_READ, True)
    print("ready", flush=True)
    while True:
        for key, _ in ready.select():
            try:
                if key.data:
                    connection, _ = key.fileobj.accept()
                    connection.setblocking(False)
                    ready.register(connection, selectors.EVENT_READ, False)
                    continue
                if key.fileobj.recv(65536):
                    key.fileobj.sendall(ANSWER)
            except OSError:
                if key.data:
                    continue
            ready.unregister(key.fileobj)
            key.fileobj.close()


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
