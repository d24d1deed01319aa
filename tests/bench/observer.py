"""What the nodes of a lab do, with times: addresses that come and go, adverts and announcements.

Addresses are heard of from the nodes' kernels (rtnetlink), frames at the ports of the switch: VRRP with
its priority, gratuitous ARP, and neighbour advertisements."""
import ctypes
import select
import socket
import struct
import threading
import time
from contextlib import contextmanager

from namespaces import NETNS_DIR

CLONE_NEWNET = 0x40000000
NEW_ADDRESS, DELETED_ADDRESS = 20, 21
ADDRESS_GROUPS = 0x110                              # RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
PACKET_OUTGOING = 4
SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33
# Ethernet types 0x0806, 0x0800 with protocol 112, 0x86dd with next header 112 or 58.
FRAMES = ((0x28, 0, 0, 12), (0x15, 7, 0, 0x0806), (0x15, 0, 2, 0x0800), (0x30, 0, 0, 23), (0x15, 4, 5, 112),
          (0x15, 0, 4, 0x86dd), (0x30, 0, 0, 20), (0x15, 1, 0, 112), (0x15, 0, 1, 58), (6, 0, 0, 128), (6, 0, 0, 0))
ANNOUNCEMENTS = ((0x28, 0, 0, 12), (0x15, 3, 0, 0x0806), (0x15, 0, 3, 0x86dd), (0x30, 0, 0, 20), (0x15, 0, 1, 58),
                 (6, 0, 0, 128), (6, 0, 0, 0))
libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def inside(namespace):
    """Sockets that are opened within belong to NAMESPACE."""
    with open("/proc/thread-self/ns/net") as mine, open("%s/%s" % (NETNS_DIR, namespace)) as other:
        if libc.setns(other.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns " + namespace)
        try:
            yield
        finally:
            libc.setns(mine.fileno(), CLONE_NEWNET)


def addresses(data):
    """(appeared, address) of each message in DATA."""
    offset = 0
    while offset + 16 <= len(data):
        length, kind = struct.unpack_from("IH", data, offset)
        at, value = offset + 24, None
        while kind in (NEW_ADDRESS, DELETED_ADDRESS) and at + 4 <= offset + length:
            size, attribute = struct.unpack_from("HH", data, at)
            if attribute == 2 or attribute == 1 and value is None:      # IFA_LOCAL, IFA_ADDRESS
                value = data[at + 4:at + size]
            at += max(4, size + 3 & ~3)
        if value:
            yield kind == NEW_ADDRESS, socket.inet_ntop(data[offset + 16], value)
        offset += max(16, length + 3 & ~3)


def frame_meaning(frame):
    """("advert", priority), ("announcement", address) or None. Announcements go to all; the kernel of a
    frozen owner answers those of the new one, but to that one alone."""
    kind, to_all = frame[12:14], frame[0] & 1
    if kind == b"\x08\x06" and to_all and frame[28:32] == frame[38:42]:
        return "announcement", socket.inet_ntoa(frame[28:32])
    if kind == b"\x08\x00" and frame[23] == 112:
        return "advert", frame[14 + (frame[14] & 15) * 4 + 2]
    if kind == b"\x86\xdd" and frame[20] == 112:
        return "advert", frame[56]
    if kind == b"\x86\xdd" and to_all and len(frame) >= 78 and frame[54] == 136:
        return "announcement", socket.inet_ntop(socket.AF_INET6, frame[62:78])
    return None


class Observer(threading.Thread):
    """events: (time, "gained" | "lost" | "advert" | "announcement", node, address or priority)."""

    def __init__(self, lab, adverts=True):
        super().__init__(daemon=True)
        self.nodes, self.events, self.owned, self.kernels, self.ended = lab.node_names(), [], {}, {}, False
        for node in self.nodes:
            with inside(lab.namespace(node)):
                kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
            kernel.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
            kernel.bind((0, ADDRESS_GROUPS))
            self.kernels[kernel], self.owned[node] = node, set()
        with inside(lab.switch.namespace):
            self.tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        lines = FRAMES if adverts else ANNOUNCEMENTS
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
        self.tap.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("H6xP", len(lines), ctypes.addressof(program)))
        self.tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        self.start()

    def run(self):
        while not self.ended:
            for ready in select.select([*self.kernels, self.tap], [], [], 0.2)[0]:
                if ready is self.tap:
                    self.take_frame(*ready.recvfrom(256))
                else:
                    self.take_addresses(self.kernels[ready], ready.recv(1 << 16))

    def take_addresses(self, node, data):
        now = time.monotonic()
        for appeared, address in addresses(data):
            if appeared and address not in self.owned[node]:
                self.owned[node].add(address)
                self.events.append((now, "gained", node, address))
            elif not appeared:
                self.owned[node].discard(address)
                self.events.append((now, "lost", node, address))

    def take_frame(self, frame, source):
        if source[2] == PACKET_OUTGOING or source[0] not in self.nodes or len(frame) < 42:
            return
        meaning = frame_meaning(frame)
        if meaning:
            self.events.append((time.monotonic(), meaning[0], source[0], meaning[1]))

    def holders(self, address):
        return [node for node in self.nodes if address in self.owned[node]]

    def since(self, begin, kind, node, what=None):
        """The times from BEGIN on at which NODE did KIND (with WHAT)."""
        return [event[0] for event in list(self.events) if event[0] >= begin and event[1] == kind and
                event[2] == node and (what is None or event[3] == what)]

    def forget(self):
        del self.events[:]

    def close(self):
        self.ended = True
        self.join(2)
        for each in [*self.kernels, self.tap]:
            each.close()
