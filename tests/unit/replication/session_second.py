#!/usr/bin/env python3
"""session_second.py PROGRAM: a second implementation of the messages of sessions, over the Noise of dissononce
(Debian: python3-dissononce), talks to ours, which PROGRAM (session_talk.c) has at the other end of two pipes.

Exit 77, which counts as skipped, without dissononce."""
import hashlib
import struct
import subprocess
import sys
import unittest

try:
    from dissononce.cipher.chachapoly import ChaChaPolyCipher
    from dissononce.dh.x25519.x25519 import X25519DH
    from dissononce.exceptions.decrypt import DecryptFailedException
    from dissononce.hash.blake2b import Blake2bHash
    from dissononce.processing.handshakepatterns.interactive.KK import KKHandshakePattern
    from dissononce.processing.impl.cipherstate import CipherState
    from dissononce.processing.impl.handshakestate import HandshakeState
    from dissononce.processing.impl.symmetricstate import SymmetricState
    from dissononce.processing.modifiers.psk import PSKPatternModifier
    HAS_NOISE = True
except ImportError:
    HAS_NOISE = False

PROGRAM = ""
DEADLINE_S = 20
SUITE = "Noise_KKpsk0_25519_ChaChaPoly_BLAKE2b"
REPLAYED, FOREIGN, FORGED, ANSWERED, ESTABLISHED, OPENED = 2, 1, 5, 8, 9, 10
SECRET = b"the secret of the cluster, 32 b\0"
CLUSTER, OURS, SECOND = b"cluster of both\0", b"node of our own\0", b"the second node\0"


def mac(secret, receiver, covered):
    key = hashlib.blake2b(b"lbnode-session-mac-v1" + secret + receiver, digest_size=32).digest()
    return hashlib.blake2b(covered, key=key, digest_size=16).digest()


def nobody():
    """Keys of a node that is not the second one."""
    return X25519DH().generate_keypair()


