"""Peers and seeds of the exercise, for tests: a program of its own, which behaves as the original does, its faults
included; only its pauses are shorter, and the threads that it leaves behind sleep instead of spinning.

Usage: p2p_messaging.py seed          one seed
       p2p_messaging.py evil FILE     one whose lists are pickles that make FILE when they are loaded
       p2p_messaging.py peer SPEED SEEDPORT...   pauses are divided by SPEED

Commands on standard input: `list` says whom one knows, `dead PORT` reports a death to all seeds.
Said: listen ADDRESS, frame TEXT for each number that comes, gossip TEXT for those that are news, list PORT...,
dead PORT, died WHY
"""

import hashlib
import os
import pickle
import random
import socket
import sys
import threading
import time

lock = threading.Lock()
HOST = "127.0.0.1"


def say(*words):
    with lock:
        print(*words, flush=True)


def listen():
    wire = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    wire.bind((HOST, 0))
    wire.listen(64)
    say("listen", "%s:%d" % wire.getsockname())
    return wire, wire.getsockname()[1]


def serve(wire, handler):
    while True:
        connection, _ = wire.accept()
        threading.Thread(target=handler, args=(connection,), daemon=True).start()


class Seed:
    def __init__(self):
        self.peers = []
        self.wire, self.port = listen()

    def handle(self, connection):
        text = connection.recv(1024).decode()
        if text.startswith("REGISTER"):
            port = int(text.split(":")[1])
            self.peers.append(port)
            connection.send(("%d Registered successfully to %d" % (port, self.port)).encode())
        elif text.startswith("PEERLIST_REQUEST"):
            connection.send(pickle.dumps(self.list()))
        elif text.startswith("DEAD"):
            port = int(text.split(":")[2])
            if port in self.peers:
                self.peers.remove(port)
            say("dead", port)
        connection.close()


    def list(self):
        return self.peers


class EvilSeed(Seed):
    """Whoever loads its lists runs what it wants."""

    def list(self):
        return Command()


class Command:
    def __reduce__(self):
        return os.system, ("touch '%s'" % sys.argv[2],)


class Peer:
    def __init__(self, speed, seeds):
        self.speed, self.seeds = speed, seeds
        self.members, self.seen, self.missed = [], set(), {}
        self.wire, self.port = listen()

    def send(self, port, text):
        with socket.create_connection((HOST, port), 5) as connection:
            connection.send(text.encode())

    def join(self):
        for seed in random.sample(self.seeds, len(self.seeds) // 2 + 1):
            with socket.create_connection((HOST, seed), 2) as connection:
                connection.send(("REGISTER:%d" % self.port).encode())
                connection.recv(1024)
        for seed in self.seeds:
            with socket.create_connection((HOST, seed), 2) as connection:
                connection.send(b"PEERLIST_REQUEST")
                for port in pickle.loads(connection.recv(1024)):
                    if port not in self.members:
                        self.members.append(port)

    def others(self):
        return [port for port in self.members if port != self.port]

    def handle(self, connection):
        while True:
            data = connection.recv(500)
            if not data:
                time.sleep(3600)  # the original goes round and round here
            text = data.decode()
            parts = [int(part) for part in text.split(":") if part.strip()]
            if parts[0] == 1133:
                self.on_gossip(text, parts)
            elif parts[0] == 1122:
                reply = "1144:%d:%d:%d" % (parts[1], parts[2], self.port)
                self.try_send(parts[2], reply)
            elif parts[0] == 1144:
                self.missed[parts[3]] = 0

    def try_send(self, port, text):
        try:
            self.send(port, text)
            return True
        except OSError:
            return False

    def on_gossip(self, text, parts):
        say("frame", text)
        origin = parts[1]
        if origin not in self.members:
            self.members.append(origin)
        digest = hashlib.sha256(text.encode()).hexdigest()
        if digest in self.seen:
            return
        self.seen.add(digest)
        say("gossip", text)
        for port in self.others():
            if port != origin:
                self.try_send(port, text)

    def gossip(self):
        for count in range(1, 11):
            time.sleep(5 / self.speed)
            text = "1133:%d:%d:%d" % (self.port, time.time(), count)
            self.seen.add(hashlib.sha256(text.encode()).hexdigest())
            others = self.others()
            for port in random.sample(others, min(4, len(others))):
                self.try_send(port, text)

    def liveness(self):
        while True:
            time.sleep(13 / self.speed)
            for port in self.others():
                self.missed[port] = self.missed.get(port, 0) + 1
                self.try_send(port, "1122:%d:%d:" % (time.time(), self.port))
                if self.missed[port] >= 3 + 1:
                    self.members.remove(port)
                    say("dead", port)
                    self.report(port)

    def report(self, port):
        for seed in self.seeds:
            self.try_send(seed, "DEAD:%s:%d:%d:%d" % (HOST, port, time.time(), self.port))


SEEDS = {"seed": Seed, "evil": EvilSeed}


def run():
    if sys.argv[1] in SEEDS:
        node = SEEDS[sys.argv[1]]()
    else:
        node = Peer(float(sys.argv[2]), [int(port) for port in sys.argv[3:]])
        node.join()
        threading.Thread(target=node.gossip, daemon=True).start()
        threading.Thread(target=node.liveness, daemon=True).start()
    threading.Thread(target=serve, args=(node.wire, node.handle), daemon=True).start()
    for line in sys.stdin:
        words = line.split()
        if words[0] == "list":
            say("list", *(node.peers if sys.argv[1] in SEEDS else node.members))
        else:
            node.report(int(words[1]))


threading.excepthook = lambda args: say("died", args.exc_type.__name__, args.exc_value)
run()
