"""Key directories on a real HTTPS server: fetches, limits and the cache."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable

import pytest
import trustme

from aipolicy.identity.signatures import Agents, Directories, SignatureOutcome, Verifier, signature_agent
from aipolicy.identity.signatures.directories import MEDIA_TYPE
from aipolicy.web.fetcher import Fetcher
from tests.identity.signatures.signing import NOW, Clock, Signer
from tests.web.server import Server, answer, presenting, serving, trusting

PATH = "/.well-known/http-message-signatures-directory"
SERVED = f"Content-Type: {MEDIA_TYPE}"
CA = trustme.CA()

Make = Callable[..., Directories]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving("127.0.0.1", presenting(CA, "localhost", "127.0.0.1")) as running:
        yield running


def fetching(*, allow_private: bool = True, seconds: float = 5.0) -> Callable[[], Fetcher]:
    tls = trusting(CA)
    return lambda: Fetcher(allow_private=allow_private, seconds=seconds, tls=tls)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directories(clock: Clock) -> Directories:
    return Directories(anyone=True, fetcher=fetching(), clock=clock)


SIGNER = Signer()


def why(directories: Directories, url: str) -> str:
    return directories.find(url, SIGNER.keyid).reason


async def test_an_unknown_key_is_fetched_and_verifies_from_then_on(
    server: Server, directories: Directories, clock: Clock
) -> None:
    server.answers[PATH] = answer(SIGNER.directory, SERVED)
    agent = server.origin.replace("127.0.0.1", "localhost")
    request, verifier = SIGNER.sign(agent=f'sig1="{agent}"'), Verifier(directories, clock=clock)
    before = verifier.verify(request)
    assert (before.outcome, before.fetch) == (SignatureOutcome.UNVERIFIED, agent + PATH)
    assert before.reason == f"the keys at {agent}{PATH} have not been read yet"
    await directories.fetch(agent + PATH)
    after = verifier.verify(request)
    assert (after.outcome, after.agent, after.fetch) == (SignatureOutcome.VERIFIED, agent, None)
    (asked,) = server.requests
    assert f"Accept: {MEDIA_TYPE}, " in asked


async def test_another_media_type_is_recorded_and_accepted(server: Server, directories: Directories) -> None:
    url = server.origin + PATH
    server.answers[PATH] = answer(SIGNER.directory, "Content-Type: Application/JSON; charset=utf-8")
    await directories.fetch(url)
    known = directories.known(url)
    assert known is not None
    assert (known.media_type, list(known.keys)) == ("application/json", [SIGNER.keyid])


DEEP = b"[" * 60_000


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (answer(b"", "Location: /keys", status="302 Found"), "the response has status 302 instead of 200"),
        (answer(b"", status="404 Not Found"), "the response has status 404 instead of 200"),
        (answer(b"", status="503 Unavailable"), "the response has status 503 instead of 200"),
        (answer(SIGNER.directory, status="203 Else"), "the response has status 203 instead of 200"),
        (answer(b"x" * 140_000), "it is longer than 131,072 bytes"),
        (answer(b"<html>"), "it is not JSON"),
        (answer(DEEP), "it is not JSON"),
        (answer(b"{}"), 'it has no "keys"'),
        (answer(json.dumps({"keys": [SIGNER.jwk] * 65}).encode()), "it has 65 keys: at most 64 are read"),
        (
            answer(b"x" * 20, "Content-Encoding: gzip"),
            "the body can't be decoded as its Content-Encoding says",
        ),
        (answer(gzip.compress(SIGNER.directory)[:-9], "Content-Encoding: gzip"), "the body ended before"),
        (b"nonsense\r\n\r\n", "illegal status line"),
    ],
    ids=["302", "404", "503", "203", "huge", "HTML", "deep", "other", "keys", "gzip", "cut", "nonsense"],
)
async def test_an_invalid_directory_is_not_used(
    server: Server, directories: Directories, response: bytes, reason: str
) -> None:
    url = server.origin + PATH
    server.answers |= {PATH: response, "/keys": answer(SIGNER.directory)}
    await directories.fetch(url)
    assert why(directories, url).startswith(f"the keys at {url} can't be read: {reason}")
    assert len(server.requests) == 1


async def test_a_slow_directory_times_out(server: Server, clock: Clock) -> None:
    directories = Directories(anyone=True, fetcher=fetching(seconds=0.2), clock=clock)
    server.silent.add(PATH)
    await directories.fetch(server.origin + PATH)
    assert "no complete response in time" in why(directories, server.origin + PATH)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_name_of_a_private_address_is_refused(server: Server, clock: Clock, host: str) -> None:
    directories = Directories(anyone=True, fetcher=fetching(allow_private=False), clock=clock)
    server.answers[PATH] = answer(SIGNER.directory)
    url = f"https://{host}:{server.port}{PATH}"
    await directories.fetch(url)
    assert "is not a public address" in why(directories, url)
    assert server.requests == []


async def test_an_untrusted_certificate_is_refused(server: Server, clock: Clock) -> None:
    directories = Directories(anyone=True, fetcher=lambda: Fetcher(allow_private=True), clock=clock)
    server.answers[PATH] = answer(SIGNER.directory)
    await directories.fetch(server.origin + PATH)
    assert "certificate verify failed" in why(directories, server.origin + PATH)


async def test_an_internal_error_is_logged_and_not_repeated_at_once(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Fetcher:
        raise RuntimeError("broken")

    directories = Directories(anyone=True, fetcher=broken, clock=clock)
    url = f"https://a.example{PATH}"
    await directories.fetch(url)
    assert "internal error; see the log" in why(directories, url)
    assert not directories.find(url, SIGNER.keyid).fetch
    assert "RuntimeError: broken" in caplog.text


async def test_only_https_is_fetched(directories: Directories) -> None:
    async with serving() as plain:
        plain.answers[PATH] = answer(SIGNER.directory)
        await directories.fetch(plain.origin + PATH)
        assert "it is not at an https URL" in why(directories, plain.origin + PATH)
        assert plain.requests == []


async def test_the_url_of_an_unknown_agent_is_not_fetched(server: Server, clock: Clock) -> None:
    known, unknown = f"{server.origin}/known", f"{server.origin}/unknown"
    server.answers |= dict.fromkeys(["/known", "/unknown"], answer(SIGNER.directory))
    agents = Agents({known: ["YouBot"]})
    directories = Directories(agents, fetcher=fetching(), clock=clock)
    assert directories.find(unknown, SIGNER.keyid) == (
        None,
        False,
        f"{unknown} is not the key directory of a known agent",
        False,
    )
    await directories.fetch(unknown)
    assert server.requests == []
    await directories.fetch(known)
    assert directories.find(known, SIGNER.keyid).key is not None


async def test_concurrent_callers_share_one_fetch(server: Server, directories: Directories) -> None:
    url = server.origin + PATH
    server.answers[PATH] = answer(SIGNER.directory)
    hurried = asyncio.ensure_future(directories.fetch(url))
    waiting = [asyncio.ensure_future(directories.fetch(url)) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # one who hangs up ends it for nobody else
    await asyncio.gather(hurried, *waiting[1:])
    assert directories.find(url, SIGNER.keyid).key is not None
    assert len(server.requests) == 1


async def test_a_failed_directory_is_not_fetched_for_five_minutes(
    server: Server, directories: Directories, clock: Clock
) -> None:
    url = server.origin + PATH
    for seconds, requests in ((0, 1), (299, 1), (1, 2)):
        clock.now += seconds
        assert directories.find(url, SIGNER.keyid).fetch is (requests > len(server.requests))
        await directories.fetch(url)
        assert len(server.requests) == requests


async def test_a_directory_that_lacks_a_key_is_fetched_again_after_a_minute(
    server: Server, directories: Directories, clock: Clock
) -> None:
    url = server.origin + PATH
    server.answers[PATH] = answer(Signer().directory)
    await directories.fetch(url)
    assert directories.find(url, SIGNER.keyid) == (None, False, f"{url} has no key {SIGNER.keyid}", False)
    server.answers[PATH] = answer(SIGNER.directory)
    clock.now += 60
    assert directories.find(url, SIGNER.keyid).fetch
    await directories.fetch(url)
    assert directories.find(url, SIGNER.keyid).key is not None


async def test_a_removed_key_is_withdrawn_but_an_outage_withdraws_none(
    server: Server, directories: Directories, clock: Clock
) -> None:
    url = server.origin + PATH
    server.answers[PATH] = answer(SIGNER.directory)
    await directories.fetch(url)
    for failing in (answer(b"", status="500 Oh"), answer(b"{}"), answer(b"", status="404 Not Found")):
        server.answers[PATH] = failing
        clock.now += 3600
        key, fetch, _, _ = directories.find(url, SIGNER.keyid)
        assert key is not None
        assert fetch
        await directories.fetch(url)
        assert directories.find(url, SIGNER.keyid).key is not None
    server.answers[PATH] = answer(b'{"keys": []}')
    clock.now += 3600
    await directories.fetch(url)
    assert why(directories, url) == f"{url} has no key {SIGNER.keyid}"


async def test_keys_are_used_for_a_week_of_outage(
    server: Server, directories: Directories, clock: Clock
) -> None:
    url = server.origin + PATH
    server.answers[PATH] = answer(SIGNER.directory)
    await directories.fetch(url)
    clock.now += 7 * 86_400 - 1
    assert directories.find(url, SIGNER.keyid).key is not None
    clock.now += 1
    assert directories.find(url, SIGNER.keyid).key is None


@pytest.mark.parametrize(
    ("caching", "seconds"),
    [
        ("max-age=600", 600),
        ("public, Max-Age=600", 600),
        ("max-age=1", 60),
        ("no-store", 60),
        ("no-cache, max-age=600", 60),
        ("max-age=99999999", 86_400),
        ("s-maxage=600", 3600),
        ("", 3600),
    ],
)
async def test_keys_are_refreshed_after_max_age(
    server: Server, directories: Directories, clock: Clock, caching: str, seconds: int
) -> None:
    url = server.origin + PATH
    server.answers[PATH] = answer(SIGNER.directory, f"Cache-Control: {caching}")
    await directories.fetch(url)
    clock.now = NOW + seconds - 1
    assert not directories.find(url, SIGNER.keyid).fetch
    clock.now = NOW + seconds
    key, fetch, _, _ = directories.find(url, SIGNER.keyid)
    assert key is not None  # it counts while the directory is read again
    assert fetch


async def test_a_key_outside_its_validity_does_not_count(
    server: Server, directories: Directories, clock: Clock
) -> None:
    url = server.origin + PATH
    entry = SIGNER.jwk | {"nbf": int(NOW) + 10, "exp": int(NOW) + 20}
    server.answers[PATH] = answer(json.dumps({"keys": [entry]}).encode())
    await directories.fetch(url)
    reasons = []
    for _ in range(3):
        found = directories.find(url, SIGNER.keyid)
        reasons.append(found.reason.removeprefix(f"key {SIGNER.keyid} of {url} "))
        clock.now += 10
    assert reasons == ["is not in use yet", "", "has expired"]


async def test_a_kid_must_be_the_thumbprint_at_the_well_known_uri(
    server: Server, directories: Directories
) -> None:
    body = answer(json.dumps({"keys": [SIGNER.jwk | {"kid": "2026-11"}]}).encode())
    server.answers |= {PATH: body, "/jwks.json": body}
    for path, counts in ((PATH, False), ("/jwks.json", True)):
        await directories.fetch(server.origin + path)
        assert (directories.find(server.origin + path, SIGNER.keyid).key is not None) is counts


async def test_fetches_are_limited_per_host_and_overall(server: Server, clock: Clock) -> None:
    other = server.origin.replace("127.0.0.1", "localhost")
    for path in range(10):
        server.answers[f"/{path}"] = answer(SIGNER.directory)
    directories = Directories(anyone=True, fetcher=fetching(), per_host=3, overall=5, clock=clock)
    for origin, most in ((server.origin, 3), (other, 5)):
        for path in range(5):
            await directories.fetch(f"{origin}/{path}")
        assert len(server.requests) == most
    clock.now += 60
    await directories.fetch(f"{other}/4")
    assert len(server.requests) == 6


async def test_the_number_of_directories_is_bounded(clock: Clock) -> None:
    directories = Directories(anyone=True, overall=10_000, clock=clock)
    for number in range(1000):
        await directories.fetch(f"http://signer{number}.example/keys")  # refused, and remembered
    assert sum(directories.known(f"http://signer{n}.example/keys") is not None for n in range(1000)) == 256


def test_an_agent_is_found_by_its_directory() -> None:
    assert signature_agent("https://a.example").directory == f"https://a.example{PATH}"
