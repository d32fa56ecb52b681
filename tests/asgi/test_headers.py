"""The headers of every other response."""

import pytest
from starlette.types import Message, Receive, Scope, Send

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preference, Preferences
from tests.asgi.apps import OPTED_OUT, UNSET, Recording, answering, wrapped
from tests.asgi_client import http_scope, request


@pytest.mark.parametrize("status", [200, 204, 301, 304, 403, 404, 500])
async def test_every_response_of_an_opted_out_blog_carries_the_three_headers(status: int) -> None:
    response = await request(wrapped(answering(status)))
    assert response.status == status
    assert response.all("x-robots-tag") == ["noai, noimageai"]
    assert response.one("content-usage") == "train-ai=n"
    assert response.one("tdm-reservation") == "1"


async def test_a_streamed_response_keeps_its_chunks_and_their_order() -> None:
    response = await request(wrapped(answering(200, [], b"one ", b"two ", b"three")))
    assert [m["body"] for m in response.messages[1:]] == [b"one ", b"two ", b"three"]
    assert response.one("content-usage") == "train-ai=n"


async def test_a_blog_that_said_nothing_gets_nothing_added_and_the_servers_own_send() -> None:
    app = Recording()
    response = await request(wrapped(app, silent=False), host="silent.example")
    assert response.headers == [(b"x-app", b"1")]


