"""hold.py HOST PORT COUNT: opens COUNT connections with one request on each, says how many it has, and
holds them until its input ends."""
import socket
import sys

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
held = []
try:
    for number in range(count):
        connection = socket.create_connection((host, port), 5)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
        if b" 200 " not in connection.recv(4096)[:16]:
            break
        held.append(connection)
except OSError as error:
    print(error, file=sys.stderr)
print(len(held), flush=True)
sys.stdin.read()