class Talk:
    """The second node, and the program that it talks to."""
    PROLOGUE = b"lbnode/1"

    def __init__(self):
        self.dh = X25519DH()
        self.own, self.peer = self.dh.generate_keypair(), self.dh.generate_keypair()
        self.program = subprocess.Popen([PROGRAM, self.peer.private.data.hex(), self.own.public.data.hex()],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.theirs = None

    def end(self):
        self.program.communicate(timeout=DEADLINE_S)
        return self.program.returncode

    def ask(self, *words):
        self.program.stdin.write(" ".join(words) + "\n")
        self.program.stdin.flush()
        return [word.replace("-", "") for word in self.program.stdout.readline().split()]

    def receive(self, datagram):
        verdict, reply, plain = self.ask("in", datagram.hex())
        return int(verdict), bytes.fromhex(reply), bytes.fromhex(plain)

    def handshake(self, initiator, head, own=None, secret=SECRET, cluster=CLUSTER):
        state = HandshakeState(SymmetricState(CipherState(ChaChaPolyCipher()), Blake2bHash()), self.dh)
        psk = hashlib.blake2b(b"lbnode-session-psk-v1" + secret, digest_size=32).digest()
        state.initialize(PSKPatternModifier(0).modify(KKHandshakePattern()), initiator, self.PROLOGUE + cluster + head,
                         s=own or self.own, rs=self.peer.public, psks=[psk])
        assert state.protocol_name == SUITE
        return state

    def init(self, number, index=0x11223344, more=b"", mac_secret=SECRET, **how):
        """(handshake, INIT)"""
        head = struct.pack(">BBHI8sQQ", 1, 1, 7, 0, SECOND[:8], 90, number)
        state, message = self.handshake(True, head, **how), bytearray()
        state.write_message(struct.pack(">IHHQ", index, 1, 4, 0) + more, message)
        message = head + bytes(message)
        return state, message + mac(mac_secret, self.peer.public.data, message)

    def established(self):
        """(send, receive) after a handshake of the second node."""
        state, message = self.init(1)
        verdict, reply, _ = self.receive(message)
        assert verdict == ANSWERED
        payload = bytearray()
        keys = state.read_message(reply[8:-16], payload)
        self.theirs = struct.unpack(">IHHQQQ", bytes(payload))
        return keys


def seal(state, index, counter, frames):
    head = struct.pack(">BBHIQ", 4, 1, 0, index, counter)
    state.set_nonce(counter)
    return head + state.encrypt_with_ad(head, frames)


def unseal(state, datagram):
    kind, version, zero, index, counter = struct.unpack(">BBHIQ", datagram[:16])
    assert (kind, version, zero) == (4, 1, 0)
    state.set_nonce(counter)
    return index, counter, state.decrypt_with_ad(datagram[:16], datagram[16:])


@unittest.skipUnless(HAS_NOISE, "needs python3-dissononce")
class SecondSession(unittest.TestCase):
    def setUp(self):
        self.talk = Talk()

    def tearDown(self):
        self.assertEqual(self.talk.end(), 0)

    def test_ours_answers_the_second(self):
        send, receive = self.talk.established()
        index, minimum, maximum, features, incarnation, _ = self.talk.theirs
        self.assertEqual((minimum, maximum, features, incarnation), (2, 5, 0x0102030405060708, 41))
        self.assertEqual(self.talk.ask("seal", b"early".hex()), [""])  # not before the second has spoken
        for counter, frames in ((0, b"one"), (5, b"two" * 300), (3, b"")):
            datagram = seal(send, index, counter, frames)
            self.assertEqual(self.talk.receive(datagram), (OPENED, b"", frames))
            self.assertEqual(self.talk.receive(datagram), (REPLAYED, b"", b""))
        for counter in range(3):
            sealed, = self.talk.ask("seal", b"from ours".hex())
            self.assertEqual(unseal(receive, bytes.fromhex(sealed)), (0x11223344, counter, b"from ours"))

    def test_the_second_answers_ours(self):
        message = bytes.fromhex(*self.talk.ask("tick"))
        kind, version, secret, zero, sender, incarnation, number = struct.unpack(">BBHI8sQQ", message[:32])
        self.assertEqual((kind, version, secret, zero, sender, incarnation, number), (1, 1, 7, 0, OURS[:8], 41, 1))
        self.assertEqual(message[-16:], mac(SECRET, self.talk.own.public.data, message[:-16]))
        state, payload, reply = self.talk.handshake(False, message[:32]), bytearray(), bytearray()
        state.read_message(message[32:-16], payload)
        index, minimum, maximum, _ = struct.unpack(">IHHQ", bytes(payload))
        self.assertEqual((minimum, maximum), (2, 5))
        receive, send = state.write_message(struct.pack(">IHHQQQ", 0x55667788, 1, 3, 0, 90, 0), reply)
        reply = struct.pack(">BBHI", 2, 1, 0, index) + bytes(reply)
        reply += mac(SECRET, self.talk.peer.public.data, reply)
        verdict, confirmation, _ = self.talk.receive(reply)
        self.assertEqual(verdict, ESTABLISHED)
        self.assertEqual(unseal(receive, confirmation), (0x55667788, 0, b""))
        self.assertEqual(self.talk.receive(seal(send, index, 0, b"frames")), (OPENED, b"", b"frames"))

    def test_what_is_changed_on_its_way_does_not_open(self):
        send, _ = self.talk.established()
        datagram = bytearray(seal(send, self.talk.theirs[0], 0, b"frames"))
        datagram[-1] ^= 1
        self.assertEqual(self.talk.receive(bytes(datagram)), (FORGED, b"", b""))

    def test_a_longer_offer_of_a_later_version_is_read_as_far_as_it_is_known(self):
        _, message = self.talk.init(1, more=bytes(64))
        self.assertEqual(self.talk.receive(message)[0], ANSWERED)

    def test_who_is_not_the_second_node_gets_no_answer(self):
        for how, expected in (({"own": nobody()}, FORGED), ({"cluster": bytes(16)}, FORGED),
                              ({"secret": bytes(32)}, FORGED), ({"mac_secret": bytes(32)}, FOREIGN)):
            _, message = self.talk.init(1, **how)
            self.assertEqual(self.talk.receive(message), (expected, b"", b""))

    def test_an_old_number_gets_no_answer(self):
        self.assertEqual(self.talk.receive(self.talk.init(9)[1])[0], ANSWERED)
        self.assertEqual(self.talk.receive(self.talk.init(9)[1]), (REPLAYED, b"", b""))
        self.assertEqual(self.talk.receive(self.talk.init(8)[1]), (REPLAYED, b"", b""))
        self.assertEqual(self.talk.receive(self.talk.init(10)[1])[0], ANSWERED)


if __name__ == "__main__":
    if not HAS_NOISE:
        print("SKIPPED: the sessions are not checked against a second implementation, which needs python3-dissononce")
        sys.exit(77)
    PROGRAM = sys.argv.pop(1)
    unittest.main()
