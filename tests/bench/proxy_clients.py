"""proxy_clients.py open HOST PORT RATE SECONDS: sends RATE requests a second, whatever the answers do, and prints
the median latency in microseconds. proxy_clients.py watch HOST PORT: asks all the time, and prints the monotonic
time in nanoseconds and the status whenever the status changes, until it is killed. proxy_clients.py keep HOST PORT COUNT:
keeps COUNT connections, says that it is ready, and uses each again every few seconds until its input ends, and once more;
prints the requests, and how many connections had been closed."""
import select
import socket
import statistics
import sys
import time

CONNECTIONS = 16
PAUSE_S = 0.0003
KEEP_PAUSE_S = 5
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"


def connect(address):
    connection = socket.create_connection(address, 5)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def ask(connection):
    """The status; small answers come in one piece."""
    connection.sendall(REQUEST)
    answer = connection.recv(4096)
    if not answer:
        raise OSError("the connection was closed")
    return answer[9:12].decode()


def open_loop(address, rate, seconds):
    connections = [connect(address) for _ in range(CONNECTIONS)]
    latencies, begin = [], time.monotonic()
    for number in range(int(rate * seconds)):
        due = begin + number / rate
        early = due - time.monotonic()
        if early > 0:
            time.sleep(early)
            due = time.monotonic()  # what it overslept is not the proxy's doing
        if ask(connections[number % CONNECTIONS]) != "200":
            raise OSError("a request failed")
        latencies.append(time.monotonic() - due)
    print("%.1f" % (1e6 * statistics.median(latencies)))


def watch(address):
    last, connection = None, connect(address)
    while True:
        status = ask(connection)
        now = time.monotonic_ns()
        if status != last:
            print(now, status, flush=True)
        last = status
        if status != "200":  # it is followed by the end of the connection
            connection.close()
            connection = connect(address)
        time.sleep(PAUSE_S)


def keep(address, count):
    connections, asked, stale = [connect(address) for _ in range(count)], 0, 0
    for connection in connections:
        ask(connection)
    print("ready", flush=True)
    is_over = False
    while not is_over:
        is_over = bool(select.select([sys.stdin], [], [], KEEP_PAUSE_S)[0])
        for number, connection in enumerate(connections):
            asked += 1
            try:
                ask(connection)
            except OSError:
                stale += 1
                connection.close()
                connections[number] = connect(address)
    print(asked, stale)


def main():
    address = sys.argv[2], int(sys.argv[3])
    if sys.argv[1] == "open":
        open_loop(address, float(sys.argv[4]), float(sys.argv[5]))
    elif sys.argv[1] == "keep":
        keep(address, int(sys.argv[4]))
    else:
        watch(address)


if __name__ == "__main__":
    main()
