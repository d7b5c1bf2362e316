#!/usr/bin/env python3
"""Runs the workloads for every peer in turn, each run in a network namespace of its own.

usage: run.py OUT.jsonl [--reps 3] [--workloads a16,a64,...] [--peers bruit,quic,tcp,iroh]

Every run is bounded in time; one that fails leaves a line with an "error". The namespaces need root
(`unshare -n`).
"""
import argparse
import json
import os
import subprocess
import time

BIN = os.environ.get("PEERS_BIN", "target/release")

PEERS = {
    "bruit": [f"{BIN}/peerbench-bruit"],
    "quic": [f"{BIN}/peerbench-libp2p", "--opt", "transport=quic"],
    "tcp": [f"{BIN}/peerbench-libp2p", "--opt", "transport=tcp"],
    # HyParView may leave a node under 3 neighbours until its 60 s shuffle: do not wait for that
    "iroh": [f"{BIN}/peerbench-iroh", "--mesh-wait", "3"],
}

SETUP = 'ip link set lo up 2>/dev/null || ifconfig lo up; exec "$@"'

# What is printed while it runs: heading, key of the result.
SHOWN = {
    "ratio": "delivery_ratio",
    "p50": "p50_ms",
    "p99": "p99_ms",
    "cov50": "coverage_p50_ms",
    "del/s": "throughput_deliveries_per_s",
    "cpu_us": "cpu_us_per_delivery",
    "wire/B": "wire_per_delivered_byte",
    "redundancy": "redundancy",
    "rss/node": "rss_per_node_mb",
    "mesh": "mesh_min",
    "load": "loadavg1",
    "errors": "publish_errors",
    "error": "error",
}


def workloads():
    """Name -> (arguments, time limit in seconds)."""
    few = "--msg-size 256 --messages 200 --rate 20"
    deaths = (
        "--nodes 64 --msg-size 256 --messages 50 --rate 20 --publishers 8"
        " --kill-frac 0.3 --gap 10 --drain 10"
    )
    idle = "--messages 0 --idle-secs 10"
    all_of_them = {
        "a16": (f"--nodes 16 {few}", 90),
        "a64": (f"--nodes 64 {few}", 120),
        "a128": (f"--nodes 128 {few} --settle 5", 180),
        "c16": (
            "--nodes 16 --msg-size 1048576 --messages 20 --rate max"
            " --outstanding 1 --warmup 2 --drain 10",
            120,
        ),
        "m16": ("--nodes 16 --msg-size 256 --messages 100 --rate 20 --metrics", 60),
        "m16k": ("--nodes 16 --msg-size 1024 --messages 100 --rate 20 --metrics", 60),
        "mb16": (
            "--nodes 16 --publishers 16 --msg-size 1024 --messages 40000 --rate max"
            " --outstanding 64 --duration 3 --metrics",
            60,
        ),
        "d16": (f"--nodes 16 {idle} --settle 3", 100),
        "d64": (f"--nodes 64 {idle} --settle 3", 120),
        "d128": (f"--nodes 128 {idle} --settle 3", 150),
        "d256": (f"--nodes 256 {idle} --settle 5", 200),
        "e64drop": (f"{deaths} --kill-mode drop", 150),
        "e64kill": (f"{deaths} --kill-mode sigkill", 150),
    }
    for nodes in (16, 32):
        load = (
            f"--nodes {nodes} --publishers {nodes} --msg-size 1024 --messages 40000"
            " --warmup 3 --drain 8"
        )
        for each in (1, 4, 16, 64, 256):
            window = each * nodes
            arguments = f"{load} --rate max --outstanding {window} --duration 4"
            all_of_them[f"b{nodes}w{window}"] = (arguments, 100)
        for rate in (250, 500, 1000, 2000, 4000, 8000):
            all_of_them[f"b{nodes}r{rate}"] = (f"{load} --rate {rate} --duration 5", 100)
    return all_of_them


def measure(peer, name, workload, rep):
    """One run; returns its result, or an object with an "error"."""
    arguments, limit = workload
    command = ["unshare", "-n", "bash", "-c", SETUP, "setup"]
    command += PEERS[peer] + arguments.split() + ["--seed", str(rep + 1), "--label", name]
    start = time.time()
    try:
        # a session of its own: a scheduling group of its own, on a machine that others use
        run = subprocess.run(
            command, capture_output=True, text=True, timeout=limit, start_new_session=True
        )
        lines = run.stdout.strip().splitlines()
        result = json.loads(lines[-1]) if lines else {"error": f"exit code {run.returncode}"}
        if run.stderr.strip():
            result["stderr"] = run.stderr.strip()[-400:]
    except subprocess.TimeoutExpired:
        result = {"error": f"took more than {limit} s"}
    except (json.JSONDecodeError, OSError) as error:
        result = {"error": str(error)}
    result.update(key=peer, label=name, rep=rep, wall_s=round(time.time() - start, 1))
    return result


def main():
    known = workloads()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", help="results are added to this file, one JSON object a line")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--workloads", default=",".join(known))
    parser.add_argument("--peers", default=",".join(PEERS))
    options = parser.parse_args()
    with open(options.out, "a", encoding="utf-8") as out:
        for name in options.workloads.split(","):
            for rep in range(options.reps):
                for peer in options.peers.split(","):
                    result = measure(peer, name, known[name], rep)
                    out.write(json.dumps(result) + "\n")
                    out.flush()
                    shown = {head: result.get(key) for head, key in SHOWN.items()}
                    text = " ".join(f"{k}={v}" for k, v in shown.items() if v is not None)
                    print(f"{name:9} {peer:6} rep{rep} {text}", flush=True)


if __name__ == "__main__":
    main()
