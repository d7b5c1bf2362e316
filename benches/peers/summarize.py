#!/usr/bin/env python3
"""A table of medians and [min–max] per workload and peer.

usage: summarize.py FILE.jsonl... FIELD,FIELD,...     (a.b reaches into an object)
"""
import json
import statistics
import sys


def lookup(result, field):
    for part in field.split("."):
        result = result.get(part) if isinstance(result, dict) else None
    return result


def number(value, field):
    if "ratio" in field:
        return f"{value:.4f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.1f}"


def cell(results, field):
    found = (lookup(result, field) for result in results)
    values = [value for value in found if isinstance(value, (int, float))]
    if not values:
        return "–"
    low, mid, high = (number(f(values), field) for f in (min, statistics.median, max))
    return mid if min(values) == max(values) else f"{mid} [{low}–{high}]"


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    *files, fields = sys.argv[1:]
    fields = fields.split(",")
    rows = {}
    for name in files:
        with open(name, encoding="utf-8") as lines:
            for line in lines:
                result = json.loads(line)
                rows.setdefault((result["label"], result["key"]), []).append(result)
    print("| workload | peer | n | " + " | ".join(fields) + " |")
    print("|---" * (len(fields) + 3) + "|")
    for (workload, peer), results in rows.items():
        good = [result for result in results if "error" not in result]
        failed = len(results) - len(good)
        count = f"{len(good)} ({failed} failed)" if failed else str(len(good))
        cells = " | ".join(cell(good, field) for field in fields)
        print(f"| {workload} | {peer} | {count} | {cells} |")


if __name__ == "__main__":
    main()
