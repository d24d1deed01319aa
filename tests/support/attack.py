"""What an attacker on the nodes' network has: a tap on the switch, frames in anybody's name, and many of them.

The attacker is a host of the lab's switch. It sees everything (a switch whose port it mirrors) and sends whatever it
likes, but holds nothing back: others' frames reach whom they are for."""
import ctypes
import hashlib
import os
import random
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import threading

import namespaces as ns

GOSSIP_PORT = 7850
ETHERNET, IPV4, UDP, TCP = 14, 20, socket.IPPROTO_UDP, socket.IPPROTO_TCP
ETH_P_IP, ETH_P_ALL, OUTGOING = 0x0800, 0x0003, 4
CLONE_NEWNET = 0x40000000
INIT, RESPONSE, DATA = 1, 2, 4                    # the first byte of a session's messages
VARIANTS = 16000


def program(lab, name):
    """A program of this folder, from the build that the lab's daemon is of."""
    build = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(lab.binary))))
    return os.path.join(build, "tests", "support", name)


def wire_in(namespace, interface, protocol=ETH_P_ALL):
    """An open packet socket on INTERFACE of NAMESPACE."""
    made = []

    def make():
        libc = ctypes.CDLL(None, use_errno=True)
        with open(os.path.join(ns.NETNS_DIR, namespace)) as file:
            if libc.setns(file.fileno(), CLONE_NEWNET):
                return
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        wire.bind((interface, protocol))
        made.append(wire)

    thread = threading.Thread(target=make)          # a thread of its own: only it enters the namespace
    thread.start()
    thread.join()
    if not made:
        raise ns.LabError("no tap on %s of %s" % (interface, namespace))
    return made[0]


class Packet:
    """One IPv4 packet with UDP or TCP, as seen on a wire."""

    def __init__(self, frame):
        header = ETHERNET + 4 * (frame[ETHERNET] & 15)
        total = struct.unpack_from("!H", frame, ETHERNET + 2)[0]
        self.protocol = frame[ETHERNET + 9]
        self.source, self.target = (socket.inet_ntoa(frame[ETHERNET + at:ETHERNET + at + 4]) for at in (12, 16))
        self.ports = struct.unpack_from("!HH", frame, header) if self.protocol in (UDP, TCP) else (0, 0)
        size = {UDP: 8, TCP: 4 * (frame[header + 12] >> 4) if self.protocol == TCP else 0}.get(self.protocol, 0)
        self.payload = bytes(frame[header + size:ETHERNET + total])


def is_ipv4(frame):
    return len(frame) >= ETHERNET + IPV4 + 8 and frame[12:14] == b"\x08\x00"


class Tap:
    """What passes an interface, from now on: with Tap(namespace, interface) as tap: ...; tap.packets."""

    def __init__(self, namespace, interface, wanted=lambda packet: True):
        self.place, self.wanted, self.packets, self.ended = (namespace, interface), wanted, [], False

    def __enter__(self):
        self.wire = wire_in(*self.place)
        self.thread = threading.Thread(target=self._read)
        self.thread.start()
        return self

    def _read(self):
        while not self.ended or select.select([self.wire], [], [], 0)[0]:
            if select.select([self.wire], [], [], 0.05)[0]:
                frame, address = self.wire.recvfrom(65536)
                if is_ipv4(frame) and address[2] != OUTGOING:
                    packet = Packet(frame)
                    if self.wanted(packet):
                        self.packets.append(packet)

    def __exit__(self, *_):
        self.ended = True
        self.thread.join()
        self.wire.close()


def is_gossip(packet):
    return packet.protocol in (UDP, TCP) and GOSSIP_PORT in packet.ports


# ---- frames -----------------------------------------------------------------------------------


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def mac_address(lab, host):
    shown = ns.ip(lab.namespace(host), "-o", "link", "show", "dev", "eth0")
    return bytes.fromhex(shown.split("link/ether ")[1].split()[0].replace(":", ""))


