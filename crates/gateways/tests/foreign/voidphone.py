"""A peer of VoidPhone's Gossip-5, for tests: a program of its own, which behaves as the original does, its faults
included. A module that subscribes to every type and finds everything valid is part of it; there is no port for others.

Usage: voidphone.py CACHE_SIZE DEGREE P2P_TTL TRIALS [BOOTSTRAPPER]   without one, it is a bootstrapper
       voidphone.py vectors          compares this program with what the original was seen to do

Commands on standard input, a line each; what happens is said on standard output:
  announce TYPE TTL HEX    as a module announces
  peers                    say who is in the view
Said: listen ADDRESS, heard TYPE HEX, peers N ADDRESS..., joined ADDRESS, left ADDRESS, refused ADDRESS,
unsolved ADDRESS, died WHY

Two things are not as in the original, for tests have no half minute: the puzzle given to others is always the same
one, of which a small solution is known, and after TRIALS one's own puzzle is left unsolved. While it is solved this
program is as deaf as the original. What the original stumbles over (a frame that comes in two pieces, a size that is
none) and what it has no name for ends this program with code 2.
"""

import asyncio
import hashlib
import os
import random
import socket
import struct
import sys
import time

PEER_REQUEST, PEER_RESPONSE, PUZZLE, SOLUTION, HELLO, PUSH, PING, NOTIFICATION = range(504, 512)
SIZES = {PEER_REQUEST: 4, PUZZLE: 12, SOLUTION: 26, HELLO: 10, PUSH: 12, PING: 4}
NONCE = 0x0102030405060708
SUPPRESS = 60
FEW = 2


def say(*words):
    print(*words, flush=True)


def die(*why):
    say("died", *why)
    os._exit(2)


def frame(kind, body=b""):
    return struct.pack("!HH", 4 + len(body), kind) + body


def pack_address(address):
    return socket.inet_aton(address[0]) + struct.pack("!H", address[1])


def unpack_address(data):
    return socket.inet_ntoa(data[:4]), int.from_bytes(data[4:6], "big")


def text_of(address):
    return "%s:%d" % address


