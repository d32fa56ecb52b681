"""The promises of the middleware in every framework: tests that a class for each framework inherits.

Every application has the same few addresses: a page, a streamed page, a page that raises, a static file, a
robots.txt of its own. It runs twice, bare and mounted, and the answers are compared.
"""

import importlib.util
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from protego import Protego

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.lookup import CachedLookup, Lookup
from tests.asgi_client import Response
from tests.frameworks.exchange import chunks, connection, exchange, raw

# What the applications are made of.
OPTED_OUT, SILENT, UNKNOWN = "opted-out.example", "silent.example", "unknown.example"
FLAGS = {OPTED_OUT: True, SILENT: False}
PAGE = "<h1>A post</h1>"
POST = "<!doctype html><html><head><title>A post</title></head><body>Hello</body></html>"
CHUNKS = ["one ", "two ", "three"]
OWN_ROBOTS = "User-agent: *\nDisallow: /admin/\n"
OWN_SIGNALS = {"X-Robots-Tag": "noindex", "Content-Usage": "ai-use=n", "TDM-Reservation": "0"}
STATIC = Path(__file__).parent / "static"

OURS = [(b"x-robots-tag", b"noai, noimageai"), (b"content-usage", b"train-ai=n"), (b"tdm-reservation", b"1")]
STATUSES = {"page": 200, "stream": 200, "file": 200, "unchanged": 304, "part": 206}
STATUSES |= {"missing": 404, "crash": 500}

Application = Any  # each framework has types of its own for what ASGI sends


class Failure(Exception):  # noqa: N818 (a blog's own trouble, not an error of the package)
    """The exception of the page that raises."""


def flag_lookup() -> CachedLookup:
    """Return a lookup of flags in a dict."""
    return CachedLookup(FLAGS.get)


class Mounting:
    """A framework's application: how to make and mount it."""

    needs: ClassVar[dict[str, str]]  # module → the distribution that has it
    paths: ClassVar[dict[str, str]] = {}  # where the framework's own addresses are other ones
    complete_kinds: ClassVar[frozenset[str]] = frozenset()  # answered with the complete file
    lost: ClassVar[frozenset[str]] = frozenset()  # kinds that this way of mounting does not reach

    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        for module, distribution in self.needs.items():
            if importlib.util.find_spec(module) is None:
                pytest.skip(f"{distribution} is not installed: pip install {distribution}")

    def bare(self) -> Application:
        """Return the framework's application alone."""
        raise NotImplementedError

    def lookup(self) -> Lookup:
        return flag_lookup()

    def mounted(self) -> Application:
        return AIPolicyMiddleware(self.bare(), self.lookup())

    def path(self, kind: str) -> str:
        places = {"page": "/", "file": "/static/note.txt", "stream": "/stream", "missing": "/missing"}
        places |= {"unchanged": places["file"], "part": places["file"], "crash": "/crash"}
        return (places | self.paths)[kind]

    async def answer(self, app: Application, kind: str, host: str, method: str = "GET") -> Response:
        headers = {"range": "bytes=2-5"} if kind == "part" else {}
        if kind == "unchanged":
            file = await exchange(app, self.path("file"), host)
            assert file.one("etag") or file.one("last-modified")
            validators = {"if-none-match": "etag", "if-modified-since": "last-modified"}
            headers = {ask: value for ask, name in validators.items() if (value := file.one(name))}
        return await exchange(app, self.path(kind), host, method=method, headers=headers)


