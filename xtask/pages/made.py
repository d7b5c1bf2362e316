"""Recordings made by hand, for what a real run does not show on demand: damage, pins, hostile names."""

import gzip
import json
import random

HOSTILE = "<img src=x onerror=document.title='run'>\u202eevil\u202c\x1b[31mred"


def recording(nodes=6, waves=2, pins=(), bands=(), links=None, lives=(), name="made"):
    """The lines of a recording as text."""
    draw = random.Random(nodes)
    places = ["places", [draw.randrange(1001) for _ in range(nodes)], [draw.randrange(1001) for _ in range(nodes)]]
    links = links if links is not None else [(at, draw.randrange(at)) for at in range(1, nodes)]
    body = [places, *bands, *lives]
    body.append(["links", 0, [0] * len(links), [1] * len(links), [a for a, _ in links], [b for _, b in links]])
    body += [wave(nodes, at, draw) for at in range(waves)]
    body += pins
    head = {"bruit": "simulation", "version": 1, "tick_us": 100, "scenario": name, "case": HOSTILE, "protocol": "rootcast", "seed": 1, "nodes": nodes,
            "measured": 0, "end": 100_000, "lines": len(body), "kept": {}, "left_out": {"pins": 0}, "trace": "00"}
    return "\n".join(json.dumps(line) for line in [head, *body]) + "\n"


def wave(nodes, number, draw):
    """A bulletin that everybody has from somebody who had it before."""
    order = draw.sample(range(nodes), nodes)
    hops = {order[0]: 0}
    after, come, origins = [0], [order[0]], [-1]
    for node in order[1:]:
        origin = draw.choice(come)
        hops[node] = hops[origin] + 1
        after.append(draw.randrange(1, 4))
        come.append(node)
        origins.append(origin)
    return ["wave", 10_000 * (number + 1) % 90_000, order[0], 512, f"{number:064x}", after, come, origins, [min(255, hops[node]) for node in come]]


def packed(text):
    """As `bruit sim` writes it."""
    return gzip.compress(text.encode())
