"""The signature of a request on the command line, with the signer's key directory on loopback."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from click.testing import CliRunner, Result

from aipolicy.cli import main
from aipolicy.identity.signatures import SignedRequest, directories
from tests.identity.list_server import ListServer, LoopbackFetcher, list_server
from tests.identity.signatures.signing import Signer

AGENT = "https://assistbot.duckduckgo.com"
DIRECTORY = f"{AGENT}/.well-known/http-message-signatures-directory"
ASSIST, OTHER = "DuckAssistBot/1.2", "DuckDuckBot/1.1"


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture
def server(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ListServer]:
    with list_server(trustme.CA()) as running:
        running.put(DIRECTORY, signer.directory.decode(), Content_Type="application/json")

        def fetcher(**_: Any) -> LoopbackFetcher:
            return LoopbackFetcher(running.origin, running.trusted)

        monkeypatch.setattr(directories, "Fetcher", fetcher)
        yield running


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    """Return a function that checks a request in a file."""

    def run(request: SignedRequest, *arguments: str) -> Result:
        _, _, rest = request.url.partition("://")
        lines = [f"{request.method} /{rest.partition('/')[2]} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in request.headers]
        (tmp_path / "request.txt").write_text("\r\n".join([*lines, "", ""]), newline="")
        options = ["--request", str(tmp_path / "request.txt"), "--no-dns"]
        return CliRunner().invoke(main, ["check", "identity", *options, *arguments])

    return run


def signed(signer: Signer, agent: str = ASSIST, **options: Any) -> SignedRequest:
    defaults = {
        "agent": f'sig1="{AGENT}"',
        "created": int(time.time()) - 10,
        "headers": {"User-Agent": agent},
    }
    return signer.sign(**{**defaults, **options})


def crawler(done: Result) -> dict[str, Any]:
    (client,) = json.loads(done.stdout)
    (found,) = client["crawlers"]
    return {**found, "signature": client["signatures"][0]}


def test_a_signature_verifies_a_client_at_any_address(
    server: ListServer, run: Callable[..., Result], signer: Signer
) -> None:
    request = signed(signer)
    done = run(request, "8.8.8.8", "--json")
    assert crawler(done)["identity"] == "verified"
    assert crawler(done)["signature"]["outcome"] == "verified"
    assert crawler(done)["signature"]["signs_for"] == ["DuckAssistBot"]
    assert done.exit_code == 0
    assert crawler(run(request, "--json"))["identity"] == "verified"
    output = run(request).stdout
    assert output.startswith("signature: verified\n")
    assert f"{AGENT} signs for DuckAssistBot" in output


def test_a_signature_for_another_crawler_verifies_the_operator(
    server: ListServer, run: Callable[..., Result], signer: Signer
) -> None:
    assert crawler(run(signed(signer, OTHER), "--json"))["identity"] == "operator_verified"


def test_a_signature_over_another_site_is_a_forgery(
    server: ListServer, run: Callable[..., Result], signer: Signer
) -> None:
    request = signed(signer, OTHER)
    headers = tuple((name, "evil.example" if name == "Host" else value) for name, value in request.headers)
    done = run(SignedRequest("GET", "https://evil.example/post", headers))
    assert done.exit_code == 1
    assert done.stdout.startswith("signature: invalid\n  the signature does not verify")
    assert "a client as DuckDuckBot of DuckDuckGo" in done.stdout


def test_a_listed_address_verifies_despite_other_signatures(
    server: ListServer, run: Callable[..., Result], signer: Signer
) -> None:
    done = run(signed(Signer(), OTHER), "4.144.148.23", "--json")
    assert crawler(done)["signature"]["outcome"] == "unverified"
    assert crawler(done)["identity"] == "verified"


def test_signatures_are_verified_at_the_time_of_the_request(
    server: ListServer, run: Callable[..., Result], signer: Signer
) -> None:
    request = signed(signer, OTHER, created=1_790_000_000)
    assert "signature: invalid" in run(request).stdout
    assert "signature: verified" in run(request, "--time", "2026-09-21T14:15:00Z").stdout


def test_an_unreadable_directory_leaves_the_client_unverified(
    server: ListServer, run: Callable[..., Result], signer: Signer
) -> None:
    server.put(DIRECTORY, "gone", status=500)
    done = run(signed(signer, OTHER))
    assert done.exit_code == 0
    assert "signature: unverified" in done.stdout
    assert "can't be read: the response has status 500" in done.stdout
    assert crawler(run(signed(signer, OTHER), "--json"))["identity"] == "check_failed"
    assert crawler(run(signed(signer, OTHER), "8.8.8.8", "--json"))["identity"] == "check_failed"


def test_an_unsigned_request_declares_its_crawler(run: Callable[..., Result]) -> None:
    request = SignedRequest("GET", "https://a.example/", (("Host", "a.example"), ("User-Agent", OTHER)))
    done = run(request, "8.8.8.8", "--time", "2026-10-01")
    assert done.exit_code == 1
    assert "signature: unsigned" in done.stdout
    assert "8.8.8.8 as DuckDuckBot of DuckDuckGo" in done.stdout
    assert "8.8.8.8 as ClaudeBot" in run(request, "8.8.8.8", "--user-agent", "ClaudeBot/1").stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--request", "missing.txt"], "'missing.txt' can't be read (No such file"),
        (["--request", "-"], "'-' can't be read (illegal request line"),
        (["--request", "-", "8.8.8.8", "8.8.4.4"], "--request is from one client"),
        (["--request", "-", "-"], "--request is from one client"),
        (["--request", "-", "8.8.8"], "'8.8.8' is not an IP address"),
        ([], "the client is missing"),
    ],
)
def test_an_invalid_request_file_is_bad_input(arguments: list[str], named: str) -> None:
    done = CliRunner().invoke(main, ["check", "identity", *arguments], input="hello")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert named in done.stderr


def test_both_signatures_are_printed_and_the_one_of_the_crawler_counts(
    server: ListServer, run: Callable[..., Result], signer: Signer
) -> None:
    """A CDN may sign first, with keys that can't be read."""
    cdn = Signer().sign(
        agent='cdn="https://cdn.invalid"',
        components=("@authority", '"signature-agent";key="cdn"'),
        label="cdn",
        created=int(time.time()) - 10,
    )
    own = signed(signer)
    fields = {
        name: f"{cdn.field(name.lower())}, {own.field(name.lower())}"
        for name in ("Signature-Agent", "Signature-Input", "Signature")
    }
    request = SignedRequest("GET", own.url, tuple((dict(own.headers) | fields).items()))
    output = run(request).stdout
    assert [line for line in output.splitlines() if line.startswith("signature")] == [
        "signature: unverified",
        "signature: verified",
    ]
    assert ": verified\n" in output.partition("a client as DuckAssistBot")[2]
