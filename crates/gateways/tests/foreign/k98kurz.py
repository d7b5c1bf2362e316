"""A node of k98kurz/gossip, for tests: a program of its own, which behaves as the original does with the handlers of
its example, its faults included. The library has no network: here a datagram of UDP is a message.

Usage: k98kurz.py HANDLER SEEDHEX [HEX@HOST:PORT...]   HANDLER is `gossip`, the example's, or `words`, which takes
                                                     what is no operation for words; then the connections
       k98kurz.py vectors                            compares this program with what the original was seen to do

Commands on standard input, a line each; what happens is said on standard output:
  know HEX@HOST:PORT        a connection more
  say TOPICHEX TEXT         publish a bulletin, to be passed on
  tell HEX TEXT             a message of words
  ask OP HEX BODYHEX        an operation from 2 to 5, which the original knows and nobody there acts on
  evil WHAT HEX TOPICHEX    do what harms an original; see the class Evil
Said: listen HEX@ADDRESS, heard TOPICHEX NONCE TEXT, words HEX TEXT, got OP BODYHEX, dropped WHY, did WHAT, died WHY

What raises an exception in the original ends this program with code 2. Keys, seals and signatures are written out
below from RFC 8032, RFC 7748 and the descriptions of Salsa20 and Poly1305. They are for tests: slow, and they leak.
"""

import hashlib
import os
import random
import select
import socket
import struct
import sys
import time

MESSAGE_TTL, MESSAGE_DIFFICULTY, BULLETIN_DIFFICULTY = 300, 1, 7
HEADER, SEAL = 136, 48


# Ed25519.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    """Of points as (X, Y, Z, T), x = X/Z, y = Y/Z, xy = T/Z."""
    left = (a[1] - a[0]) * (b[1] - b[0]) % P
    right = (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = right - left, d - c, d + c, right + left
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def pack_point(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def unpack_point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square or y >= P:
        raise ValueError("no point")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = unpack_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def clamp(data):
    number = int.from_bytes(data[:32], "little")
    return number & ((1 << 254) - 8) | 1 << 254


def hash_number(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


class Keys:
    def __init__(self, seed):
        digest = hashlib.sha512(seed).digest()
        self.secret, self.prefix = clamp(digest), digest[32:]
        self.address = pack_point(times(self.secret, BASE))

    def sign(self, text):
        once = hash_number(self.prefix, text)
        point = pack_point(times(once, BASE))
        number = once + hash_number(point, self.address, text) * self.secret
        return point + (number % L).to_bytes(32, "little")

    def unseal(self, sealed):
        own = curve_key(self.address)
        ephemeral, tag, text = sealed[:32], sealed[32:SEAL], sealed[SEAL:]
        shared = multiply_u(self.secret, ephemeral)
        authenticator, text_key = seal_stream(shared, ephemeral, own, len(text))
        if poly1305(authenticator, text) != tag:
            raise CryptoError("An error occurred trying to decrypt the message")
        return xor(text, text_key)


class CryptoError(Exception):
    """As nacl's, which the original does not catch."""


def is_signed(address, text, signature):
    try:
        point = unpack_point(address)
    except ValueError:
        return False
    number = int.from_bytes(signature[32:], "little")
    minus = (P - point[0], point[1], 1, P - point[3])
    back = times(hash_number(signature[:32], address, text), minus)
    return number < L and pack_point(add(times(number, BASE), back)) == signature[:32]


# The sealed box: X25519, XSalsa20, Poly1305.

def curve_key(address):
    """The key of Curve25519 that belongs to one of Ed25519."""
    y = unpack_point(address)[1]
    return ((1 + y) * pow(1 - y, P - 2, P) % P).to_bytes(32, "little")


def multiply_u(number, u):
    x1 = int.from_bytes(u, "little") & (1 << 255) - 1
    x2, z2, x3, z3, swapped = 1, 0, x1, 1, 0
    for place in reversed(range(255)):
        bit = number >> place & 1
        if swapped ^ bit:
            x2, z2, x3, z3 = x3, z3, x2, z2
        swapped = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a, c * b, a * a % P, b * b % P
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, (aa - bb) * (aa + 121665 * (aa - bb)) % P
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


NOTHING_UP_MY_SLEEVE = struct.unpack("<4I", b"expand 32-byte k")
COLUMNS = ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11))
ROWS = ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))


