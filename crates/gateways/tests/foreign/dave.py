"""A peer of dave's, for tests: a program of its own, which behaves as the original does, its faults included.

Usage: dave.py STORE FORWARD [at=HOST] [ADDRESS...]    zero bytes to store and to forward, where to listen
(127.0.0.1 unless said otherwise; the original knows [::1] alone), and whom to know from the start

Commands on standard input, a line each; what happens is said on standard output:
  set VALHEX TAGHEX NONCEHEX   spread a value of one's own
  get WORKHEX                  ask for a value
  hold VALHEX TAGHEX NONCEHEX PREVHEX   keep a value as if it had come
  lose WORKHEX COUNT           the next so many answers with this value get lost on their way
  peers                        say whom one knows
Said: listen ADDRESS, stored WORKHEX, lost WORKHEX, dat WORKHEX VALHEX, peer ADDRESS..., known ADDRESS...

A datagram that cannot be read, or an address that is none, ends the program with code 2, as it does the original.
"""

import hashlib
import os
import random
import select
import socket
import sys
import time

PERIOD = 0.12771392
TOLERANCE, DROP, NPEER, DISTANCE, FANOUT = 2, 4, 3, 7, 2
GETPEER, PEER, SETDAT, GETDAT, DAT = range(5)


def say(*words):
    print(*words, flush=True)


def die(why):
    say("died", why)
    os._exit(2)


def varint(data, at):
    number, shift = 0, 0
    while True:
        if at >= len(data) or shift > 63:
            die("varint")
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def decode(data):
    message = {"op": 0, "peers": [], 3: b"", 4: b"", 5: b"", 6: b"", 7: b""}
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        field, wire = key >> 3, key & 7
        if field == 1 and wire == 0:
            message["op"], at = varint(data, at)
        elif wire == 2:
            length, at = varint(data, at)
            if at + length > len(data):
                die("cut")
            value, at = data[at:at + length], at + length
            if field == 2:
                message["peers"].append(value.decode())
            elif field in message:
                message[field] = value
        else:
            die("field")
    return message


def encode(message):
    out = bytearray()
    if message["op"]:
        out += bytes([8, message["op"]])
    fields = [(2, peer.encode()) for peer in message["peers"]]
    fields += [(field, message[field]) for field in range(3, 8) if message[field]]
    for field, value in fields:
        out.append(field << 3 | 2)
        length = len(value)
        while length >= 0x80:
            out.append(length & 0x7F | 0x80)
            length >>= 7
        out.append(length)
        out += value
    return bytes(out)


def blank(op, **fields):
    message = {"op": op, "peers": [], 3: b"", 4: b"", 5: b"", 6: b"", 7: b""}
    message.update(fields)
    return message


def work_of(message):
    load = hashlib.sha256(message[3] + message[6] + message[7]).digest()
    return hashlib.sha256(load + message[5]).digest()


def check(message):
    if len(message[5]) not in (0, 32):
        return -2
    if len(message[3]) not in (0, 32):
        return -3
    if work_of(message) != message[4]:
        return -1
    return len(message[4]) - len(message[4].lstrip(b"\0"))


def parse(text):
    """An address as the original reads it: one that is none ends it."""
    host, _, port = text.rpartition(":")
    try:
        if host.startswith("["):
            host = host[1:-1]
            socket.inet_pton(socket.AF_INET6, host)
        else:
            socket.inet_pton(socket.AF_INET, host)
        return host, int(port)
    except (OSError, ValueError):
        die("not an ip:port")


def text_of(address):
    return ("[%s]:%d" if ":" in address[0] else "%s:%d") % address[:2]


