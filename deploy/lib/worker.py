"""A worker of the lab: python's http.server for one folder, on IPv4 and IPv6.

It differs from `python3 -m http.server` in a listen queue that takes a burst of connections."""
import functools
import http.server
import socket
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 1024

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def handle_error(self, request, client_address):
        pass                                    # clients come and go


if __name__ == "__main__":
    port, directory = int(sys.argv[1]), sys.argv[2]
    Server(("::", port), functools.partial(Handler, directory=directory)).serve_forever()
