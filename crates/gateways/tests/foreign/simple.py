"""A node of the simple gossip, for tests: a program of its own, which behaves as the original does, its faults
included; only its pauses are shorter.

Usage: simple.py NEIGHBOUR...     addresses; more may be named later

Commands on standard input: `say TEXT` spreads a message, `know ADDRESS` adds a neighbour.
Said: listen ADDRESS, heard TEXT, relayed TEXT, died WHY
"""

import socket
import sys
import threading
import time

PAUSE = 0.05
neighbours = []
previous = [None]
lock = threading.Lock()


def say(*words):
    with lock:
        print(*words, flush=True)


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def send(wire, data):
    for neighbour in list(neighbours):
        wire.sendto(data, neighbour)
        time.sleep(PAUSE)


def receive(wire):
    try:
        while True:
            data, _ = wire.recvfrom(1024)
            if data == previous[0]:
                continue
            previous[0] = data
            time.sleep(PAUSE)
            # A byte that is not ASCII ends this thread, and the node is deaf from then on.
            say("heard", data[19:].decode("ascii"))
            send(wire, data)
            say("relayed", data[19:].decode("ascii"))
    except UnicodeDecodeError:
        say("died", "deaf")


wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
wire.bind(("127.0.0.1", 0))
neighbours.extend(address(text) for text in sys.argv[1:])
say("listen", "127.0.0.1:%d" % wire.getsockname()[1])
threading.Thread(target=receive, args=(wire,), daemon=True).start()
for line in sys.stdin:
    word, text = line.rstrip("\n").split(" ", 1)
    if word == "know":
        neighbours.append(address(text))
    else:
        data = (time.strftime("%d/%m/%Y %H:%M:%S") + text).encode("ascii")
        previous[0] = data
        send(wire, data)
