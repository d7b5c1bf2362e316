#!/usr/bin/env python3
"""Decodes the vectors of wire.json by the text of docs/wire-format.md alone.

Standard library only. BLAKE3 and Ed25519 are not in it, so hashes and signatures are checked for
their place and length, and the texts they cover are rebuilt from the decoded fields; the Rust tests
compute them. Exits with 1 at the first difference.
"""

import ipaddress
import json
import pathlib
import sys


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        field = self.data[self.at:self.at + count]
        assert len(field) == count, f"{count - len(field)} bytes short at {self.at}"
        self.at += count
        return field

    def number(self, count):
        return int.from_bytes(self.take(count), "big")

    def hex(self, count):
        return self.take(count).hex()

    def rest(self):
        return self.take(len(self.data) - self.at)

    def bool(self):
        value = self.number(1)
        assert value in (0, 1), f"{value} is no truth value"
        return value == 1

    def list(self, each, most):
        count = self.number(2)
        assert count <= most, f"{count} entries exceed {most}"
        return [each(self) for _ in range(count)]


def address(r):
    family = r.number(1)
    assert family in (4, 6), family
    ip = ipaddress.ip_address(r.take(4 if family == 4 else 16))
    return f"{ip}:{r.number(2)}" if family == 4 else f"[{ip}]:{r.number(2)}"


def header(r):
    h = {"version": r.number(1), "kind": r.number(1), "flags": r.number(2), "ttl_s": r.number(4),
         "created_ms": r.number(8), "topic": r.hex(32), "content_id": r.hex(32),
         "author": r.hex(32), "seq": r.number(8), "size": r.number(4)}
    name, tag, parents, reserved = (r.number(1) for _ in range(4))
    assert h["version"] == 1 and reserved == 0 and name <= 64 and tag <= 32 and parents <= 3
    h["name"], h["tag"] = r.hex(name), r.hex(tag)
    h["parents"] = [r.hex(32) for _ in range(parents)]
    return h


def stamp(r):
    s = {"algo": r.number(1), "bits": r.number(1), "nonce": r.number(8)}
    assert s["algo"] == 0
    return s


def bulletin(r):
    b = {"header": header(r), "signature": r.hex(64), "stamp": stamp(r), "content": r.rest().hex()}
    if b["header"]["kind"] == 3:
        check_manifest(b["header"]["size"], bytes.fromhex(b["content"]))
    else:
        assert b["header"]["size"] * 2 == len(b["content"]) <= 2 * 65_536
    return b


def check_manifest(size, content):
    assert 16 * 1024 <= size <= 16 * 1024 * 1024 and 1 <= len(content) <= 1024
    if content[:1] == b"\x01":
        assert len(content) == 38 and int.from_bytes(content[1:5], "big") == size
        assert content[5] == (12 if size < 256 * 1024 else 14)


def chunk(r):
    fields = {"id": short(r), "index": r.number(4), "proof": r.list(lambda r: r.hex(32), 10)}
    data = r.rest()
    assert 1 <= len(data) <= 16_384
    return {**fields, "bytes": data.hex()}


def have_chunks(r):
    fields = {"id": short(r), "busy": r.bool(), "seeking": r.bool()}
    bitmap = r.rest()
    assert len(bitmap) <= 128
    return {**fields, "bitmap": bitmap.hex()}


def record_body(r):
    body = {"version": r.number(1), "node": r.hex(32), "seq": r.number(8),
            "expires_ms": r.number(8), "addresses": r.list(address, 3)}
    assert body["version"] == 1
    body["relay"] = r.take(r.number(1)).decode("utf-8")
    return body


def record(r):
    return {"body": record_body(r), "signature": r.hex(64)}


def beacon(r):
    return {"node": r.hex(32), "minute": r.number(8), "signature": r.hex(64)}


def hello(r):
    return {"version": r.number(2), "features": r.number(4), "name_hash": r.hex(16),
            "price": r.number(4), "private": r.bool(), "network_id": r.hex(32),
            "wants_kept": r.bool(), "nonce": r.hex(32), "clock_ms": r.number(8),
            "observed": address(r) if r.bool() else None}


def sync_topics(r):
    topics = r.list(lambda r: r.hex(32), 16)
    assert topics == sorted(set(topics)), "topics are ascending, none twice"
    return topics


def sync_message(r):
    message = r.rest()
    assert len(message) <= 60 * 1024
    return message.hex()


def short(r):
    return r.hex(16)


def root(r):
    return r.number(8)


def lookup(r):
    fields = {"lookup": r.number(8), "hops": r.number(1), "budget": r.number(1)}
    assert 1 <= fields["hops"] <= 6
    target = r.number(1)
    assert target in (1, 2)
    return {**fields, **({"id": r.hex(32)} if target == 1 else {"value": r.hex(16)})}