def salsa_rounds(key, block):
    k, b, c = struct.unpack("<8I", key), struct.unpack("<4I", block), NOTHING_UP_MY_SLEEVE
    start = [c[0], *k[:4], c[1], *b, c[2], *k[4:], c[3]]
    words = list(start)
    for places in (COLUMNS + ROWS) * 10:
        for at, shift in ((1, 7), (2, 9), (3, 13), (0, 18)):
            total = (words[places[at - 1]] + words[places[at - 2]]) & 0xFFFFFFFF
            words[places[at]] ^= total << shift & 0xFFFFFFFF | total >> 32 - shift
    return start, words


def salsa20(key, nonce, length):
    out = bytearray()
    for counter in range((length + 63) // 64):
        start, words = salsa_rounds(key, nonce + struct.pack("<Q", counter))
        out += struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(start, words)))
    return bytes(out[:length])


def hsalsa20(key, block):
    _, words = salsa_rounds(key, block)
    return struct.pack("<8I", *(words[at] for at in (0, 5, 10, 15, 6, 7, 8, 9)))


def poly1305(key, text):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(text), 16):
        total = (total + int.from_bytes(text[at:at + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((total + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def seal_stream(shared, ephemeral, to, length):
    nonce = hashlib.blake2b(ephemeral + to, digest_size=24).digest()
    key = hsalsa20(hsalsa20(shared, bytes(16)), nonce[:16])
    stream = salsa20(key, nonce[16:], 32 + length)
    return stream[:32], stream[32:]


def seal(address, text):
    to, secret = curve_key(address), clamp(os.urandom(32))
    ephemeral = multiply_u(secret, (9).to_bytes(32, "little"))
    shared = multiply_u(secret, to)
    authenticator, text_key = seal_stream(shared, ephemeral, to, len(text))
    sealed = xor(text, text_key)
    return ephemeral + poly1305(authenticator, sealed) + sealed


# Tapehash.

def operate(op, tape, at):
    byte = tape[at]
    if op < 10:
        return (byte, byte + 1, byte - 1, byte >> 1, byte << 1, byte ^ 255, byte * 2, byte * byte, byte // 2,
                byte << 4 | byte >> 4)[op] & 255
    turned = bytes(tape[at:] + tape[:at])
    if op == 12:
        return hashlib.shake_128(turned).digest(byte + 1)[byte]
    name = {10: "sha256", 11: "md5", 13: "sha3_256", 14: "sha3_512", 15: "blake2s"}[op]
    digest = hashlib.new(name, turned).digest()
    return digest[byte % len(digest)]


def tapehash1(text, code_size=64):
    tape = bytearray(hashlib.blake2b(text).digest())
    for code in hashlib.shake_256(text).digest(code_size):
        for at in range(code & 15, 64, 16):
            tape[at] = operate(code >> 4, tape, at)
    return hashlib.sha256(tape).digest()


def tapehash_pairs(text, code, multiplier):
    tape = bytearray(hashlib.shake_256(text).digest(32 * multiplier))
    for at in range(0, len(code), 2):
        place = (code[at] & 15) + 32 * (int.from_bytes(code[at:at + 2], "big") % multiplier)
        for cell in (place, place + 16):
            tape[cell] = operate(code[at] >> 4, tape, cell)
    return hashlib.sha256(tape).digest()


def tapehash2(text, multiplier):
    return tapehash_pairs(text, hashlib.blake2b(text).digest(), multiplier)


def tapehash3(text, code_size=64, multiplier=2):
    return tapehash_pairs(text, hashlib.shake_256(text).digest(code_size), multiplier)


def zeros(digest):
    return 256 - int.from_bytes(digest, "big").bit_length()


# What is said.

class Bulletin:
    def __init__(self, topic, content, ts=None, nonce=None, bits=BULLETIN_DIFFICULTY, content_id=None):
        self.topic, self.content = topic, content
        self.content_id = content_id or hashlib.sha256(content).digest()
        self.ts = int(time.time()) if ts is None else ts
        if nonce is None:
            nonce = random.randrange(65536)
        self.nonce = nonce
        while self.difficulty() < bits:
            self.nonce = (self.nonce + 1) % 2**32

    def header(self):
        return self.topic + self.content_id + struct.pack("!II", self.ts, self.nonce)

    def difficulty(self):
        return zeros(tapehash1(self.header()))

    def pack(self):
        # Signed, so that a nonce from 2^31 on cannot be packed.
        return self.topic + self.content_id + struct.pack("!ii", self.ts, self.nonce) + self.content

    @staticmethod
    def unpack(data):
        form = "!32s32sii%ds" % (len(data) - 72)
        topic, content_id, ts, nonce, content = struct.unpack(form, data)
        return Bulletin(topic, content, ts, nonce, 0, content_id)


class Message:
    def __init__(self, src, dst, ts, nonce, signature, body):
        self.src, self.dst, self.ts, self.nonce, self.signature, self.body = src, dst, ts, nonce, signature, body

    @staticmethod
    def make(keys, dst, text, body=None):
        body = seal(dst, text) if body is None else body
        signature = keys.sign(keys.address + dst + body)
        message = Message(keys.address, dst, int(time.time()), random.randrange(65536), signature, body)
        return message.pay()

    def difficulty(self):
        numbers = struct.pack("!II", self.ts, self.nonce)
        return zeros(tapehash1(self.src + self.dst + numbers + self.body))

    def pay(self, bits=MESSAGE_DIFFICULTY):
        while self.difficulty() < bits:
            self.nonce = (self.nonce + 1) % 2**32
        return self

    def pack(self, form="!ii"):
        return self.dst + self.src + struct.pack(form, self.ts, self.nonce) + self.signature + self.body

    @staticmethod
    def unpack(data):
        dst, src, ts, nonce, signature, body = struct.unpack("!32s32sii64s%ds" % (len(data) - HEADER), data)
        return Message(src, dst, ts, nonce, signature, body)


def say(*words):
    print(*words, flush=True)


class Node:
    def __init__(self, handler, seed, known):
        self.handler, self.keys = handler, Keys(seed)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.connections, self.seen = {}, set()
        for text in known:
            self.know(text)

    def know(self, text):
        address, _, place = text.partition("@")
        host, _, port = place.rpartition(":")
        self.connections[bytes.fromhex(address)] = (host, int(port))

    def send(self, address, text):
        self.throw(address, Message.make(self.keys, address, text).pack())

    def throw(self, address, data):
        if address in self.connections:
            self.socket.sendto(data, self.connections[address])
        else:
            say("dropped", "no connection")

    def receive(self, data):
        message = Message.unpack(data)
        text = self.keys.address
        if message.dst != text:
            return say("dropped", "not for us")
        if time.time() > message.ts + MESSAGE_TTL:
            return say("dropped", "old")
        if message.difficulty() < MESSAGE_DIFFICULTY:
            return say("dropped", "cheap")
        if not is_signed(message.src, message.src + message.dst + message.body, message.signature):
            return say("dropped", "not signed")
        if len(message.body) < SEAL:
            return say("dropped", "no seal")
        self.handle(message.src, self.keys.unseal(message.body))

    def handle(self, src, text):
        op = text[0]
        if op in (0, 1):
            bulletin = Bulletin.unpack(text[1:])
            if bulletin.difficulty() >= BULLETIN_DIFFICULTY:
                self.take(bulletin, src, op == 0)
            else:
                say("dropped", "cheap bulletin")
        elif op <= 10:
            say("got", op, text[1:].hex())
        elif self.handler == "words":
            say("words", src.hex(), text.decode())
        else:
            raise ValueError("%d is no operation" % op)

    def take(self, bulletin, src, forward):
        name = hashlib.sha256(bulletin.header()).digest()
        if name in self.seen:
            return
        self.seen.add(name)
        say("heard", bulletin.topic.hex(), bulletin.nonce, bulletin.content.decode(errors="replace"))
        if forward:
            for address in self.connections:
                if address != src:
                    self.send(address, b"\0" + bulletin.pack())

    def command(self, line):
        word, _, rest = line.partition(" ")
        if word == "know":
            self.know(rest)
        elif word == "say":
            topic, _, text = rest.partition(" ")
            bulletin = Bulletin(bytes.fromhex(topic), text.encode())
            self.take(bulletin, self.keys.address, True)
        elif word == "tell":
            address, _, text = rest.partition(" ")
            self.send(bytes.fromhex(address), text.encode())
        elif word == "ask":
            op, address, body = rest.split(" ")
            self.send(bytes.fromhex(address), bytes([int(op)]) + bytes.fromhex(body))
        elif word == "evil":
            what, address, topic = rest.split(" ")
            getattr(Evil(self, bytes.fromhex(address), bytes.fromhex(topic)), what)()
        say("did", word)

    def run(self):
        say("listen", "%s@127.0.0.1:%d" % (self.keys.address.hex(), self.socket.getsockname()[1]))
        typed = b""
        while True:
            ready, _, _ = select.select([self.socket, 0], [], [])
            if self.socket in ready:
                self.receive(self.socket.recv(65536))
            elif 0 in ready:
                read = os.read(0, 4096)
                if not read:
                    return
                typed += read
                *lines, typed = typed.split(b"\n")
                for line in lines:
                    self.command(line.decode())


class Evil:
    """What an original does not withstand, done to the node `to`."""

    def __init__(self, node, to, topic):
        self.node, self.to, self.topic = node, to, topic

    def send(self, text):
        self.node.send(self.to, text)

    def message(self, text, **other):
        message = Message.make(self.node.keys, self.to, text)
        message.__dict__.update(other)
        return message.pay()

    def throw(self, data):
        self.node.throw(self.to, data)

    def bulletin(self, text, **other):
        return Bulletin(self.topic, text, **other)

    def forge(self):
        """A content that was not paid for."""
        bulletin = self.bulletin(b"what was paid for")
        bulletin.content = b"forged"
        self.send(b"\0" + bulletin.pack())

    def replay(self):
        """One message, three times: as it was, and paid for anew under other times."""
        message = self.message(b"again and again")
        for more in (0, 7, -7):
            message.ts += more
            self.throw(message.pay().pack())

    def future(self):
        """A message and a bulletin of the day after tomorrow."""
        then = int(time.time()) + 2 * 86400
        self.throw(self.message(b"from the future", ts=then).pack())
        self.send(b"\0" + self.bulletin(b"never to expire", ts=then).pack())

    def expired(self):
        """A bulletin of two hours ago."""
        self.send(b"\0" + self.bulletin(b"long expired", ts=int(time.time()) - 7200).pack())

    def unsealed(self):
        """What is signed and paid for, but no seal."""
        self.throw(Message.make(self.node.keys, self.to, None, os.urandom(80)).pack())

    def short(self):
        """Less than the header of a message."""
        self.throw(os.urandom(100))

    def cut(self):
        """Less than the header of a bulletin."""
        self.send(b"\0" + os.urandom(60))

    def nonce(self):
        """A nonce that the original counts to and cannot write, in a message and in a bulletin."""
        self.throw(self.message(b"beyond", nonce=2**31).pack("!iI"))
        bulletin = self.bulletin(b"beyond", nonce=2**31)
        self.send(b"\0" + bulletin.header() + bulletin.content)

    def operation(self):
        """An operation that does not exist, as the example understands it."""
        self.send(b"\xc8")

    def empty(self):
        """A body of nothing."""
        self.send(b"")

    def cheap(self):
        """A message that costs a bit, and a bulletin that costs seven, and no more."""
        message = self.message(b"cheap")
        while message.difficulty() != 1:
            message.nonce += 1
        self.throw(message.pack())
        bulletin = self.bulletin(b"cheap")
        while bulletin.difficulty() != 7:
            bulletin.nonce += 1
        message = self.message(b"\0" + bulletin.pack())
        self.throw(message.pay(8).pack())

    def flood(self):
        """One content under five nonces."""
        bulletin = self.bulletin(b"the same")
        for _ in range(5):
            self.send(b"\0" + bulletin.pack())
            bulletin = self.bulletin(b"the same", ts=bulletin.ts, nonce=bulletin.nonce + 1)

    def long(self):
        """As much as a datagram carries, and one that is torn off after its header."""
        self.send(b"\0" + self.bulletin(b"x" * (65507 - HEADER - SEAL - 73)).pack())
        self.throw(self.message(b"torn").pack()[:HEADER])


def vectors():
    """The keys of the seeds 1 and 2, two messages and a bulletin, and digests, as the original makes them."""
    a, b = Keys(b"\1" * 32), Keys(b"\2" * 32)
    plain = Message.unpack(bytes.fromhex(PLAIN))
    assert (plain.src, plain.dst) == (a.address, b.address)
    assert a.sign(plain.src + plain.dst + plain.body) == plain.signature
    assert is_signed(plain.src, plain.src + plain.dst + plain.body, plain.signature)
    assert not is_signed(plain.src, b"else", plain.signature)
    assert (plain.nonce, plain.difficulty(), plain.pack().hex()) == (3, 4, PLAIN)
    assert b.unseal(Message.unpack(bytes.fromhex(SEALED)).body) == b"encrypted body"
    assert b.unseal(seal(b.address, bytes(200))) == bytes(200)
    bulletin = Bulletin.unpack(bytes.fromhex(BULLETIN))
    assert (bulletin.difficulty(), bulletin.content, bulletin.pack().hex()) == (8, b"hello bulletin", BULLETIN)
    assert tapehash1(b"").hex() == "1e5f8e37cde2b82313eb91d3908c1da3e9e7adfecb8ea23774501fcb7a7ee800"
    assert tapehash2(b"", 1).hex() == "e006ef7a504f5b4327ce856eb275e220da4574e42636dc5b169aa3fa8e44360b"
    assert tapehash3(b"").hex() == "4c957a82307efdb6f3fac1d04b7b9072b2d1593d8e4ec71f358911eb7ebe0ced"


PLAIN = (
    "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"
    "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
    "62b48e0000000003"
    "7d8b2b4913087b984cb2f08a91466edfcee006bc281730caa160e4163a2def3e"
    "6fd183a7b20287fa9ac5e7bb8f468cb67a047847dcf167b454d1b6f1ffdcd50f"
    "706c61696e20626f6479"
)
SEALED = (
    "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"
    "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
    "62b48e0000000001"
    "4f9acfad1456cec6917b603583708e959777665dc83aa932692bd7165f7014a8"
    "62b355277e125dc30ab09b0d3a7a9c9a84bf23e40192d0e6c7efa76e9fd8ca0a"
    "6e65bb4432eea1c080bac9493571b37baf3a71c40eec251b0568ff939edcb612"
    "accad19c8c45cdb420c8f3a6fef6b3ef125bb2db5d8c395ac933ec98b6ea"
)
BULLETIN = (
    "a1b22f49b878ed38e3a9f0ab3dab5b5dda30bc7dfe1d9502b32393f53aac74a0"
    "0256b37efc7f978756970fae26c0d90ba8226b65da15747fc69a03c36079754e"
    "62b48e0000000061"
    "68656c6c6f2062756c6c6574696e"
)

if __name__ == "__main__":
    try:
        if sys.argv[1] == "vectors":
            vectors()
            say("listen", "nowhere: all is as it was")
        else:
            Node(sys.argv[1], bytes.fromhex(sys.argv[2]), sys.argv[3:]).run()
    except Exception as error:
        say("died", type(error).__name__, error)
        os._exit(2)
