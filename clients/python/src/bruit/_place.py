"""Where a node is reached: the socket in its data folder, or a port of this machine."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from .errors import Disconnected, Unauthorised


@dataclass(frozen=True)
class Place:
    """An address and the token for it."""

    token: str
    socket: Path | None = None
    host: str = ""
    port: int = 0

    @classmethod
    def find(cls, data: str | os.PathLike[str] | None, url: str | None, token: str | None) -> Place:
        """The node of a data folder, or at `http://127.0.0.1:PORT`."""
        folder = Path(data) if data is not None else _default_folder()
        if token is None:
            token = _read_token(folder)
        if url is None:
            return cls(token, socket=folder / "api.sock")
        host, _, port = url.removeprefix("http://").rstrip("/").rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(f"{url!r} is no URL of a node: it looks like http://127.0.0.1:7448")
        return cls(token, host=host.strip("[]"), port=int(port))

    def connect(self, timeout: float | None) -> socket.socket:
        """A connection to the node."""
        try:
            if self.socket is None:
                return socket.create_connection((self.host, self.port), timeout)
            return _connect_unix(self.socket, timeout)
        except OSError as error:
            raise Disconnected(self.why(error)) from error

    def why(self, error: OSError) -> str:
        """What to tell somebody who cannot connect."""
        where = self.socket or f"{self.host}:{self.port}"
        return f"no node answers at {where}: {error}. Start one with `bruit run`."


def _connect_unix(path: Path, timeout: float | None) -> socket.socket:
    """A path may be longer than a socket's name: then it is reached through its folder's descriptor."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    try:
        if len(os.fsencode(path)) <= 100:
            connection.connect(str(path))
            return connection
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            connection.connect(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)
    except OSError:
        connection.close()
        raise
    return connection


def _default_folder() -> Path:
    if folder := os.environ.get("BRUIT_DATA"):
        return Path(folder)
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "bruit"


def _read_token(folder: Path) -> str:
    try:
        return (folder / "token").read_text().strip()
    except OSError as error:
        raise Unauthorised(
            401, "no_token", f"the token of {folder} cannot be read: {error}", "name the data folder of a node"
        ) from error