async def test_the_applications_message_and_header_list_are_never_changed() -> None:
    shared: Message = {"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"1")]}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(shared)
        await send({"type": "http.response.body", "body": b""})

    for _ in range(3):
        response = await request(wrapped(app))
        assert len(response.headers) == 4
    assert shared == {"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"1")]}


async def test_headers_may_be_absent_or_any_iterable() -> None:
    async def without(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    async def generated(scope: Scope, receive: Receive, send: Send) -> None:
        headers = (header for header in [(b"x-robots-tag", b"noindex")])
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    assert (await request(wrapped(without))).one("content-usage") == "train-ai=n"
    assert (await request(wrapped(generated))).all("x-robots-tag") == ["noai, noimageai", "noindex"]


async def test_the_applications_x_robots_tag_is_kept_and_ours_stands_first() -> None:
    headers = [(b"x-robots-tag", b"max-snippet:0"), (b"x-other", b"1"), (b"X-Robots-Tag", b"nofollow")]
    response = await request(wrapped(answering(200, headers)))
    names = [(name.lower(), value) for name, value in response.headers if name.lower() == b"x-robots-tag"]
    assert [value for _, value in names] == [b"noai, noimageai", b"max-snippet:0", b"nofollow"]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (b"train-ai=y", "train-ai=n"),
        (b"ai-use=n", "train-ai=n, ai-use=n"),
        (b"search=y, train-ai=y, other=1", "train-ai=n, search=y, other=1"),
        (b"train-ai=n;", "train-ai=n"),
        (b"\xff\xfe", "train-ai=n"),
    ],
)
async def test_the_applications_content_usage_is_merged_most_restrictively(own: bytes, expected: str) -> None:
    response = await request(wrapped(answering(200, [(b"content-usage", own)])))
    assert response.one("content-usage") == expected


async def test_a_page_can_say_more_than_its_blog_and_never_less() -> None:
    policy = SitePolicy(preferences=Preferences(ai_use=Preference.DISALLOW))
    app = answering(200, [(b"content-usage", b"train-ai=n, ai-use=y")])
    response = await request(wrapped(app, page=policy), host="page.example")
    assert response.one("content-usage") == "train-ai=n, ai-use=n"


async def test_tdm_reservation_is_set_and_never_appended() -> None:
    headers = [(b"tdm-reservation", b"0"), (b"TDM-Reservation", b"0")]
    response = await request(wrapped(answering(200, headers)))
    values = [value for name, value in response.headers if name.lower() == b"tdm-reservation"]
    assert values == [b"1"]


SPELLINGS = ["tdm-reservation", "Tdm-reservation", "TDM-reservation", "tDM-rESERVATION", "TDM-RESERVATION"]


@pytest.mark.parametrize("name", [*SPELLINGS, " Tdm-Reservation", "tdm-Reservation ", "\tTDM-reservation"])
@pytest.mark.parametrize("value", [b"0", b"0, 1", b"1", b" 0 ", b""])
async def test_a_reservation_in_any_capitals_is_one_header(name: str, value: bytes) -> None:
    written = name.encode()
    for headers in (
        [(written, value)],
        [(b"date", b""), (written, value), (b"x-app", b"1"), (written, value)],
    ):
        response = await request(wrapped(answering(200, headers)))
        values = [value for name, value in response.headers if name.strip().lower() == b"tdm-reservation"]
        assert values == [b"1"]


@pytest.mark.parametrize("name", [b"Content-usage", b"CONTENT-usage", b" content-usage", b"content-usagE "])
async def test_content_usage_in_any_capitals_is_one_header(name: bytes) -> None:
    headers = [
        (name, b" ai-use=n "),
        (b"content-usage", b""),
        (name, b"(;,"),
        (b"Content-Usage", b"ai-use=y"),
    ]
    response = await request(wrapped(answering(200, headers)))
    values = [value for name, value in response.headers if name.strip().lower() == b"content-usage"]
    assert values == [b"train-ai=n, ai-use=n"]


@pytest.mark.parametrize("name", [b"X-Robots-tag", b"x-ROBOTS-tag", b" x-robots-tag", b"x-robots-taG "])
async def test_x_robots_tag_in_any_capitals_is_not_repeated(name: bytes) -> None:
    headers = [(name, b"noai, noimageai"), (name, b" noai, noimageai "), (name, b"noindex")]
    response = await request(wrapped(answering(200, headers)))
    values = [value for name, value in response.headers if name.strip().lower() == b"x-robots-tag"]
    assert values == [b"noai, noimageai", b"noindex"]


async def test_headers_that_cannot_be_merged_say_ours_and_nothing_against_it() -> None:
    class Odd(bytes):
        def lower(self) -> bytes:
            raise RuntimeError("odd")

    odd = Odd(b"x-odd")
    headers = [
        (b"TDM-reservation", b"0"),
        [b"Content-Usage", b"train-ai=y"],
        (bytearray(b"x-app"), b"1"),
        (odd, b""),
    ]
    response = await request(wrapped(answering(200, headers)))  # type: ignore[arg-type]
    assert (response.one("tdm-reservation"), response.one("content-usage")) == ("1", "train-ai=n")
    assert [name for name, _ in response.headers if b"app" in name or b"odd" in name] == [b"x-app", odd]


async def test_an_application_that_invents_names_takes_no_memory() -> None:
    from aipolicy.serving import response_headers

    for number in range(5000):
        response = await request(
            wrapped(answering(200, [(b"x-%d" % number, b""), (b"Tdm-reservation", b"0")]))
        )
        assert len(response.headers) == 4
    assert len(response_headers._other_names) <= response_headers._MAX_NAMES


async def test_a_path_with_preferences_of_its_own_gets_its_own_headers() -> None:
    policy = SitePolicy.from_preset(
        "no-training", path_preferences={"/press/": Preferences(train_ai=Preference.ALLOW)}
    )
    app = wrapped(answering(), press=policy)
    assert (await request(app, "/press/kit", "press.example")).one("content-usage") == "train-ai=y"
    assert (await request(app, "/press/kit", "press.example")).one("tdm-reservation") is None
    assert (await request(app, "/post", "press.example")).one("content-usage") == "train-ai=n"


async def test_a_path_pattern_sees_the_query_as_the_client_sent_it() -> None:
    policy = SitePolicy.from_preset("unset", path_preferences={"/caf%C3%A9?raw": OPTED_OUT.preferences})
    app = wrapped(answering(), menu=policy)
    options = {"raw_path": b"/caf%c3%a9", "query_string": b"raw=1"}
    assert (await request(app, "/café", "menu.example", **options)).one("content-usage") == "train-ai=n"
    assert (await request(app, "/café", "menu.example", raw_path=b"/caf%c3%a9")).one("content-usage") is None


@pytest.mark.parametrize("kind", ["websocket", "lifespan", "something.new"])
async def test_whatever_is_not_http_passes_through_untouched(kind: str) -> None:
    app = Recording()
    scope = {**http_scope("/robots.txt"), "type": kind}

    async def receive() -> Message:
        raise AssertionError("nobody asked")

    async def send(message: Message) -> None:
        raise AssertionError("nobody answered")

    await wrapped(app)(scope, receive, send)
    assert app.scopes[0] is scope
    assert app.sends[0] is send


async def test_an_application_that_raises_still_raises_and_nothing_else_is_sent() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError("the application's own trouble")

    with pytest.raises(LookupError, match="own trouble"):
        await request(wrapped(app))


async def test_other_messages_of_a_response_pass_through_as_they_are() -> None:
    trailers: Message = {
        "type": "http.response.trailers",
        "headers": [(b"x-sum", b"1")],
        "more_trailers": False,
    }
    path: Message = {"type": "http.response.pathsend", "path": "/tmp/x"}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
        await send(path)
        await send(trailers)

    response = await request(wrapped(app))
    assert response.messages[0]["trailers"] is True
    assert response.messages[1] is path
    assert response.messages[2] is trailers


def test_unset_is_what_a_false_flag_means() -> None:
    assert SitePolicy.from_flag(False) == UNSET
