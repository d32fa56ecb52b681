"""The HTTP interface: who may read what, bounded, and every error a problem document."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest
from starlette.applications import Starlette

from aipolicy.core.policy import SitePolicy
from aipolicy.partners import Partners, Removals, routes
from aipolicy.partners import http as partners_http
from aipolicy.registry import Registry
from tests.partners.conftest import add

SITE = "blog.example"


@pytest.fixture
def tokens(partners: Partners) -> dict[str, str]:
    return {"openai": add(partners)[1], "other": add(partners, "other", "CCBot", receives="exports")[1]}


@pytest.fixture
async def client(registry: Registry, tokens: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Starlette(routes=routes(registry)))
    headers = {"Authorization": f"Bearer {tokens['openai']}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="https://blogs.example", headers=headers
    ) as client:
        yield client


def lines(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/x-ndjson")
    digest = base64.b64encode(hashlib.sha256(response.content).digest()).decode()
    assert response.headers["content-digest"] == f"sha-256=:{digest}:"
    return [json.loads(line) for line in response.text.splitlines()]


def problem(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == status
    return str(document["detail"])


async def test_a_partner_follows_the_feed_by_its_links(
    client: httpx.AsyncClient, registry: Registry, partners: Partners
) -> None:
    for preset in ("unset", "no-training", "unset"):
        registry.put(SitePolicy.from_preset(preset, site=SITE), by="ada")
    read, url = list[str](), "/partners/feed?limit=2"
    for _ in range(3):
        page = await client.get(url)
        read += [event["type"] for event in lines(page)]
        url = page.links["next"]["url"]
    assert read == ["hosts-changed", "opted-out", "opted-in"]
    registry.put(SitePolicy.from_preset("no-ai", site=SITE), by="ada")
    assert [event["type"] for event in lines(await client.get(url))] == ["opted-out"]
    openai = partners.get("openai")
    assert [(one.kind, one.after, one.upto, one.events) for one in partners.reads(openai)] == [
        ("feed", 0, 2, 2),
        ("feed", 2, 3, 1),
        ("feed", 3, 4, 1),
    ]
    assert partners.learned(openai, 2) is not None


async def test_a_request_may_wait_for_the_next_event(client: httpx.AsyncClient, registry: Registry) -> None:
    found: list[dict[str, Any]] = []

    async def wait() -> None:
        found.extend(lines(await client.get("/partners/feed?wait=20")))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.sleep(0.5)
        registry.put(SitePolicy.from_preset("no-training", site=SITE), by="ada")
    assert [event["type"] for event in found] == ["opted-out"]


async def test_hosts_are_checked_a_line_each(client: httpx.AsyncClient, registry: Registry) -> None:
    registry.put(SitePolicy.from_preset("no-training", site=SITE), by="ada")
    body = f'"{SITE}"\n{{"host": "nobody.example"}}\n'
    found = lines(await client.post("/partners/check", content=body))
    assert [each["state"] for each in found] == ["opted-out", "unknown"]


async def test_a_partner_answers_its_removal_requests_alone(
    client: httpx.AsyncClient, registry: Registry, tokens: dict[str, str], partners: Partners
) -> None:
    registry.put(SitePolicy.from_preset("no-training", site=SITE), by="ada")
    (request,) = lines(await client.get("/partners/removals?state=requested"))
    answer = {"obligation": "past", "outcome": "removed", "dataset_version": "v7"}
    other = {"Authorization": f"Bearer {tokens['other']}"}
    url = f"/partners/removals/{request['id']}"
    assert lines(await client.get("/partners/removals", headers=other)) == []
    assert "no removal request" in problem(await client.post(url, json=answer, headers=other), 404)
    done = await client.post(url, json=answer)
    assert done.json()["answers"][0]["dataset_version"] == "v7"
    answers: list[object] = [
        {"id": request["id"], "obligation": "future", "outcome": "excluded"},
        {"id": "0", "obligation": "future", "outcome": "excluded"},
        {"id": request["id"], "obligation": "future", "outcome": "gone"},
        [],
    ]
    body = "\n".join(map(json.dumps, answers))
    first, *invalid = lines(await client.post("/partners/removals", content=body))
    assert first["state"] == "completed"
    assert [each["line"] for each in invalid] == [2, 3, 4]
    assert Removals(partners).get(request["id"]).answers[-1].by == "openai"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "detail"),
    [
        ("GET", "/partners/feed?after=x", "", 409, "read the feed again from its beginning"),
        ("GET", "/partners/feed?limit=0", "", 400, "limit is '0'; use 1 to 10000"),
        ("GET", "/partners/feed?limit=nan", "", 400, "limit is 'nan'"),
        ("GET", "/partners/feed?wait=3600", "", 400, "wait is '3600'; use 0 to 30"),
        ("GET", "/partners/removals?state=gone", "", 422, "state 'gone' is unknown"),
        ("POST", "/partners/check", "{", 400, "line 1 has no host"),
        ("POST", "/partners/check", "[" * 100_000, 400, "line 1 has no host"),
        ("POST", "/partners/check", '"a"\n' * 10_001, 413, "at most 10000 hosts"),
        ("POST", "/partners/check", "x" * 2_000_001, 413, "at most 2000000 bytes"),
        ("POST", "/partners/removals/1", "[]", 400, "the body is no JSON object"),
        ("POST", "/partners/removals/1", '{"color": "red"}', 422, "'color' is unknown"),
        ("POST", "/partners/removals/1", '{"outcome": 1}', 422, "outcome must be text"),
        ("POST", "/partners/removals/1", '{"expected_completion": "soon"}', 422, "use a day like"),
        ("POST", "/partners/removals/1", "{}", 404, "no removal request '1'"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_is_invalid_is_a_problem_document(
    client: httpx.AsyncClient, method: str, path: str, body: str, status: int, detail: str
) -> None:
    assert detail in problem(await client.request(method, path, content=body), status)


async def test_without_a_valid_token_nothing_is_answered(client: httpx.AsyncClient) -> None:
    for token in ("", "Bearer ", "Bearer wrong", "Basic abc", "Bearer \xe9"):
        headers = {b"Authorization": token.encode("latin-1")}
        response = await client.get("/partners/feed", headers=headers)
        problem(response, 401)
        assert response.headers["www-authenticate"] == "Bearer"


async def test_a_rotated_token_is_refused(client: httpx.AsyncClient, partners: Partners) -> None:
    partners.rotate_token("openai")
    problem(await client.get("/partners/feed"), 401)


async def test_who_guesses_tokens_is_slowed_down(client: httpx.AsyncClient) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    answers = [await client.get("/partners/feed", headers=wrong) for _ in range(12)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    assert answers[-1].headers["retry-after"] == "60"


async def test_a_body_that_is_slow_is_given_up(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partners_http, "_BODY_SECONDS", 0.2)

    async def slow() -> AsyncIterator[bytes]:
        yield b'"blog'
        await anyio.sleep(1)
        yield b'.example"'

    assert "within 0.2 seconds" in problem(await client.post("/partners/check", content=slow()), 408)


async def test_a_registry_that_fails_is_a_problem_document(
    client: httpx.AsyncClient, registry: Registry
) -> None:
    registry.close()
    response = await client.get("/partners/feed")
    assert "send the request again" in problem(response, 503)
    assert response.headers["retry-after"] == "5"
