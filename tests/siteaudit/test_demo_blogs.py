"""Audits of the demo's blogs, served by uvicorn, which have no problem."""

import socket
from collections.abc import Iterator
from threading import Thread

import pytest
import uvicorn

from aipolicy.demo import BLOGS, app, fill
from aipolicy.registry import Registry
from aipolicy.siteaudit.expectation import RegistryExpectations
from tests.siteaudit.observations import Document, audit_live, ids

PRIVATE = "private.localhost"


@pytest.fixture(scope="module")
def blogs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[str], str]]:
    """The URLs of the blogs and of the registry."""
    registry_url = f"sqlite:///{tmp_path_factory.mktemp('demo')}/registry.db"
    with Registry(registry_url) as registry:
        fill(registry)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app(registry_url), log_level="warning", lifespan="on"))
        thread = Thread(target=server.run, args=([listener],))
        thread.start()
        port = listener.getsockname()[1]
        yield [f"http://{blog.host}:{port}/" for blog in BLOGS], registry_url
        server.should_exit = True
        thread.join(timeout=20)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def compared(blogs: tuple[list[str], str]) -> dict[str, Document]:
    urls, registry = blogs
    with RegistryExpectations(registry) as expecting:
        return audit_live(urls, expecting)


def test_the_blogs_have_no_finding(compared: dict[str, Document]) -> None:
    assert len(compared) == len(BLOGS)
    assert {host: ids(document) for host, document in compared.items()} == {host: [] for host in compared}


def test_without_the_registry_only_the_private_blog_has_findings(
    blogs: tuple[list[str], str],
) -> None:
    found = {host: ids(document) for host, document in audit_live(blogs[0]).items()}
    assert found.pop(PRIVATE) == ["everyone-blocked"]
    assert not any(found.values())


def test_each_crawler_receives_the_owners_choice(compared: dict[str, Document]) -> None:
    def choice(blog: str, crawler: str) -> tuple[bool, str]:
        rows = compared[f"{blog}.localhost"]["crawlers"]
        (row,) = [row for row in rows if crawler in row["crawlers"]]
        return row["may_fetch"], row["uses"]["train-ai"]["preference"]

    assert choice("opted-out", "GPTBot") == (False, "disallow")
    assert choice("opted-out", "OAI-SearchBot") == (True, "disallow")
    assert choice("no-ai", "OAI-SearchBot")[0] is False
    assert choice("licensed", "GPTBot")[0] is True
    assert choice("silent", "GPTBot") == (True, "unknown")
    assert choice("private", "Googlebot")[0] is False


def test_equal_views_share_a_row(compared: dict[str, Document]) -> None:
    assert all(len(document["crawlers"]) <= 6 for document in compared.values())


def test_every_answer_has_its_source(compared: dict[str, Document]) -> None:
    for row in compared["licensed.localhost"]["crawlers"]:
        assert row["decided_by"]["where"].startswith("robots.txt line ")
        assert row["decided_by"]["text"] in ("Allow: /", "Disallow: /")
        for use in row["uses"].values():
            assert (use["preference"] == "unknown") is (use["statements"] == [])
