"""The blocking client."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from typing import Any, Callable, Iterator, Optional, TypeVar

from . import _paths, models
from ._events import Event, Parser
from ._http import Answer, request
from ._model import decode
from ._place import Place
from .errors import ApiError, BruitError, Disconnected, Refused, error_of

LOG = logging.getLogger("bruit")
#: Seconds an answer may take, besides what the request itself waits for.
TIMEOUT_S = 60.0
#: Seconds for which a request is made again that came too soon after others.
PATIENCE_S = 10.0
#: Seconds between such tries.
PAUSE_S = 0.1
#: Seconds between two tries to reach a node that broke off, at first and at most.
RETRY_S = (0.2, 5.0)
#: Seconds without a word after which a stream is taken for dead: the node sends one every 15.
SILENCE_S = 60.0
_CHUNK = 64 * 1024

T = TypeVar("T")
#: What a validator says: accept, reject, or (None) ignore.
Judge = Callable[[models.Bulletin], Optional[bool]]


class Client:
    """A node, reached over the socket in its data folder, or at `url`.

    Requests may be made from several threads; they follow each other over one connection.
    """

    def __init__(
        self,
        data: str | os.PathLike[str] | None = None,
        *,
        url: str | None = None,
        token: str | None = None,
    ) -> None:
        self._place = Place.find(data, url, token)
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; subscriptions have their own."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    # Bulletins.

    def publish(
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
        return self._ask(models.Published, "POST", "/v1/bulletins", _paths.publish(topic, content, rest))

    def subscribe(
        self,
        *topics: str,
        since: str | None = None,
        cursor: str | None = None,
        reconnect: bool = True,
        on_gap: Callable[[int], None] | None = None,
    ) -> Iterator[models.Bulletin]:
        """Bulletins as they come, each once; without topics all of them.

        The subscription stands when this returns. When the connection breaks it is made again where it ended.
        `on_gap` is told how many were missed because they were not read in time (0: nobody knows); otherwise a
        warning is logged.
        """
        path = _paths.subscribe(topics, since, cursor)
        stream = _Stream.open(self._place, path)
        return self._bulletins(stream, topics, reconnect, on_gap)

    def _bulletins(
        self, stream: _Stream, topics: tuple[str, ...], reconnect: bool, on_gap: Callable[[int], None] | None
    ) -> Iterator[models.Bulletin]:
        cursor: str | None = None
        while True:
            try:
                for event in stream:
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
            # What came before the first bulletin was read is asked for as it was at first.
            path = _paths.subscribe(topics, None, cursor) if cursor else stream.path
            stream = _again(self._place, path)

    def validate(self, topic: str, timeout: str = "5s") -> Callable[[Judge], Validator]:
        """Makes a function the judge of a topic: True accepts, False rejects, None ignores.

            @client.validate("news")
            def judge(bulletin): return len(bulletin.content) < 1000

        It is asked on a thread of its own, which `judge.stop()` ends.
        """

        def begin(judge: Judge) -> Validator:
            return Validator(self._place, topic, timeout, judge)

        return begin

    # Values.

    def put(
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
        return self._ask(models.Kept, "POST", "/v1/values", _paths.put(content, rest))

    def get(self, address: str, timeout: str | None = None) -> models.WholeValue:
        """The value at `ID` or `AUTHOR/NAME`, from here or from others. Raises `NotFound`."""
        return self._ask(models.WholeValue, "GET", _paths.value("/v1/values", address, timeout))

    def delete(self, address: str) -> models.Kept:
        """Ends the value at `AUTHOR/NAME`."""
        return self._ask(models.Kept, "DELETE", _paths.value("/v1/values", address))

    def find(
        self,
        *,
        topic: str | None = None,
        author: str | None = None,
        name: str | None = None,
        tag: str | None = None,
        since: str | None = None,
        contains: str | None = None,
        mine: bool = False,
    ) -> list[models.Listed]:
        """What is held here."""
        path = _paths.listed(
            topic=topic, author=author, name=name, tag=tag, since=since, contains=contains, mine=mine
        )
        return self._ask(list[models.Listed], "GET", path)

    # Letters.

    def send(
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
        return self._ask(models.SentLetter, "POST", "/v1/letters", _paths.send(to, content, rest))

    def inbox(self) -> list[models.ReceivedLetter]:
        """The letters that came."""
        return self._ask(list[models.ReceivedLetter], "GET", "/v1/letters/inbox")

    def outbox(self) -> list[models.SentLetter]:
        """The letters that were sent, and how far they have come."""
        return self._ask(list[models.SentLetter], "GET", "/v1/letters")

    def mail(self, with_held: bool = False) -> Iterator[models.ReceivedLetter]:
        """Letters as they come; with `with_held` those that are there first. It ends with the connection."""
        stream = _Stream.open(self._place, _paths.mail(with_held))
        return (decode(models.ReceivedLetter, json.loads(event.data)) for event in stream)

    # What there is to see.

    def status(self) -> models.Status:
        """How the node is doing."""
        return self._ask(models.Status, "GET", "/v1/status")

    def identity(self) -> models.Identity:
        """Its id, addresses and author keys."""
        return self._ask(models.Identity, "GET", "/v1/identity")

    def peers(self) -> list[models.Peer]:
        """Its links."""
        return self._ask(list[models.Peer], "GET", "/v1/peers")

    def join(self, *addresses: str, timeout: str | None = None) -> list[models.Linked]:
        """Links to nodes now."""
        body = {"addresses": addresses, **({"timeout": timeout} if timeout else {})}
        return self._ask(list[models.Linked], "POST", "/v1/peers", body)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Any request of the API; returns its JSON. Lists are in /openapi.json."""
        return self._ask(None, method, path, body)

    # How it is asked.

    def _ask(self, kind: Any, method: str, path: str, body: Any = None) -> Any:
        asked = request(method, path, self._place.token, body)
        deadline = time.monotonic() + PATIENCE_S
        with self._lock:
            answer, content = self._exchange(asked)
            while (pause := answer.pause()) is not None and time.monotonic() + pause < deadline:
                time.sleep(pause)
                answer, content = self._exchange(asked)
        if answer.status >= 300:
            raise error_of(answer.status, content)
        value = json.loads(content) if content else None
        return value if kind is None else decode(kind, value)

    def _exchange(self, asked: bytes) -> tuple[Answer, bytes]:
        """One request and its answer. The node closes what was silent for a while: that is noticed before
        anything is sent, so that nothing is asked for twice."""
        if self._connection is not None and _is_closed(self._connection):
            self._connection.close()
            self._connection = None
        connection = self._connection or self._place.connect(TIMEOUT_S)
        self._connection = None
        answer, content = Answer(), b""
        try:
            connection.sendall(asked)
            while not answer.is_complete:
                content += answer.feed(_receive(connection))
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return answer, content


