"""The client for asyncio."""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import Any, AsyncIterator, Awaitable, Callable, Optional, Union

from . import _paths, models
from ._events import Event, Parser
from ._http import Answer, request
from ._model import decode
from ._place import Place
from .client import LOG, PATIENCE_S, PAUSE_S, RETRY_S, SILENCE_S, TIMEOUT_S, _CHUNK, _log_gap
from .errors import ApiError, BruitError, Disconnected, Refused, error_of

#: What a validator says: accept, reject, or (None) ignore; now or later.
Judge = Callable[[models.Bulletin], Union[Optional[bool], Awaitable[Optional[bool]]]]


class AsyncClient:
    """A node, reached over the socket in its data folder, or at `url`. One connection for each request."""

    def __init__(
        self,
        data: str | os.PathLike[str] | None = None,
        *,
        url: str | None = None,
        token: str | None = None,
    ) -> None:
        self._place = Place.find(data, url, token)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    # Bulletins.

    async def publish(
        self,
        topic: str,
        content: str | bytes,
        *,
        ttl: str | None = None,
        author: str | None = None,
        tag: str | None = None,
        wait: str | None = None,
        timeout: str | None = None,
        max_work: int | None = None,
    ) -> models.Published:
        """Publishes a bulletin; `wait` is `accepted`, `stored` or `spread:K`."""
        rest = {"ttl": ttl, "author": author, "tag": tag, "wait": wait, "timeout": timeout, "max_work": max_work}
        return await self._ask(models.Published, "POST", "/v1/bulletins", _paths.publish(topic, content, rest))

    async def subscribe(
        self,
        *topics: str,
        since: str | None = None,
        cursor: str | None = None,
        reconnect: bool = True,
        on_gap: Callable[[int], None] | None = None,
    ) -> AsyncIterator[models.Bulletin]:
        """Bulletins as they come, each once; without topics all of them. As the blocking client's:

            async for bulletin in await client.subscribe("news"): ...
        """
        stream = await _Stream.open(self._place, _paths.subscribe(topics, since, cursor))
        return self._bulletins(stream, topics, reconnect, on_gap)

    async def _bulletins(
        self, stream: _Stream, topics: tuple[str, ...], reconnect: bool, on_gap: Callable[[int], None] | None
    ) -> AsyncIterator[models.Bulletin]:
        cursor: str | None = None
        while True:
            try:
                async for event in stream.events():
                    if event.name == "gap":
                        (on_gap or _log_gap)(json.loads(event.data)["missed"])
                        continue
                    bulletin = decode(models.Bulletin, json.loads(event.data))
                    cursor = bulletin.cursor
                    yield bulletin
            except Disconnected:
                if not reconnect:
                    raise
            finally:
                stream.close()
            if not reconnect:
                return
            path = _paths.subscribe(topics, None, cursor) if cursor else stream.path
            stream = await _again(self._place, path)

    def validate(self, topic: str, timeout: str = "5s") -> Callable[[Judge], asyncio.Task[None]]:
        """Makes a function, or a coroutine function, the judge of a topic. Returns the task that asks it;
        cancelled, it ends."""

        def begin(judge: Judge) -> asyncio.Task[None]:
            return asyncio.create_task(self._judge(_paths.questions(topic, timeout), judge))

        return begin

    async def _judge(self, path: str, judge: Judge) -> None:
        while True:
            stream = await _again(self._place, path)
            try:
                async for event in stream.events():
                    question = json.loads(event.data)
                    verdict = await _verdict(judge, decode(models.Bulletin, question))
                    await self._answer(question["question"], verdict)
            except (BruitError, OSError) as error:
                LOG.warning("the validator is asked nothing for the moment: %s", error)
            finally:
                stream.close()

    async def _answer(self, question: int, verdict: str) -> None:
        try:
            await self.request("POST", f"/v1/validate/{question}", {"verdict": verdict})
        except ApiError as error:
            LOG.warning("a verdict came too late: %s", error)

    # Values.

    async def put(
        self,
        content: str | bytes,
        *,
        name: str | None = None,
        prev: str | None = None,
        tag: str | None = None,
        ttl: str | None = None,
        if_seq: int | None = None,
        author: str | None = None,
        wait: str | None = None,
        timeout: str | None = None,
        max_work: int | None = None,
    ) -> models.Kept:
        """Keeps a value on the network, under a name where one is given."""
        rest = {
            "name": name, "prev": prev, "tag": tag, "ttl": ttl, "if_seq": if_seq, "author": author,
            "wait": wait, "timeout": timeout, "max_work": max_work,
        }
        return await self._ask(models.Kept, "POST", "/v1/values", _paths.put(content, rest))

    async def get(self, address: str, timeout: str | None = None) -> models.WholeValue:
        """The value at `ID` or `AUTHOR/NAME`, from here or from others. Raises `NotFound`."""
        return await self._ask(models.WholeValue, "GET", _paths.value("/v1/values", address, timeout))

    async def delete(self, address: str) -> models.Kept:
        """Ends the value at `AUTHOR/NAME`."""
        return await self._ask(models.Kept, "DELETE", _paths.value("/v1/values", address))

    # Letters.

    async def send(
        self,
        to: str,
        content: str | bytes,
        *,
        ttl: str | None = None,
        author: str | None = None,
        wait: str | None = None,
        timeout: str | None = None,
    ) -> models.SentLetter:
        """Sends a sealed letter; `wait` is `queued`, `published` or `acknowledged`."""
        rest = {"ttl": ttl, "author": author, "wait": wait, "timeout": timeout}
        return await self._ask(models.SentLetter, "POST", "/v1/letters", _paths.send(to, content, rest))

    async def inbox(self) -> list[models.ReceivedLetter]:
        """The letters that came."""
        return await self._ask(list[models.ReceivedLetter], "GET", "/v1/letters/inbox")

    async def mail(self, with_held: bool = False) -> AsyncIterator[models.ReceivedLetter]:
        """Letters as they come; with `with_held` those that are there first. It ends with the connection."""
        stream = await _Stream.open(self._place, _paths.mail(with_held))
        return (decode(models.ReceivedLetter, json.loads(event.data)) async for event in stream.events())

    # What there is to see.

    async def status(self) -> models.Status:
        """How the node is doing."""
        return await self._ask(models.Status, "GET", "/v1/status")

    async def identity(self) -> models.Identity:
        """Its id, addresses and author keys."""
        return await self._ask(models.Identity, "GET", "/v1/identity")

    async def request(self, method: str, path: str, body: Any = None) -> Any:
        """Any request of the API; returns its JSON. Lists are in /openapi.json."""
        return await self._ask(None, method, path, body)

    async def _ask(self, kind: Any, method: str, path: str, body: Any = None) -> Any:
        asked = request(method, path, self._place.token, body)
        deadline = time.monotonic() + PATIENCE_S
        answer, content = await self._exchange(asked)
        while (pause := answer.pause()) is not None and time.monotonic() + pause < deadline:
            await asyncio.sleep(pause)
            answer, content = await self._exchange(asked)
        if answer.status >= 300:
            raise error_of(answer.status, content)
        value = json.loads(content) if content else None
        return value if kind is None else decode(kind, value)


    async def _exchange(self, asked: bytes) -> tuple[Answer, bytes]:
        reader, writer = await _connect(self._place)
        answer, content = Answer(), b""
        try:
            writer.write(asked)
            while not answer.is_complete:
                content += answer.feed(await _receive(reader, TIMEOUT_S))
        finally:
            writer.close()
        return answer, content