def datagram(macs, source, target, payload, port=GOSSIP_PORT):
    """An Ethernet frame of UDP from SOURCE, whoever it is that sends it. MACS: of the target and of the sender."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, IPV4 + 8 + len(payload), 0, 0x4000, 64, UDP, 0,
                       socket.inet_aton(source), socket.inet_aton(target))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return b"".join(macs) + b"\x08\x00" + head + struct.pack("!HHHH", port, GOSSIP_PORT, 8 + len(payload), 0) + payload


class Attacker:
    """Host ATTACKER of LAB against node TARGET, which has the peer PEER."""

    def __init__(self, lab, attacker="w2", target="lb2", peer="lb1"):
        self.lab, self.host, self.target, self.peer = lab, attacker, target, peer
        self.macs = mac_address(lab, target), mac_address(lab, attacker)
        self.addresses = {"peer": lab.address(peer), "stranger": lab.address(attacker)}

    def tap(self, wanted=is_gossip):
        """Everything that passes between the target and its peers."""
        return Tap(self.lab.switch.namespace, self.peer, wanted)

    def answers(self):
        """What reaches the attacker from the nodes."""
        nodes = [self.lab.address(node) for node in self.lab.node_names()]
        return Tap(self.lab.namespace(self.host), "eth0",
                   lambda packet: packet.source in nodes and packet.protocol != socket.IPPROTO_TCP)

    def frames(self, payloads, source):
        target = self.lab.address(self.target)
        return [datagram(self.macs, self.addresses[source], target, payload) for payload in payloads]

    def start(self, frames, rate, seconds):
        """The flood as a process; its output is what flood.c tells."""
        process = self.lab.popen(self.host, program(self.lab, "flood"), "eth0", str(rate), "%d" % seconds,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for frame in frames:
            process.stdin.write(struct.pack("!H", len(frame)) + frame)
        process.stdin.close()
        return process

    def send(self, payloads, source="peer"):
        """Each of PAYLOADS once."""
        wire = wire_in(self.lab.namespace(self.host), "eth0", 0)
        for frame in self.frames(payloads, source):
            wire.send(frame)
        wire.close()


def received(lab, node):
    """(packets that came in on the wire, datagrams that sockets took, datagrams that were dropped)"""
    shown = ns.run(*ns.enter(lab.namespace(node), "cat", "/proc/net/dev", "/proc/net/snmp"))
    lines = [line.split() for line in shown.split("\n")]
    packets = next(int(words[2]) for words in lines if words[:1] == ["eth0:"])
    names, values = (words for words in lines if words[:1] == ["Udp:"])
    udp = dict(zip(names[1:], map(int, values[1:])))
    return packets, udp["InDatagrams"], udp["InErrors"]


class Loot:
    """What the stolen disk of a node gives away: of its newest cluster secret the version, and for each node what to
    call it and how to make the mac of a handshake message that it takes for genuine."""

    def __init__(self, lab, node):
        with tempfile.TemporaryDirectory() as copy:
            for name in "node.key", "config.mdb":
                shutil.copy(lab.path(node, "state", name), copy)
            lines = ns.run(program(lab, "insider"), copy).split("\n")
        rows = [line.split() for line in lines if line]
        self.version = int(rows[0][0]) if rows else 0
        mine = [row for row in rows if int(row[0]) == self.version]
        self.node_keys = {name: bytes.fromhex(key) for _, name, key, _ in mine}
        self.mac_keys = {name: bytes.fromhex(key) for _, name, _, key in mine}

    def mac(self, receiver):
        key = self.mac_keys[receiver]
        return lambda covered: hashlib.blake2b(covered, digest_size=16, key=key).digest()


# ---- what is sent -----------------------------------------------------------------------------


class Material:
    """What the attacker makes of the datagrams that it saw on their way to the target."""

    def __init__(self, payloads, seed=1):
        self.random, self.seen = random.Random(seed), payloads
        self.sessions = [payload for payload in payloads if payload[0] == DATA] or payloads

    def choose(self):
        return self.random.choice(self.sessions)

    def noise(self, size):
        return self.random.randbytes(size)

    def replayed(self):
        return [self.sessions[i % len(self.sessions)] for i in range(VARIANTS)]

    def reordered(self):
        return [self.choose() for _ in range(VARIANTS)]

    def truncated(self):
        return [whole[:self.random.randrange(1, len(whole))] for whole in (self.choose() for _ in range(VARIANTS))]

    def forged(self, size=None):
        """Heads that look as if the peer went on, with something else behind."""
        made = []
        for number in range(VARIANTS):
            whole = self.choose()
            if whole[0] == DATA:
                counter = struct.unpack_from("!Q", whole, 8)[0] + 100 + number
                made.append(whole[:8] + struct.pack("!Q", counter) + self.noise(size or len(whole) - 16))
            else:
                counter = struct.unpack_from("!Q", whole, 36)[0] + 100 + number
                made.append(whole[:36] + struct.pack("!Q", counter) + self.noise(size or len(whole) - 44))
        return made

    def forged_large(self):
        return self.forged(1100)

    def foreign(self):
        """From a node of another cluster: another cluster id, or indexes that are not known here."""
        made = []
        for _ in range(VARIANTS):
            whole = self.choose()
            at, size = (4, 4) if whole[0] == DATA else (4, 8)
            made.append(whole[:at] + self.noise(size) + whole[at + size:])
        return made

    def random_bytes(self):
        return [self.noise(self.random.randrange(1, 1200)) for _ in range(VARIANTS)]

    def signed(self, node_key, target_key, cluster):
        """Packets of protocol 1 with a wrong signature."""
        return [b"LB\x01\x00" + cluster + node_key + target_key + struct.pack("!QQ", 1 << 48, number + 1) +
                self.noise(100) for number in range(VARIANTS)]

    def init(self, node_key, version, mac=None):
        """INITs in the name of a node. MAC makes the right mac of what it covers; None: a wrong one."""
        made = []
        for number in range(VARIANTS):
            head = struct.pack("!BBHI8sQQ", INIT, 1, version, 0, node_key, 1 << 48, number + 1)
            covered = head + self.noise(64)
            made.append(covered + (mac(covered) if mac else self.noise(16)))
        return made


KINDS = ["forged", "forged_large", "replayed", "truncated", "reordered", "foreign", "random_bytes"]


def wait_for(process, seconds):
    """(frames sent, milliseconds) of a flood."""
    output = process.stdout.read()
    process.stdout.close()
    process.wait(seconds)
    sent, passed = map(int, output.split())
    return sent, passed


def per_second(sent, passed_ms):
    return 1000 * sent / max(1, passed_ms)
