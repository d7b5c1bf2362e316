"""What a node could answer, invented: for looking at pages, not for testing anything."""

import json
import math
import random
import time
import urllib.parse

HOSTILE = "<img src=x onerror=document.title='run'>\u202eevil\u202c\x1b[31mred\u200b"


def ident(n):
    return random.Random(n).randbytes(32).hex()


class Invented:
    """A node among `n` others, of which it knows the links if they are `shared`."""

    def __init__(self, n=12, shared=True):
        draw = random.Random(7)
        self.ids = [ident(at) for at in range(n)]
        self.shared = shared
        pairs = set()
        for at in range(1, n):
            pairs.add((at, draw.randrange(at)))
        while len(pairs) < n * 3:
            a, b = draw.sample(range(n), 2)
            if (b, a) not in pairs:
                pairs.add((a, b))
        self.pairs = sorted(pairs)
        self.rtt = {pair: draw.uniform(0.3, 9) for pair in self.pairs}
        self.began = time.time()
        self.said = []

    def links(self):
        return [{"from": self.ids[a], "to": self.ids[b], "rtt_ms": round(self.rtt[a, b], 2)} for a, b in self.pairs if self.shared or 0 in (a, b)]

    def mine(self):
        return [(b if a == 0 else a, "out" if a == 0 else "in", self.rtt[a, b]) for a, b in self.pairs if 0 in (a, b)]

    def get(self, request):
        url = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path in ("/v1/subscribe", "/v1/logs"):
            return self.stream(request, url.path, query)
        name = url.path.removeprefix("/v1/").split("/")
        answer = getattr(self, "get_" + name[0], None)
        if answer is None:
            return request.reply(404, {"error": {"code": "not_found", "message": f"there is no {url.path}", "fix": ""}})
        request.reply(200, answer(query, *name[1:]))

    def get_status(self, _):
        ins = sum(way == "in" for _, way, _ in self.mine())
        wave = 2 + math.sin(time.time() / 20)
        return {"id": self.ids[0], "version": "0.1.0", "network": "demo", "uptime_s": int(time.time() - self.began) + 11_000,
                "links": {"in": ins, "out": len(self.mine()) - ins}, "network_size": len(self.ids), "topics": 3,
                "rates": {"in_per_s": wave, "out_per_s": wave * 2.4, "bytes_in_per_s": wave * 1900, "bytes_out_per_s": wave * 4100},
                "drops": {"duplicate": 1412, "expired": 12, "queue_full": 3, "price_too_low": 88},
                "totals": {"published": 214, "received": 9120, "duplicates": 610, "sent": 21_044},
                "store": {"items": 842, "bytes": 3_412_000, "limit_bytes": 256 << 20}, "price": {"min": 4, "floor_log2": 0},
                "clock_offset_ms": 2, "privacy": "fast", "warnings": [{"text": "the clock is 90 s behind", "fix": "set it, for example with timedatectl set-ntp true"}]}

    def get_topology(self, _):
        near = {0} | {other for other, _, _ in self.mine()}
        nodes = [{"id": one, "label": f"node {at}" if self.shared else one[:8], "state": "linked" if at in near else ("dead" if at == 7 else "alive")}
                 for at, one in enumerate(self.ids) if self.shared or at in near]
        return {"shared": self.shared, "nodes": nodes, "links": self.links()}

    def get_peers(self, _, *__):
        now = int(time.time() * 1000)
        return [{"id": self.ids[at], "direction": way, "address": f"{self.ids[at]}@127.0.0.1:{7447 + at}", "path": "direct", "rtt_ms": round(rtt, 2),
                 "since_ms": now - 400_000 * (at + 1), "bytes_in": 31_000 * at + 999, "bytes_out": 47_000 * at + 512, "score": 0.0,
                 "state": "suspect" if at == 3 else "up", "reason": "no answer to two probes" if at == 3 else None} for at, way, rtt in self.mine()]

    def get_topics(self, _):
        return [{"topic": "news", "id": ident(91), "subscribers": 1, "in_per_s": 0.8, "retained": 214},
                {"topic": "weather/alps", "id": ident(92), "subscribers": 2, "in_per_s": 0.05, "retained": 12},
                {"topic": HOSTILE, "id": ident(93), "subscribers": 1, "in_per_s": 0, "retained": 1}]

    def get_traces(self, _, which=None):
        now = int(time.time() * 1000)
        turn = now // 9000
        if which:
            return self.trace(which)
        return [{"id": ident(10**6 + turn - at), "topic": "news" if at % 4 else HOSTILE, "created_ms": (turn - at) * 9000, "received_ms": (turn - at) * 9000 + 4,
                 "size": 64 + at * 31, "hops": 2, "from": self.ids[1], "reached": len(self.ids)} for at in range(30)]

    def trace(self, which):
        draw = random.Random(which)
        start = draw.randrange(len(self.ids))
        at = {start: (0.0, None, 0)}
        waiting = [start]
        while waiting:
            here = min(waiting, key=lambda node: at[node][0])
            waiting.remove(here)
            for a, b in self.pairs:
                if here in (a, b):
                    other = b if a == here else a
                    when = at[here][0] + self.rtt[a, b] * 8
                    if other not in at or when < at[other][0]:
                        at[other] = (when, here, at[here][2] + 1)
                        waiting.append(other)
        begin = int(time.time() * 1000) // 9000 * 9000
        rows = [{"node": self.ids[node], "from": None if origin is None else self.ids[origin], "at_ms": begin + int(when), "hops": hops} for node, (when, origin, hops) in at.items()]
        return {"id": which, "topic": "news", "created_ms": begin, "size": 128, "shared": self.shared,
                "deliveries": rows if self.shared else rows[:1],
                "given_to": [{"id": self.ids[other], "how": "first" if other % 2 else "has", "confirmed": True} for other, _, _ in self.mine()]}

    def get_series(self, query):
        step = 1000 if query.get("range") == "1h" else 10_000
        n = 3600 if step == 1000 else 8640
        begin = int(time.time()) * 1000 - n * step
        draw = random.Random(3)
        curve = lambda base, swing: [None if at < n // 8 else max(0, round(base + swing * math.sin(at / 170) + draw.gauss(0, swing / 4), 3)) for at in range(n)]
        names = {"in_per_s": (2, 1), "out_per_s": (4.8, 2), "bytes_in_per_s": (3800, 1500), "bytes_out_per_s": (8000, 3000), "delivered_per_s": (1.9, 1), "duplicates_per_s": (.2, .1),
                 "refused_per_s": (.05, .1), "queue_bytes": (200, 900), "rtt_p50_ms": (2, .4), "rtt_p90_ms": (5, 1.2), "store_bytes": (3.2e6, 1e5), "store_items": (800, 20)}
        series = {name: curve(*shape) for name, shape in names.items()}
        series |= {"links_in": [None if at < n // 8 else 3 + at // 900 % 2 for at in range(n)], "links_out": [None if at < n // 8 else 4 for at in range(n)],
                   "floor_log2": [0 if at % 1500 < 1200 else 3 for at in range(n)], "network_size": [12] * n}
        return {"begin_ms": begin, "step_ms": step, "series": series}

    def get_values(self, _, *__):
        draw = random.Random(5)
        now = int(time.time() * 1000)
        ages = [int(math.exp(draw.uniform(9.5, 21))) for _ in range(180)]
        return [{"id": ident(500 + at), "kind": draw.choice(["value", "value", "value", "post", "manifest"]), "topic": "values", "author": ident(at % 5), "name": f"sensor/{at}" if at % 3 else None,
                 "tag": None, "seq": at, "size": draw.choice([12, 80, 900, 20_000]), "bits": draw.randrange(8, 22), "rank": round(draw.uniform(1, 9), 3), "created_ms": now - age, "expires_ms": now + 28 * 86_400_000 - age}
                for at, age in enumerate(ages)]

    def get_bulletins(self, _, which):
        return {"id": which, "author": ident(1), "name": "sensor/1", "seq": 4, "tag": None, "prev": None, "size": 40, "created_ms": 0, "expires_ms": 0, "body": "a body\nof two lines " + HOSTILE}

    def get_defence(self, _):
        now = int(time.time() * 1000)
        return {"refused": [{"reason": "work_too_low", "n": 88}, {"reason": "expired", "n": 12}, {"reason": "bad_signature", "n": 2}], "floor_log2": 0, "challenges": 4,
                "discouraged": [{"id": ident(77), "until_ms": now + 80_000_000, "reason": "a signature that is none"}, {"address": "203.0.113.9", "until_ms": now + 10_000_000, "reason": "frame too long"}]}

    def stream(self, request, path, query):
        request.send_response(200)
        request.send_header("content-type", "text/event-stream")
        request.send_header("connection", "close")
        request.end_headers()
        try:
            for at in range(100_000):
                one = self.line(at) if path == "/v1/logs" else self.bulletin(at, query["topic"])
                request.wfile.write(f"id: {at}\ndata: {json.dumps(one)}\n\n".encode())
                request.wfile.flush()
                if at > 12:
                    time.sleep(1)
        except OSError:
            request.close_connection = True

    def line(self, at):
        level = ["INFO", "INFO", "WARN", "DEBUG", "INFO", "ERROR"][at % 6]
        return {"at_ms": int(time.time() * 1000), "level": level, "target": "bruit::driver", "text": f"link up peer={ident(at)[:8]} " + (HOSTILE if at % 6 == 2 else "direction=in")}

    def bulletin(self, at, topic):
        now = int(time.time() * 1000)
        return {"id": ident(300 + at), "topic": topic, "author": ident(at % 3), "from": self.ids[1], "created_ms": now - 90, "received_ms": now, "hops": at % 4, "size": 5,
                "body": ["hello", "the bridge is open again", HOSTILE, "two\nlines"][at % 4], "cursor": str(at)}

    def change(self, request):
        if request.path == "/v1/bulletins":
            return request.reply(200, {"id": ident(1), "topic": request.body["topic"], "result": "accepted", "bits": 9, "work_ms": 3, "neighbours": 5, "spread": 0})
        if request.path == "/v1/peers":
            return request.reply(400, {"error": {"code": "bad_request", "message": "`x` is no address", "fix": "write NODEID@HOST:PORT or a ticket"}})
        request.reply(200, {})