FRAMES = {
    1: hello,
    2: lambda r: {"mac": r.hex(32)},
    8: lambda r: {"seq": r.number(4), "clock_ms": r.number(8), "floor_log2": r.number(1),
                  "minute": r.number(8), "digest": r.hex(16)},
    9: lambda r: {"seq": r.number(4), "clock_ms": r.number(8)},
    10: lambda r: {"seq": r.number(4), "target": r.hex(32)},
    11: lambda r: {"seq": r.number(4), "alive": r.bool()},
    16: lambda r: {},
    17: lambda r: {"records": r.list(record, 16)},
    18: lambda r: {"beacon": beacon(r)},
    19: lambda r: {"on": r.bool()},
    24: lambda r: {"token": r.hex(16), "record": record(r) if r.bool() else None},
    25: lambda r: {"token": r.hex(16), "lease_s": r.number(4), "renew_s": r.number(4),
                   "records": r.list(record, 16)},
    26: lambda r: {"nodes": r.list(lambda r: r.hex(32), 16)},
    32: lambda r: {"root_tag": root(r), "hops": r.number(1), "bulletin": bulletin(r)},
    33: lambda r: {"entries": r.list(lambda r: {"id": short(r), "root_tag": root(r)}, 256)},
    34: lambda r: {"ids": r.list(short, 64)},
    35: lambda r: {"roots": r.list(root, 512), "ids": r.list(short, 64)},
    36: lambda r: {"roots": r.list(root, 512)},
    37: lambda r: {"dropped": r.bool(), "ids": r.list(short, 64)},
    38: lambda r: {"ids": r.list(short, 64)},
    39: lambda r: {"entries": r.list(lambda r: {"id": r.hex(32), "stamp": stamp(r)}, 32)},
    40: lookup,
    41: lambda r: {"lookup": r.number(8)},
    48: lambda r: {"session": r.number(4), "created_until_ms": r.number(8),
                   "expiry_cutoff_ms": r.number(8), "resume_ms": r.number(8),
                   "topics": sync_topics(r), "message": sync_message(r)},
    49: lambda r: {"session": r.number(4), "message": sync_message(r)},
    50: lambda r: {"session": r.number(4)},
    56: lambda r: {"id": short(r), "urgent": r.bool(),
                   "chunks": r.list(lambda r: r.number(4), 64)},
    57: chunk,
    58: have_chunks,
}


def frame(r):
    kind = r.number(1)
    body = {"body": r.rest().hex()} if kind >= 192 else FRAMES[kind](r)
    return {"kind": kind, **body}


TYPES = {"address": address, "header": header, "stamp": stamp, "bulletin": bulletin,
         "record_body": record_body, "record": record, "beacon": beacon, "frame": frame}


def price_bits(w, size, ttl_s):
    """Fewest bits b with 2^b >= W * (size + 1000) * (65536 + max(ttl, 300)) / 65536."""
    trials = -(-w * (size + 1000) * (65_536 + max(ttl_s, 300)) // 65_536)
    bits = 0
    while 1 << bits < trials:
        bits += 1
    return bits


def check(vectors):
    by_name = {}
    for vector in vectors["wire"]:
        data = bytes.fromhex(vector["hex"])
        reader = Reader(data)
        fields = TYPES[vector["type"]](reader)
        assert reader.at == len(data), f"{vector['name']}: bytes left over"
        assert fields == vector["fields"], f"{vector['name']}: {fields}"
        by_name[vector["name"]] = data
    hashes = {entry["name"]: entry for entry in vectors["hashes"]}
    network = bytes.fromhex(hashes["network id, open"]["hash"])
    head = by_name["header"]
    texts = {
        "bulletin": b"bul1" + network + head,
        "record": b"rec1" + network + by_name["record_body"],
        "beacon": b"bea1" + network + by_name["beacon"][:40],
    }
    for entry in vectors["signatures"]:
        name = entry["name"]
        assert bytes.fromhex(entry["text"]) == texts[name], f"signed text of {name}"
        place = len(head) if name == "bulletin" else len(by_name[name]) - 64
        assert by_name[name][place:place + 64].hex() == entry["signature"], f"signature of {name}"
    signature = by_name["bulletin"][len(head):len(head) + 64]
    assert bytes.fromhex(hashes["bulletin id"]["text"]) == b"bid1" + network + head + signature
    bulletin_id = bytes.fromhex(hashes["bulletin id"]["hash"])
    assert bytes.fromhex(hashes["work"]["text"]) == b"pow1" + bulletin_id + by_name["stamp"]
    work = bytes.fromhex(hashes["work"]["hash"])
    assert 256 - int.from_bytes(work, "big").bit_length() >= by_name["stamp"][1], "work not done"
    for row in vectors["prices"]:
        assert price_bits(row["w"], row["size"], row["ttl_s"]) == row["bits"], row
    print(f"{len(vectors['wire'])} values, {len(vectors['signatures'])} signed texts, "
          f"{len(vectors['prices'])} prices: as on file")


if __name__ == "__main__":
    path = pathlib.Path(__file__).with_name("wire.json")
    try:
        check(json.loads(path.read_text(encoding="utf-8")))
    except AssertionError as difference:
        sys.exit(f"difference: {difference}")