class Contract(Mounting):
    """The tests that every framework passes."""

    @pytest.mark.parametrize("kind", STATUSES)
    async def test_every_response_of_an_opted_out_host_carries_the_three_headers(self, kind: str) -> None:
        bare = await self.answer(self.bare(), kind, OPTED_OUT)
        assert bare.status == (200 if kind in self.complete_kinds else STATUSES[kind])
        mounted = await self.answer(self.mounted(), kind, OPTED_OUT)
        ours = [] if kind in self.lost else OURS
        assert raw(mounted) == raw(bare) + ours
        assert (mounted.status, chunks(mounted)) == (bare.status, chunks(bare))

    @pytest.mark.parametrize("kind", STATUSES)
    async def test_every_response_of_another_host_is_byte_for_byte_the_applications(self, kind: str) -> None:
        bare = await self.answer(self.bare(), kind, SILENT)
        mounted = await self.answer(self.mounted(), kind, SILENT)
        assert (mounted.status, raw(mounted)) == (bare.status, raw(bare))
        assert chunks(mounted) == chunks(bare)

    async def test_signals_that_a_page_sets_itself_are_merged_whatever_their_capitals(self) -> None:
        bare = await exchange(self.bare(), "/signals", OPTED_OUT)
        assert {name: bare.one(name.lower()) for name in OWN_SIGNALS} == OWN_SIGNALS
        mounted = await exchange(self.mounted(), "/signals", OPTED_OUT)
        assert mounted.all("x-robots-tag") == ["noai, noimageai", "noindex"]
        assert mounted.one("content-usage") == "train-ai=n, ai-use=n"
        assert mounted.one("tdm-reservation") == "1"

    async def test_a_streamed_page_still_comes_in_pieces(self) -> None:
        response = await self.answer(self.mounted(), "stream", OPTED_OUT)
        assert chunks(response) == [chunk.encode() for chunk in CHUNKS]

    async def test_robots_txt_keeps_the_applications_rules_and_disallows_training(self) -> None:
        response = await exchange(self.mounted(), "/robots.txt", OPTED_OUT)
        assert (response.status, response.one("content-type")) == (200, "text/plain; charset=utf-8")
        rules = Protego.parse(response.text)
        assert not rules.can_fetch(f"http://{OPTED_OUT}/", "GPTBot")
        assert rules.can_fetch(f"http://{OPTED_OUT}/", "Googlebot")
        assert not rules.can_fetch(f"http://{OPTED_OUT}/admin/", "Googlebot")

    async def test_robots_txt_of_another_host_is_the_applications_byte_for_byte(self) -> None:
        response = await exchange(self.mounted(), "/robots.txt", SILENT)
        assert (response.status, response.text) == (200, OWN_ROBOTS)
        assert (await exchange(self.bare(), "/robots.txt", SILENT)).text == OWN_ROBOTS

    async def test_tdmrep_json_is_answered_for_an_opted_out_host_and_for_no_other(self) -> None:
        app, path = self.mounted(), "/.well-known/tdmrep.json"
        response = await exchange(app, path, OPTED_OUT)
        assert (response.status, response.one("content-type")) == (200, "application/json")
        assert json.loads(response.body) == [{"location": "/", "tdm-reservation": 1}]
        other, bare = await exchange(app, path, SILENT), await exchange(self.bare(), path, SILENT)
        assert bare.status == 404
        assert (other.status, raw(other), other.body) == (bare.status, raw(bare), bare.body)

    @pytest.mark.parametrize("kind", ["page", "file", "missing"])
    async def test_head_has_the_three_headers_and_no_body(self, kind: str) -> None:
        bare = await self.answer(self.bare(), kind, OPTED_OUT, "HEAD")
        mounted = await self.answer(self.mounted(), kind, OPTED_OUT, "HEAD")
        assert raw(mounted) == raw(bare) + ([] if kind in self.lost else OURS)
        assert (mounted.status, mounted.body) == (bare.status, bare.body)

    async def test_head_of_robots_txt_has_the_headers_of_the_merged_file(self) -> None:
        app = self.mounted()
        # First, so that the application's own is asked for in the course of a HEAD request.
        head = await exchange(app, "/robots.txt", OPTED_OUT, method="HEAD")
        get = await exchange(app, "/robots.txt", OPTED_OUT)
        assert "/admin/" in get.text
        assert (head.status, head.headers, head.body) == (200, get.headers, b"")

    async def test_posting_to_robots_txt_is_refused(self) -> None:
        response = await exchange(self.mounted(), "/robots.txt", OPTED_OUT, method="POST")
        assert (response.status, response.one("allow")) == (405, "GET, HEAD")

    async def test_an_unknown_host_gets_the_default_policy(self) -> None:
        app = self.mounted()
        page, robots = [await exchange(app, p, UNKNOWN) for p in (self.path("page"), "/robots.txt")]
        assert raw(page)[-3:] == OURS
        assert not Protego.parse(robots.text).can_fetch(f"http://{UNKNOWN}/", "GPTBot")


class LifespanContract(Contract):
    """The tests for frameworks with lifespan events, which they append to ``events``."""

    events: list[str]

    @pytest.fixture(autouse=True)
    def _no_events(self) -> None:
        self.events = []

    async def test_the_application_learns_when_the_server_starts_and_ends(self) -> None:
        messages_in = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        sent = await connection(self.mounted(), "lifespan", OPTED_OUT, *messages_in)
        assert [message["type"] for message in sent] == [
            "lifespan.startup.complete",
            "lifespan.shutdown.complete",
        ]
        assert self.events == ["started", "ended"]


class WebsocketContract(Contract):
    """The tests for frameworks with WebSockets, where ``/echo`` sends back the text that it receives."""

    @pytest.mark.parametrize("host", [OPTED_OUT, SILENT])
    async def test_a_websocket_passes_through_unchanged(self, host: str) -> None:
        messages_in = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}]
        bare = await connection(self.bare(), "websocket", host, *messages_in)
        assert await connection(self.mounted(), "websocket", host, *messages_in) == bare
        assert [message.get("text") for message in bare[1:2]] == ["hello"]
