#!/usr/bin/env python3
"""stream_second.py PROGRAM: a second implementation of encrypted streams, over the Noise of dissononce (Debian:
python3-dissononce), talks to ours, which PROGRAM (stream_talk.c) has at the other end of two pipes, in both roles.

Exit 77, which counts as skipped, without dissononce."""
import struct
import sys
import unittest

import session_second as second

(MALFORMED, FOREIGN, REPLAYED, EXHAUSTED, FORGED, INCOMPATIBLE, PARTIAL, ANSWERED, ESTABLISHED, PROVED, OPENED,
 ENDED) = range(12)
DATA, REKEY, END = b"\0", b"\1", b"\2"
LARGEST = 16384


def frame(message):
    return struct.pack(">H", len(message)) + message


def seal(keys, kind, data=b""):
    return frame(keys.encrypt_with_ad(b"", kind + data))


def rekey(keys, counter):
    """Noise, 4.2; the counter goes on."""
    keys.set_nonce(2 ** 64 - 1)
    keys.initialize_key(keys.encrypt_with_ad(b"", bytes(32))[:32])
    keys.set_nonce(counter)


class StreamTalk(second.Talk):
    """The second node, and the program that it talks to."""
    PROLOGUE = b"lbnode/1/stream"

    def receive(self, data):
        verdict, used, reply, plain = self.ask("in", data.hex())
        return int(verdict), int(used), bytes.fromhex(reply), bytes.fromhex(plain)

    def init(self, number, kind=5, mac_secret=second.SECRET, protocols=(2, 2), **how):
        """(handshake, INIT)"""
        head = struct.pack(">BBHI8sQQ", kind, 1, 7, 0, second.SECOND[:8], 90, number)
        state, message = self.handshake(True, head, **how), bytearray()
        state.write_message(struct.pack(">IHHQ", 0, *protocols, 0), message)
        message = head + bytes(message)
        return state, frame(message + second.mac(mac_secret, self.peer.public.data, message))

    def opened(self):
        """(send, receive) of a stream that the second node began."""
        state, message = self.init(1)
        verdict, used, reply, _ = self.receive(message)
        assert (verdict, used) == (ANSWERED, len(message))
        size, kind, version, zero = struct.unpack(">HBBH", reply[:6])
        assert (size, kind, version, zero) == (len(reply) - 2, 6, 1, 0)
        assert reply[-16:] == second.mac(second.SECRET, self.own.public.data, reply[2:-16])
        payload = bytearray()
        keys = state.read_message(reply[6:-16], payload)
        assert struct.unpack(">IHHQ", bytes(payload)) == (0, 2, 5, 0x0102030405060708)
        assert self.receive(seal(keys[0], DATA))[0] == PROVED
        return keys


