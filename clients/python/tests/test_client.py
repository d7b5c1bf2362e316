"""The client against two real daemons, whose data folders are named by BRUIT_TEST_DATA, separated by colons."""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import re
import sys
import threading
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tools")]

import bruit  # noqa: E402
from bruit._events import Parser  # noqa: E402
from bruit._http import Answer  # noqa: E402

FIRST, SECOND = os.environ["BRUIT_TEST_DATA"].split(":")


class Blocking(unittest.TestCase):
    def setUp(self) -> None:
        self.first, self.second = bruit.Client(FIRST), bruit.Client(SECOND)
        self.addCleanup(self.first.close)
        self.addCleanup(self.second.close)

    def test_what_one_publishes_another_hears_once_and_in_order(self) -> None:
        heard = self.second.subscribe("python")
        sent = [f"message {number}" for number in range(50)] + [b"\xff\x00\xfe"]
        for content in sent:
            published = self.first.publish("python", content)
            self.assertEqual(published.result, "accepted")
        wanted = [content.encode() if isinstance(content, str) else content for content in sent]
        came = [next(heard) for _ in wanted]
        self.assertEqual([bulletin.content for bulletin in came], wanted)
        self.assertTrue(all(bulletin.topic == "python" and bulletin.from_ for bulletin in came))
        heard.close()

    def test_a_subscription_goes_on_behind_a_cursor(self) -> None:
        self.first.publish("cursors", "one")
        first = next(self.first.subscribe("cursors", since="1h"))
        self.first.publish("cursors", "two")
        after = next(self.first.subscribe("cursors", cursor=first.cursor))
        self.assertEqual((first.content, after.content), (b"one", b"two"))

    def test_a_validator_accepts_rejects_and_ignores(self) -> None:
        asked = []

        @self.first.validate("judged", timeout="2s")
        def judge(bulletin: bruit.models.Bulletin) -> bool | None:
            asked.append(bulletin.content)
            if bulletin.content == b"fails":
                raise ValueError("a mistake")
            return {b"good": True, b"bad": False}.get(bulletin.content)

        self.addCleanup(judge.stop)
        heard = self.first.subscribe("judged")
        for content in ("bad", "unknown", "fails", "good"):
            # An author whose bulletin was rejected is muted on the topic: each has one of its own.
            self.second.publish("judged", content, author=self.author_for(content))
        self.assertEqual(next(heard).content, b"good")
        self.assertEqual(sorted(asked), [b"bad", b"fails", b"good", b"unknown"])

    def open(self, client: bruit.Client) -> bruit.Client:
        self.addCleanup(client.close)
        return client

    def author_for(self, content: str) -> str | None:
        return {"bad": "muted"}.get(content)

    def test_values_are_put_got_and_ended(self) -> None:
        kept = self.first.put("23 °C", name="temperature", wait="stored")
        self.assertEqual(kept.result, "stored")
        address = f"{kept.author}/temperature"
        self.assertEqual(self.second.get(address).content, "23 °C".encode())
        newer = self.first.put("24 °C", name="temperature", if_seq=kept.seq)
        self.assertGreater(newer.seq, kept.seq)
        with self.assertRaises(bruit.Refused) as refused:
            self.first.put("25 °C", name="temperature", if_seq=kept.seq)
        self.assertEqual(refused.exception.status, 409)
        self.assertIn(newer.id, [listed.id for listed in self.first.find(name="temper*")])
        self.first.delete(address)
        with self.assertRaises(bruit.NotFound):
            self.first.get(address, timeout="1s")

    def test_a_letter_is_read_and_acknowledged(self) -> None:
        recipient = self.second.identity().id
        sent = self.first.send(recipient, "for you alone", wait="acknowledged", timeout="30s")
        self.assertEqual(sent.state, "acknowledged")
        letter = next(letter for letter in self.second.inbox() if letter.id == sent.id)
        self.assertEqual(letter.content, b"for you alone")
        held = (letter.id for letter in self.second.mail(with_held=True))
        self.assertIn(sent.id, held)

    def test_mistakes_are_told_apart(self) -> None:
        with self.assertRaises(bruit.Unauthorised):
            self.open(bruit.Client(FIRST, token="no token")).status()
        with self.assertRaises(bruit.Disconnected):
            bruit.Client("/nonexistent", token="t").status()
        with self.assertRaises(bruit.Refused) as refused:
            self.first.publish("python", "x" * 70_000)
        self.assertTrue(refused.exception.fix)
        self.assertEqual(self.first.status().id, self.first.identity().id)

    def test_requests_of_many_threads_follow_each_other(self) -> None:
        failures: list[BaseException] = []

        def ask() -> None:
            try:
                for _ in range(20):
                    self.first.status()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


