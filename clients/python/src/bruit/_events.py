"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One event."""

    name: str
    data: str
    id: str


class Parser:
    """Takes the bytes of a stream; returns the events that are complete."""

    def __init__(self) -> None:
        self._waiting = b""

    def feed(self, data: bytes) -> list[Event]:
        """Takes bytes; returns the events they complete. Comments that keep the stream alive are none."""
        *blocks, self._waiting = (self._waiting + data).split(b"\n\n")
        events = (_event(block.decode("utf-8", "replace")) for block in blocks)
        return [event for event in events if event.data]


def _event(block: str) -> Event:
    fields: dict[str, list[str]] = {}
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        fields.setdefault(name, []).append(value.removeprefix(" "))
    last = {name: values[-1] for name, values in fields.items()}
    return Event(last.get("event", ""), "\n".join(fields.get("data", [])), last.get("id", ""))