def parse(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def push(ttl, address):
    return frame(PUSH, struct.pack("!H", ttl) + pack_address(address))


def response(addresses):
    return frame(PEER_RESPONSE, b"".join(map(pack_address, addresses)))


def solution(nonce, challenge, address):
    return frame(SOLUTION, struct.pack("!QQ", nonce, challenge) + pack_address(address))


def notification(ttl, ident, kind, data):
    return frame(NOTIFICATION, struct.pack("!BBHH", ttl, 0, ident, kind) + data)


def is_solved(nonce, challenge):
    """Three zeros of text, where the documents ask for three of bytes."""
    return hashlib.sha256(struct.pack("!QQ", nonce, challenge)).digest().startswith(b"000")


def solve(nonce, trials):
    return next((challenge for challenge in range(trials) if is_solved(nonce, challenge)), None)


class Peer:
    def __init__(self, cache_size, degree, p2p_ttl, trials, bootstrapper=None):
        self.cache_size, self.degree = int(cache_size), int(degree)
        self.p2p_ttl, self.trials = int(p2p_ttl), int(trials)
        self.bootstrapper = bootstrapper
        self.view = {}  # address -> writer
        self.dialled = set()  # addresses to which there is a stream, or soon will be
        self.puzzles = {}  # writer -> nonce
        self.spread_ids = {}  # id -> when
        self.tasks = set()

    # The view.

    def enter(self, address, writer):
        if address not in self.view and len(self.view) >= self.cache_size:
            self.view.pop(random.choice(list(self.view))).close()
        self.view[address] = writer
        say("joined", text_of(address))

    async def send(self, address, data):
        """A ping first: it shows whether the stream can be written to, which is all the liveness there is."""
        writer = self.view.get(address)
        if writer is None:
            return
        try:
            for part in (frame(PING), data):
                writer.write(part)
                await writer.drain()
        except ConnectionError:
            if self.view.get(address) is writer:
                del self.view[address]
                say("left", text_of(address))

    async def spread(self, data):
        """To some of the view, and nobody is left out: neither who sent it nor whom it is about."""
        view = list(self.view)
        if 0 < len(view) < FEW:
            await self.send(random.choice(view), frame(PEER_REQUEST))
        for address in random.sample(view, min(self.degree, len(view))):
            await self.send(address, data)

    async def greet(self, address):
        if address == self.own or address in self.view or address in self.dialled:
            return
        self.dialled.add(address)
        try:
            reader, writer = await asyncio.open_connection(*address)
        except OSError:
            self.dialled.discard(address)
            say("refused", text_of(address))
            return
        writer.write(frame(HELLO, pack_address(self.own)))
        self.start(self.converse(reader, writer, address))

    # Frames.

    async def converse(self, reader, writer, dialled=None):
        try:
            while data := await reader.read(2):
                size = int.from_bytes(data, "big")
                if len(data) < 2 or size < 4:
                    die("size", data.hex())
                data += await reader.read(size - 2)
                kind = int.from_bytes(data[2:4], "big")
                if len(data) < size or SIZES.get(kind, size) != size:
                    die("frame", size, data.hex())
                await self.on_frame(kind, data[4:], writer, dialled)
        except ConnectionError:
            pass
        self.puzzles.pop(writer, None)
        self.dialled.discard(dialled)
        # Whoever is in the view stays there until it is written to.
        if writer not in self.view.values():
            writer.close()

    async def on_frame(self, kind, body, writer, dialled):
        if kind == HELLO:
            if writer not in self.puzzles:
                self.puzzles[writer] = NONCE
                writer.write(frame(PUZZLE, struct.pack("!Q", NONCE)))
        elif kind == PUZZLE:
            self.on_puzzle(int.from_bytes(body, "big"), writer, dialled)
        elif kind == SOLUTION:
            await self.on_solution(body, writer)
        elif kind == PEER_REQUEST:
            # Of anybody.
            writer.write(response(self.view))
        elif kind == PEER_RESPONSE:
            if len(body) % 6:
                die("response", body.hex())
            if writer in self.view.values():
                await self.on_response([unpack_address(body[at:at + 6]) for at in range(0, len(body), 6)])
        elif kind == PUSH:
            if writer in self.view.values():
                await self.on_push(int.from_bytes(body[:2], "big"), unpack_address(body[2:]))
        elif kind == NOTIFICATION:
            if len(body) < 6:
                die("notification", body.hex())
            # Of anybody, too.
            ttl, _, ident, data_type = struct.unpack("!BBHH", body[:6])
            await self.notify(ttl, ident, data_type, body[6:])
        elif kind != PING:
            die("type", kind)

    def on_puzzle(self, nonce, writer, dialled):
        if dialled is None:
            return
        challenge = solve(nonce, self.trials)
        if challenge is None:
            say("unsolved", text_of(dialled))
            return
        self.enter(dialled, writer)
        writer.write(solution(nonce, challenge, self.own))

    async def on_solution(self, body, writer):
        nonce, challenge = struct.unpack("!QQ", body[:16])
        if self.puzzles.pop(writer, None) != nonce or not is_solved(nonce, challenge):
            writer.close()
            return
        address = unpack_address(body[16:])
        self.enter(address, writer)
        writer.write(response(other for other in self.view if other != address))
        if self.bootstrapper is None:
            await self.spread(push(self.p2p_ttl, address))

    async def on_response(self, addresses):
        fresh = [address for address in addresses if address != self.own and address not in self.view]
        for address in random.sample(fresh, min(self.cache_size // 2 + 1, len(fresh))):
            await self.greet(address)

    async def on_push(self, ttl, address):
        """However often it came already."""
        await self.greet(address)
        if ttl > 0:
            await self.spread(push(ttl - 1, address))

    async def notify(self, ttl, ident, data_type, data):
        """What has no hops left is forgotten at once, and is heard again when it comes again."""
        now = time.monotonic()
        self.spread_ids = {ident: at for ident, at in self.spread_ids.items() if now - at < SUPPRESS}
        if ident in self.spread_ids:
            return
        say("heard", data_type, data.hex())
        if ttl > 0:
            self.spread_ids[ident] = now
            await self.spread(notification(ttl - 1, ident, data_type, data))

    # The program.

    async def command(self, words):
        if words[0] == "announce":
            data_type, ttl = int(words[1]), int(words[2])
            await self.notify(ttl, random.randrange(1 << 16), data_type, bytes.fromhex(words[3]))
        elif words[0] == "peers":
            say("peers", len(self.view), *sorted(map(text_of, self.view)))

    def start(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.ended)

    def ended(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and task.exception():
            die(type(task.exception()).__name__, task.exception())

    async def run(self):
        wire = socket.create_server(("127.0.0.1", 0))
        self.own = wire.getsockname()
        accept = lambda reader, writer: self.start(self.converse(reader, writer))
        self.server = await asyncio.start_server(accept, sock=wire)
        say("listen", text_of(self.own))
        if self.bootstrapper is not None:
            await self.greet(parse(self.bootstrapper))
        typed = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(typed), sys.stdin)
        while line := await typed.readline():
            await self.command(line.decode().split())


def vectors():
    """Frames that the original's own packers made, and puzzles that its bootstrapper took as solved."""
    some, data = ("127.0.0.1", 6011), b"deadbeef"
    made = {
        "000401f8": frame(PEER_REQUEST),
        "001001f97f000001177b0a010203ffff": response([some, ("10.1.2.3", 65535)]),
        "000401f9": response([]),
        "000c01fa0102030405060708": frame(PUZZLE, struct.pack("!Q", NONCE)),
        "001a01fbd302dc5c87cc30f60000000000b61a337f0000011b57":
            solution(0xd302dc5c87cc30f6, 11934259, ("127.0.0.1", 6999)),
        "000a01fc7f000001177b": frame(HELLO, pack_address(some)),
        "000c01fd00057f000001177b": push(5, some),
        "000401fe": frame(PING),
        "001201ff0300424205396465616462656566": notification(3, 0x4242, 1337, data),
    }
    for expected, got in made.items():
        assert got.hex() == expected, expected
    assert unpack_address(bytes.fromhex("0a010203ffff")) == ("10.1.2.3", 65535)
    assert is_solved(0xd302dc5c87cc30f6, 11934259)
    assert solve(NONCE, 50000) == 45058


try:
    if sys.argv[1] == "vectors":
        vectors()
        say("listen", "nowhere: all is as it was")
    else:
        asyncio.run(Peer(*sys.argv[1:]).run())
except Exception as error:
    die(type(error).__name__, error)
