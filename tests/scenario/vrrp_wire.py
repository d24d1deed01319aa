"""VRRP, ARP and neighbour messages on the wire: written by hand to forge them, read to see who spoke."""
import ipaddress
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 3)[0] + "/deploy/lib")
from namespaces import enter  # noqa: E402

VRRP, ICMPV6, ETH_ARP, ETH_IP, ETH_IP6 = 112, 58, 0x0806, 0x0800, 0x86DD
NEIGHBOUR_ADVERTISEMENT = 136


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def advert(source, vip, vrid, priority, interval_cs=2, mac=bytes.fromhex("0200000000bb")):
    """A whole Ethernet frame with a correct VRRPv3 advert from SOURCE to the VRRP group."""
    source, vip = ipaddress.ip_address(source), ipaddress.ip_address(vip)
    message = struct.pack("!BBBBHH", 0x31, vrid, priority, 1, interval_cs, 0) + vip.packed
    if source.version == 4:
        target, ether = ipaddress.ip_address("224.0.0.18"), ETH_IP
        destination = bytes.fromhex("01005e000012")
        message = message[:6] + struct.pack("!H", checksum(message)) + message[8:]
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0xC0, 20 + len(message), 0, 0, 255, VRRP, 0, source.packed,
                           target.packed)
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    else:
        target, ether = ipaddress.ip_address("ff02::12"), ETH_IP6
        destination = bytes.fromhex("333300000012")
        pseudo = source.packed + target.packed + struct.pack("!IxxxB", len(message), VRRP)
        message = message[:6] + struct.pack("!H", checksum(pseudo + message)) + message[8:]
        head = struct.pack("!IHBB", 6 << 28, len(message), VRRP, 255) + source.packed + target.packed
    return destination + mac + struct.pack("!H", ether) + head + message


def send(namespace, frames, repeat=1, pause=0.0, interface="eth0"):
    """Puts FRAMES on the wire from NAMESPACE, all of them REPEAT times."""
    subprocess.run(enter(namespace, sys.executable, __file__, "send", interface, str(repeat), str(pause),
                         *(frame.hex() for frame in frames)), check=True, timeout=30)


class Sniffer:
    """Records what NAMESPACE's interface sees, from start to stop."""

    def __init__(self, namespace, interface="eth0"):
        self.process = subprocess.Popen(enter(namespace, sys.executable, __file__, "sniff", interface),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def stop(self):
        """[(monotonic seconds, source MAC, what, detail)]: advert with its priority, arp and na with an address."""
        output = self.process.communicate("\n", timeout=10)[0]
        seen = []
        for line in output.splitlines():
            at, mac, what, detail = line.split()
            seen.append((float(at), mac, what, detail))
        return seen


def describe(frame):
    """(what, detail) of a frame that matters, else None."""
    ether = struct.unpack_from("!H", frame, 12)[0]
    if ether == ETH_ARP and len(frame) >= 42:
        return "arp", socket.inet_ntoa(frame[28:32])
    if ether == ETH_IP and len(frame) >= 42 and frame[23] == VRRP:
        return "advert", str(frame[14 + 4 * (frame[14] & 15) + 2])
    if ether == ETH_IP6 and len(frame) >= 62 and frame[20] == VRRP:
        return "advert", str(frame[56])
    if ether == ETH_IP6 and len(frame) >= 78 and frame[20] == ICMPV6 and frame[54] == NEIGHBOUR_ADVERTISEMENT:
        return "na", socket.inet_ntop(socket.AF_INET6, frame[62:78])
    return None


def sniff(interface):
    import select
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.bind((interface, 3))
    print("ready", flush=True)
    while True:
        ready = select.select([wire, sys.stdin], [], [])[0]
        if wire in ready:
            frame = wire.recv(2048)
            found = describe(frame)
            if found:
                print("%.6f %s %s %s" % (time.monotonic(), frame[6:12].hex(":"), *found))
        elif sys.stdin in ready:
            return


def main():
    interface = sys.argv[2]
    if sys.argv[1] == "sniff":
        return sniff(interface)
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((interface, 0))
    for _ in range(int(sys.argv[3])):
        for frame in sys.argv[5:]:
            wire.send(bytes.fromhex(frame))
        time.sleep(float(sys.argv[4]))


if __name__ == "__main__":
    main()