class Peer:
    def __init__(self, store, forward, host, known):
        self.store_from, self.forward_from = store, forward
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.peers = {}
        for text in known:
            self.add(text, True)
        self.values = {}
        self.losing = {}
        self.beat = time.monotonic() + PERIOD

    def add(self, text, bootstrap=False):
        if text not in self.peers:
            self.peers[text] = {"seen": 0.0, "nping": 0, "drop": 0, "bootstrap": bootstrap}

    def send(self, message, text):
        self.socket.sendto(encode(message), parse(text))

    def pick(self, most, besides):
        """As the original draws: never the last of several, and the same one again and again."""
        table = list(self.peers.items())
        random.shuffle(table)
        fit = [text for text, peer in table
               if peer["drop"] <= 1 and peer["nping"] <= 1 and text not in besides]
        return [fit[random.randrange(max(len(fit) - 1, 1))] for _ in range(min(most, len(fit)))]

    def heartbeat(self):
        texts = list(self.peers)
        random.shuffle(texts)
        if texts:
            text = texts[random.randrange(max(len(texts) - 1, 1))]
            peer = self.peers[text]
            if time.monotonic() - peer["seen"] > TOLERANCE * PERIOD * DROP:
                self.send(blank(GETPEER), text)
                peer["nping"] += 1
        for text, peer in list(self.peers.items()):
            if not peer["bootstrap"] and peer["nping"] > TOLERANCE:
                peer["drop"], peer["nping"] = peer["drop"] + 1, 0
                if peer["drop"] > 2 * DROP:
                    del self.peers[text]

    def forward(self, message, source):
        if len(message["peers"]) < DISTANCE:
            message["peers"].append(source)
            for text in self.pick(FANOUT, message["peers"]):
                self.send(message, text)

    def receive(self, data, source):
        message = decode(data)
        self.add(source)
        self.peers[source].update(seen=time.monotonic(), nping=0, drop=0)
        op = message["op"]
        if op == GETPEER:
            self.send(blank(PEER, peers=self.pick(NPEER, [source])), source)
        elif op == PEER:
            for text in message["peers"]:
                parse(text)
                self.add(text)
        elif op == SETDAT:
            zeros = check(message)
            if zeros >= self.store_from:
                self.values[message[4]] = message
                say("stored", message[4].hex())
            if zeros >= self.forward_from:
                self.forward(dict(message, peers=list(message["peers"])), source)
        elif op == GETDAT:
            if message[4] in self.values:
                if self.losing.get(message[4], 0) > 0:
                    self.losing[message[4]] -= 1
                    say("lost", message[4].hex())
                    return
                for text in message["peers"] + [source]:
                    self.send(dict(self.values[message[4]], op=DAT, peers=[]), text)
            else:
                self.forward(message, source)
        elif op == DAT:
            say("dat", message[4].hex(), message[6].hex())

    def command(self, words):
        if words[0] in ("set", "hold"):
            parts = (words[1:] + [""] * 4)[:4]
            val, tag, nonce, prev = (bytes.fromhex(word) for word in parts)
            message = blank(SETDAT)
            message.update({3: prev, 5: nonce, 6: val, 7: tag})
            message[4] = work_of(message)
            if words[0] == "hold":
                self.values[message[4]] = message
                say("stored", message[4].hex())
                return
            for text in self.pick(FANOUT, []):
                self.send(message, text)
        elif words[0] == "lose":
            self.losing[bytes.fromhex(words[1])] = int(words[2])
        elif words[0] == "get":
            message = blank(GETDAT)
            message[4] = bytes.fromhex(words[1])
            for text in self.pick(FANOUT, []):
                self.send(message, text)
        elif words[0] == "peers":
            say("known", *sorted(self.peers))

    def run(self):
        say("listen", text_of(self.socket.getsockname()))
        typed = b""
        while True:
            wait = max(0.0, self.beat - time.monotonic())
            ready, _, _ = select.select([self.socket, 0], [], [], wait)
            if self.socket in ready:
                data, source = self.socket.recvfrom(1500)
                self.receive(data, text_of(source))
            elif 0 in ready:
                read = os.read(0, 4096)
                if not read:
                    return
                typed += read
                *lines, typed = typed.split(b"\n")
                for line in lines:
                    self.command(line.decode().split(" "))
            if not ready:
                self.heartbeat()
            # Anything that happens puts the heartbeat off: a busy one never asks anybody.
            self.beat = time.monotonic() + PERIOD


others = [word for word in sys.argv[3:] if not word.startswith("at=")]
hosts = [word[3:] for word in sys.argv[3:] if word.startswith("at=")] or ["127.0.0.1"]
Peer(int(sys.argv[1]), int(sys.argv[2]), hosts[0], others).run()
