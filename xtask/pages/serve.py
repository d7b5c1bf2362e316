#!/usr/bin/env python3
"""Serves the dashboard's files without a node, for looking at pages while they are made.

The headers are those of the daemon. What a node would answer is invented here, so nothing that is seen this way
says anything of a node: the tests of `check.py` ask a real one.
"""

import http.server
import json
import mimetypes
import pathlib
import sys
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2] / "dashboard"
CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
       "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers `/ui/…` with files and `/v1/…` with what `answers` holds."""

    protocol_version = "HTTP/1.1"
    answers = None

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path
        if path.startswith("/ui/"):
            return self.file(path.removeprefix("/ui/") or "index.html")
        if self.answers is None:
            return self.reply(401, {"error": {"code": "unauthorized", "message": "no session", "fix": "open the link"}})
        return self.answers.get(self)

    def do_POST(self):
        self.body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"null")
        return self.answers.change(self) if self.answers else self.reply(401, None)

    do_PUT = do_DELETE = do_POST

    def file(self, name):
        path = (ROOT / name).resolve()
        if not path.is_file() or ROOT not in path.parents:
            return self.reply(404, {"error": {"code": "not_found", "message": name, "fix": ""}})
        kind = "text/javascript" if path.suffix == ".js" else mimetypes.guess_type(name)[0] or "application/octet-stream"
        self.send(200, kind, path.read_bytes())

    def reply(self, status, said):
        self.send(status, "application/json", json.dumps(said).encode())

    def send(self, status, kind, body):
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(body)), "content-security-policy": CSP,
                            "cache-control": "no-store", "x-content-type-options": "nosniff"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(port, answers=None):
    """A server on a loopback port; 0 takes a free one."""
    handler = type("Bound", (Handler,), {"answers": answers})
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)


if __name__ == "__main__":
    from invented import Invented
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 8123
    with serve(wanted, Invented()) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}/ui/")
        server.serve_forever()