class _Stream:
    """Events over a connection of their own. The request is accepted when this is made."""

    def __init__(self, place: Place, path: str) -> None:
        self.path = path
        self._connection = place.connect(SILENCE_S)
        self._answer, self._parser = Answer(), Parser()
        try:
            self._connection.sendall(request("GET", path, place.token))
            content = b""
            while self._answer.status == 0:
                content += self._take()
            if self._answer.status >= 300:
                while not self._answer.is_complete:
                    content += self._take()
                raise error_of(self._answer.status, content)
            self._events = self._parser.feed(content)
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, place: Place, path: str) -> _Stream:
        """Opens it; again for a while when too much was asked before."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return cls(place, path)
            except Refused as error:
                if error.status != 429 or time.monotonic() > deadline:
                    raise
            time.sleep(PAUSE_S)

    def _take(self) -> bytes:
        return self._answer.feed(_receive(self._connection))

    def __iter__(self) -> Iterator[Event]:
        while True:
            events, self._events = self._events, []
            yield from events
            if self._answer.is_complete:
                return
            self._events = self._parser.feed(self._take())

    def close(self) -> None:
        """Ends it; whoever waits for the next event is told."""
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._connection.close()


class Validator:
    """Asks a function about each bulletin of a topic, for as long as it is not stopped."""

    def __init__(self, place: Place, topic: str, timeout: str, judge: Judge) -> None:
        self._place, self._path, self._judge = place, _paths.questions(topic, timeout), judge
        self._is_stopped = threading.Event()
        self._stream = _Stream.open(place, self._path)
        self._thread = threading.Thread(target=self._run, name=f"bruit validator of {topic}", daemon=True)
        self._thread.start()

    def __call__(self, bulletin: models.Bulletin) -> Optional[bool]:
        return self._judge(bulletin)

    def stop(self) -> None:
        """From now on the topic is judged by nobody here."""
        self._is_stopped.set()
        self._stream.close()
        self._thread.join()

    def _run(self) -> None:
        with _client_at(self._place) as client:
            self._ask(client)

    def _ask(self, client: Client) -> None:
        while not self._is_stopped.is_set():
            try:
                for event in self._stream:
                    question = json.loads(event.data)
                    verdict = verdict_of(self._judge, decode(models.Bulletin, question))
                    _answer(client, question["question"], verdict)
            except (BruitError, OSError) as error:
                if not self._is_stopped.is_set():
                    LOG.warning("the validator is asked nothing for the moment: %s", error)
            if self._is_stopped.wait(RETRY_S[0]):
                return
            self._stream = _again(self._place, self._path, self._is_stopped)


def verdict_of(judge: Judge, bulletin: models.Bulletin) -> str:
    """What `judge` says of `bulletin`; a mistake in it ignores, as a crash would."""
    try:
        said = judge(bulletin)
    except Exception:
        LOG.exception("a validator failed: the bulletin is ignored")
        said = None
    return "ignore" if said is None else "accept" if said else "reject"


def _answer(client: Client, question: int, verdict: str) -> None:
    try:
        client.request("POST", f"/v1/validate/{question}", {"verdict": verdict})
    except ApiError as error:
        LOG.warning("a verdict came too late: %s", error)


def _client_at(place: Place) -> Client:
    client = Client.__new__(Client)
    client._place, client._connection, client._lock = place, None, threading.Lock()
    return client


def _again(place: Place, path: str, stopped: threading.Event | None = None) -> _Stream:
    """Opens a stream again, as soon as the node is there."""
    pause, longest = RETRY_S
    while True:
        try:
            return _Stream.open(place, path)
        except Disconnected as error:
            if stopped is not None and stopped.is_set():
                raise
            LOG.info("the node is not there: %s", error)
        time.sleep(pause)
        pause = min(pause * 2, longest)


def _receive(connection: socket.socket) -> bytes:
    try:
        data = connection.recv(_CHUNK)
    except OSError as error:
        raise Disconnected(f"the node does not answer: {error}") from error
    if not data:
        raise Disconnected("the node broke off")
    return data


def _is_closed(connection: socket.socket) -> bool:
    """Whether the other end closed a connection on which nothing is asked."""
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(TIMEOUT_S)


def _log_gap(missed: int) -> None:
    LOG.warning("%s bulletins were not read in time", missed or "some")
