#!/usr/bin/env python3
"""Holds a real node to its OpenAPI document: no status, kind of content or shape of an answer that it does not name.

Usage: check.py BRUIT. Schemathesis makes the requests from the document, the same ones each time. Left out are the
routes whose answers do not end. Exit code 1 when something undocumented was answered.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

CHECKS = "status_code_conformance,content_type_conformance,response_schema_conformance,not_a_server_error"
ENDLESS = r"/v1/(subscribe|validate$|follow|letters/mail|letters/foreign$|ws|logs)"
# Seconds for what is drawn after every parameter had its edges, and for one request.
FUZZING_S, REQUEST_S = "20", "30"


def main(bruit):
    schemathesis = pathlib.Path(sys.executable).parent / "schemathesis"
    with tempfile.TemporaryDirectory() as data:
        # A price nobody asks for, and little work where a request asks for it: requests are to be answered soon.
        command = [bruit, "run", "--json", "--data", data, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0"]
        command += ["--no-dashboard", "--price", "0", "--max-work", "12", "--api-requests", "1000000"]
        node = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            ready = json.loads(node.stdout.readline())
            token = (pathlib.Path(data) / "token").read_text().strip()
            run = [schemathesis, "run", f"http://{ready['api_extra']}/openapi.json", "--no-color"]
            run += ["-H", f"Authorization: Bearer {token}", "-c", CHECKS, "--exclude-path-regex", ENDLESS]
            run += ["--phases", "coverage,fuzzing", "--max-examples", "10", "--max-time", FUZZING_S]
            run += ["--request-timeout", REQUEST_S, "--generation-deterministic", "--warnings", "off"]
            done = subprocess.run(run, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=data)
            print(done.stdout[-6_000:] if done.returncode else done.stdout[-700:])
            assert node.poll() is None, "the node has ended"
            return done.returncode
        finally:
            node.kill()
            node.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