class Async(unittest.IsolatedAsyncioTestCase):
    async def test_publish_subscribe_validate_values_and_letters(self) -> None:
        async with bruit.AsyncClient(FIRST) as first, bruit.AsyncClient(SECOND) as second:
            heard = await second.subscribe("async")
            await first.publish("async", "hello")
            self.assertEqual((await anext(heard)).content, b"hello")
            await heard.aclose()
            kept = await first.put("a value", name="async")
            self.assertEqual((await second.get(f"{kept.author}/async")).content, b"a value")
            with self.assertRaises(bruit.NotFound):
                await second.get("0" * 64, timeout="100ms")

            asked = asyncio.Event()

            @first.validate("async/judged")
            async def judge(bulletin: bruit.models.Bulletin) -> bool:
                asked.set()
                return bulletin.content != b"bad"

            judged = await first.subscribe("async/judged")
            while not asked.is_set():
                await second.publish("async/judged", "good")
                await asyncio.sleep(0.05)
            self.assertEqual((await anext(judged)).content, b"good")
            judge.cancel()
            recipient = (await second.identity()).id
            sent = await first.send(recipient, "later", wait="acknowledged", timeout="30s")
            self.assertEqual(sent.state, "acknowledged")
            self.assertIn(b"later", [letter.content for letter in await second.inbox()])


class Documents(unittest.TestCase):
    def test_the_models_are_those_of_the_nodes_description(self) -> None:
        import models as tool

        with bruit.Client(FIRST) as node:
            document = node.request("GET", "/openapi.json")
        written = (ROOT / "src/bruit/models.py").read_text()
        self.assertEqual(tool.write(document), written, "run tools/models.py")

    def test_every_example_of_the_readme_runs(self) -> None:
        text = (ROOT / "README.md").read_text()
        blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        self.assertEqual(len(blocks), 5)
        os.environ["BRUIT_DATA"] = FIRST
        with bruit.Client(SECOND) as second:
            scope: dict[str, object] = {"somebody": second.identity().id}
        exec(blocks[0], scope)
        node = scope["node"]
        assert isinstance(node, bruit.Client)
        # Those that go on for ever are read through, and tried in the tests above.
        exec(blocks[2], scope)
        exec(blocks[3].split("for letter")[0], scope)
        scope["judge"].stop()  # type: ignore[attr-defined]
        node.close()
        for block in blocks:
            compile(re.sub(r"(?m)^", "    ", block).join(("async def check():\n", "")), "README", "exec")


class Bytes(unittest.TestCase):
    def test_an_answer_is_read_whatever_its_pieces(self) -> None:
        plain = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n"
        for whole in (plain, chunked):
            for at in range(len(whole)):
                answer = Answer()
                content = answer.feed(whole[:at]) + answer.feed(whole[at:])
                self.assertEqual((answer.status, content, answer.is_complete), (200, b"hello", True), at)
            answer = Answer()
            content = b"".join(answer.feed(bytes([byte])) for byte in whole)
            self.assertEqual((content, answer.is_complete), (b"hello", True))

    def test_events_are_read_whatever_their_pieces(self) -> None:
        text = b": alive\n\nid: 7\ndata: {\"a\":\ndata: 1}\n\nevent: gap\ndata: x\n\n"
        for at in range(len(text)):
            parser = Parser()
            events = parser.feed(text[:at]) + parser.feed(text[at:])
            self.assertEqual([(event.name, event.id) for event in events], [("", "7"), ("gap", "")])
            self.assertEqual(json.loads(events[0].data), {"a": 1})


if __name__ == "__main__":
    # What hangs says where.
    faulthandler.dump_traceback_later(90, exit=True)
    unittest.main()