@unittest.skipUnless(second.HAS_NOISE, "needs python3-dissononce")
class SecondStream(unittest.TestCase):
    def setUp(self):
        self.talk = StreamTalk()

    def tearDown(self):
        self.assertEqual(self.talk.end(), 0)

    def assert_opens(self, data, plain):
        verdict, used, reply, got = self.talk.receive(data)
        self.assertEqual((verdict, used, reply, got), (OPENED, len(data), b"", plain))

    def test_ours_answers_the_second(self):
        send, receive = self.talk.opened()
        for plain in (b"one", b"", b"x" * (LARGEST - 1)):
            self.assert_opens(seal(send, DATA, plain), plain)
            sealed = bytes.fromhex(*self.talk.ask("seal", plain.hex() or "00"))
            self.assertEqual(receive.decrypt_with_ad(b"", sealed[2:]), DATA + (plain or b"\0"))
        self.assertEqual(receive.decrypt_with_ad(b"", bytes.fromhex(*self.talk.ask("end"))[2:]), END)
        self.assertEqual(self.talk.receive(seal(send, END))[0], ENDED)
        self.assertEqual(self.talk.receive(seal(send, DATA))[0], MALFORMED)

    def test_the_second_answers_ours(self):
        message = bytes.fromhex(*self.talk.ask("begin"))
        head, message = message[2:34], message[2:]
        kind, version, secret, zero, sender, incarnation, number = struct.unpack(">BBHI8sQQ", head)
        self.assertEqual((kind, version, secret, zero, sender, incarnation, number),
                         (5, 1, 7, 0, second.OURS[:8], 41, 1))
        self.assertEqual(message[-16:], second.mac(second.SECRET, self.talk.own.public.data, message[:-16]))
        state, payload, reply = self.talk.handshake(False, head), bytearray(), bytearray()
        state.read_message(message[32:-16], payload)
        self.assertEqual(struct.unpack(">IHHQ", bytes(payload)), (0, 2, 5, 0x0102030405060708))
        receive, send = state.write_message(struct.pack(">IHHQ", 0, 1, 3, 0), reply)
        reply = struct.pack(">BBH", 6, 1, 0) + bytes(reply)
        reply = frame(reply + second.mac(second.SECRET, self.talk.peer.public.data, reply))
        for cut in range(len(reply)):
            self.assertEqual(self.talk.receive(reply[:cut])[0] if cut else PARTIAL, PARTIAL)
        verdict, used, proof, _ = self.talk.receive(reply)
        self.assertEqual((verdict, used), (ESTABLISHED, len(reply)))
        self.assertEqual(receive.decrypt_with_ad(b"", proof[2:]), DATA)
        self.assert_opens(seal(send, DATA, b"frames"), b"frames")
        sealed = bytes.fromhex(*self.talk.ask("seal", b"ours".hex()))
        self.assertEqual(receive.decrypt_with_ad(b"", sealed[2:]), DATA + b"ours")

    def test_both_sides_change_their_keys(self):
        send, receive = self.talk.opened()
        self.assert_opens(seal(send, REKEY), b"")
        rekey(send, 2)
        self.assert_opens(seal(send, DATA, b"under the next key"), b"under the next key")
        counter = 0
        for _ in range(2):
            first = bytes.fromhex(*self.talk.ask("seal", b"before".hex()))
            self.assertEqual(receive.decrypt_with_ad(b"", first[2:]), DATA + b"before")
            self.talk.ask("later")
            both = bytes.fromhex(*self.talk.ask("seal", b"after".hex()))
            self.assertEqual(receive.decrypt_with_ad(b"", both[2:19]), REKEY)
            counter += 2
            rekey(receive, counter)
            self.assertEqual(receive.decrypt_with_ad(b"", both[21:]), DATA + b"after")
            counter += 1

    def test_messages_in_another_order_twice_or_changed_end_the_stream(self):
        def swapped(messages):
            return [messages[1], messages[0]]

        def twice(messages):
            return [messages[0], messages[0]]

        def changed(messages):
            return [messages[0], messages[1][:-1] + bytes([messages[1][-1] ^ 1])]

        for change, good in ((swapped, 0), (twice, 1), (changed, 1)):
            talk = StreamTalk()
            send, _ = talk.opened()
            messages = [seal(send, DATA, b"first"), seal(send, DATA, b"second")]
            verdicts = [talk.receive(message)[0] for message in change(messages)]
            self.assertEqual(verdicts, [OPENED, FORGED] if good else [FORGED, MALFORMED])
            self.assertEqual(talk.ask("seal", "00"), [""])
            self.assertEqual(talk.end(), 0)

    def test_who_is_not_the_second_node_gets_no_answer(self):
        for how, expected in (({"own": second.nobody()}, FORGED), ({"cluster": bytes(16)}, FORGED),
                              ({"secret": bytes(32)}, FORGED), ({"mac_secret": bytes(32)}, FOREIGN),
                              ({"protocols": (6, 7)}, INCOMPATIBLE), ({"kind": 1}, MALFORMED)):
            talk = StreamTalk()
            _, message = talk.init(1, **how)
            self.assertEqual(talk.receive(message), (expected, 0, b"", b""))
            self.assertEqual(talk.end(), 0)

    def test_a_handshake_for_datagrams_does_not_open(self):
        self.talk.PROLOGUE = b"lbnode/1"
        _, message = self.talk.init(1)
        self.assertEqual(self.talk.receive(message), (FORGED, 0, b"", b""))

    def test_an_init_that_is_cut_is_waited_for(self):
        _, message = self.talk.init(1)
        for cut in range(1, len(message)):
            self.assertEqual(self.talk.receive(message[:cut])[0], PARTIAL)
        self.assertEqual(self.talk.receive(message)[0], ANSWERED)


if __name__ == "__main__":
    if not second.HAS_NOISE:
        print("SKIPPED: streams are not checked against a second implementation, which needs python3-dissononce")
        sys.exit(77)
    second.PROGRAM = sys.argv.pop(1)
    unittest.main()
