"""Noise_KKpsk0_25519_ChaChaPoly_BLAKE2b (Noise Protocol Framework, revision 34), and the X25519 keys that belong to
Ed25519 ones."""
import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from wire import Malformed

NAME = b"Noise_KKpsk0_25519_ChaChaPoly_BLAKE2b"
PRIME = 2 ** 255 - 19
TAG = 16


def dh_public(sign_public):
    """The X25519 key of a public Ed25519 key: u = (1 + y) / (1 - y)."""
    y = int.from_bytes(sign_public, "little") & (2 ** 255 - 1)
    return ((1 + y) * pow(1 - y, PRIME - 2, PRIME) % PRIME).to_bytes(32, "little")


def dh_private(sign_private):
    """The X25519 key of a private Ed25519 key: the first half of the hash of its seed."""
    seed = sign_private.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
                                      serialization.NoEncryption())
    return X25519PrivateKey.from_private_bytes(hashlib.sha512(seed).digest()[:32])


def raw(public):
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def nonce(counter):
    return bytes(4) + counter.to_bytes(8, "little")


def keyed(key, data):
    return hmac.new(key, data, hashlib.blake2b).digest()


def derive(key, data, count):
    temporary, found = keyed(key, data), [b""]
    for number in range(1, count + 1):
        found.append(keyed(temporary, found[-1] + bytes([number])))
    return found[1:]


class Handshake:
    """One side. OWN is an X25519 private key, PEER the other side's public one."""

    def __init__(self, initiator, own, peer, psk, prologue):
        self.initiator, self.own, self.peer, self.psk = initiator, own, X25519PublicKey.from_public_bytes(peer), psk
        self.hash = self.chain = NAME + bytes(64 - len(NAME))
        self.key = self.ephemeral = self.peer_ephemeral = None
        for data in (prologue, *((raw(own.public_key()), peer) if initiator else (peer, raw(own.public_key())))):
            self.mix_hash(data)

    def mix_hash(self, data):
        self.hash = hashlib.blake2b(self.hash + data).digest()

    def mix_key(self, data):
        self.chain, key = derive(self.chain, data, 2)
        self.key = key[:32]

    def mix_psk(self):
        self.chain, mixed, key = derive(self.chain, self.psk, 3)
        self.mix_hash(mixed)
        self.key = key[:32]

    def mix_ephemeral(self, public):
        self.mix_hash(public)
        self.mix_key(public)

    def agree(self, *pairs):
        """Mixes in the agreements that PAIRS name: i's and r's static (s) or ephemeral (e) key."""
        for mine, its in (pair if self.initiator else pair[::-1] for pair in pairs):
            own = self.own if mine == "s" else self.ephemeral
            peer = self.peer if its == "s" else self.peer_ephemeral
            self.mix_key(own.exchange(peer))

    def agree_all(self, first):
        self.agree(*(("es", "ss") if first else ("ee", "se")))

    def write(self, payload):
        first = self.initiator
        if first:
            self.mix_psk()
        self.ephemeral = X25519PrivateKey.from_private_bytes(secrets.token_bytes(32))
        public = raw(self.ephemeral.public_key())
        self.mix_ephemeral(public)
        self.agree_all(first)
        sealed = ChaCha20Poly1305(self.key).encrypt(nonce(0), payload, self.hash)
        self.mix_hash(sealed)
        return public + sealed

    def read(self, message):
        first = not self.initiator
        if len(message) < 32 + TAG:
            raise Malformed("a handshake of %d bytes" % len(message))
        if first:
            self.mix_psk()
        self.peer_ephemeral = X25519PublicKey.from_public_bytes(message[:32])
        self.mix_ephemeral(message[:32])
        self.agree_all(first)
        payload = open_sealed(self.key, 0, self.hash, message[32:])
        self.mix_hash(message[32:])
        return payload

    def keys(self):
        """(to send with, to receive with)."""
        forth, back = (key[:32] for key in derive(self.chain, b"", 2))
        return (forth, back) if self.initiator else (back, forth)


def seal(key, counter, associated, data):
    return ChaCha20Poly1305(key).encrypt(nonce(counter), data, associated)


def open_sealed(key, counter, associated, sealed):
    try:
        return ChaCha20Poly1305(key).decrypt(nonce(counter), sealed, associated)
    except InvalidTag:
        raise Malformed("what came is not genuine") from None
