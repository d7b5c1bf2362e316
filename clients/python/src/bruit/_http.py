"""HTTP/1.1 as far as a node's API speaks it, without sockets: bytes in, an answer out.

Both clients, the blocking one and the one for asyncio, read answers by this; neither needs anything
outside the standard library.
"""

from __future__ import annotations

import json
from typing import Any, Mapping

from .errors import Disconnected

HEAD_BYTES_MAX = 64 * 1024


def request(method: str, path: str, token: str, body: Any = None, content: bytes | None = None) -> bytes:
    """The bytes of a request with a body of JSON, or of bytes as they are."""
    kind = "application/json" if content is None else "application/octet-stream"
    if content is None:
        content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode("ascii") + content


class Answer:
    """An answer that is read piece by piece.

    `feed` takes what came and returns what of the body is new. `is_complete` says that nothing more
    belongs to it.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.is_complete = False
        self._waiting = b""
        # Bytes left of the body, or of the present chunk; none while that is unknown.
        self._left: int | None = None
        self._is_chunked = False

    def feed(self, data: bytes) -> bytes:
        """Takes bytes from the connection; returns new bytes of the body."""
        self._waiting += data
        if self.status == 0 and not self._read_head():
            return b""
        return self._read_chunks() if self._is_chunked else self._read_length()

    def pause(self) -> float | None:
        """Seconds to wait before asking again, when the node did nothing because too much was asked."""
        if self.status != 429:
            return None
        after = self.headers.get("retry-after", "")
        # The node counts within a second: its answer is in whole ones, and asking sooner costs little.
        return min(float(after), 0.1) if after.isdigit() else 0.1

    def _read_head(self) -> bool:
        head, end, rest = self._waiting.partition(b"\r\n\r\n")
        if not end:
            if len(self._waiting) > HEAD_BYTES_MAX:
                raise Disconnected("the head of the answer has no end")
            return False
        first, *lines = head.decode("latin-1").split("\r\n")
        try:
            self.status = int(first.split(" ", 2)[1])
        except (IndexError, ValueError):
            raise Disconnected(f"this is no HTTP: {first[:80]!r}") from None
        fields = (line.partition(":") for line in lines)
        self.headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        self._waiting = rest
        self._is_chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        if not self._is_chunked:
            self._left = int(self.headers.get("content-length", "0"))
        return True

    def _read_length(self) -> bytes:
        left = self._left or 0
        body, self._waiting = self._waiting[:left], self._waiting[left:]
        self._left = left - len(body)
        self.is_complete = self._left == 0
        return body

    def _read_chunks(self) -> bytes:
        body = b""
        while not self.is_complete:
            if self._left is None:
                line, end, rest = self._waiting.partition(b"\r\n")
                if not end:
                    break
                self._left = int(line.split(b";")[0], 16)
                self._waiting = rest
                is_last = self._left == 0
                self._left += 2  # The line's end behind a chunk.
                if is_last:
                    self.is_complete = True
                    break
            if len(self._waiting) < self._left:
                break
            body += self._waiting[: self._left - 2]
            self._waiting = self._waiting[self._left :]
            self._left = None
        return body