class _Stream:
    """Events over a connection of their own."""

    def __init__(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.path = path
        self._reader, self._writer = reader, writer
        self._answer, self._parser = Answer(), Parser()
        self._events: list[Event] = []

    @classmethod
    async def open(cls, place: Place, path: str) -> _Stream:
        """Opens it, again for a while when too much was asked before; it stands when this returns."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await cls._open_once(place, path)
            except Refused as error:
                if error.status != 429 or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(PAUSE_S)

    @classmethod
    async def _open_once(cls, place: Place, path: str) -> _Stream:
        stream = cls(path, *await _connect(place))
        try:
            stream._writer.write(request("GET", path, place.token))
            content = b""
            while stream._answer.status == 0:
                content += await stream._take()
            if stream._answer.status >= 300:
                while not stream._answer.is_complete:
                    content += await stream._take()
                raise error_of(stream._answer.status, content)
            stream._events += stream._parser.feed(content)
        except BaseException:
            stream.close()
            raise
        return stream

    async def _take(self) -> bytes:
        return self._answer.feed(await _receive(self._reader, SILENCE_S))

    async def events(self) -> AsyncIterator[Event]:
        """What comes."""
        while True:
            events, self._events = self._events, []
            for event in events:
                yield event
            if self._answer.is_complete:
                return
            self._events = self._parser.feed(await self._take())

    def close(self) -> None:
        """Ends it."""
        self._writer.close()


async def _connect(place: Place) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    # Connecting to a socket of this machine does not wait for anybody.
    return await asyncio.open_connection(sock=place.connect(TIMEOUT_S))


async def _again(place: Place, path: str) -> _Stream:
    pause, longest = RETRY_S
    while True:
        try:
            return await _Stream.open(place, path)
        except Disconnected as error:
            LOG.info("the node is not there: %s", error)
        await asyncio.sleep(pause)
        pause = min(pause * 2, longest)


async def _receive(reader: asyncio.StreamReader, timeout: float) -> bytes:
    try:
        data = await asyncio.wait_for(reader.read(_CHUNK), timeout)
    except (OSError, asyncio.TimeoutError) as error:
        raise Disconnected(f"the node does not answer: {error}") from error
    if not data:
        raise Disconnected("the node broke off")
    return data


async def _verdict(judge: Judge, bulletin: models.Bulletin) -> str:
    try:
        said = judge(bulletin)
        if asyncio.iscoroutine(said):
            said = await said
    except Exception:
        LOG.exception("a validator failed: the bulletin is ignored")
        said = None
    return "ignore" if said is None else "accept" if said else "reject"
