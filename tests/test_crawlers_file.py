"""Additional entries of the crawler table from a file: added, corrected, refused, and used everywhere."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from aipolicy import SitePolicy, crawlers, robots_txt
from aipolicy.accesslog.crawler_detection import lines_matching, token_pattern
from aipolicy.accesslog.evaluate import Terms
from aipolicy.accesslog.formats import FORMATS
from aipolicy.accesslog.policies import policies_from_robots
from aipolicy.accesslog.spark import _evaluation
from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.crawlers import CRAWLERS, PACKAGED, crawler_named, crawler_table, use_table
from aipolicy.core.user_agent import declared_crawlers
from aipolicy.errors import CrawlersError, PolicyError
from aipolicy.identity import IdentityChecker
from aipolicy.rendering import render
from aipolicy.robotstxt import coverage
from aipolicy.robotstxt.parser import RobotsTxt
from aipolicy.robotstxt.policy_effects import effects_of
from aipolicy.robotstxt.product_tokens import successors
from tests.asgi.apps import answering, lookup
from tests.asgi_client import request
from tests.readers import READERS

NEW = {"product_token": "NewAICrawler", "operator": "New AI", "purpose": "training"}
NO_TRAINING = SitePolicy.from_preset("no-training")

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def packaged_again() -> Iterator[None]:
    """Restore the package's table before and after each test, because a loaded one is global."""
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("AIPOLICY_CRAWLERS", raising=False)
        use_table(PACKAGED)
        yield
        os.environ.pop("AIPOLICY_CRAWLERS", None)
        use_table(PACKAGED)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes a file of entries."""

    def file(*entries: Any) -> Path:
        path = tmp_path / "crawlers.json"
        path.write_text(json.dumps({"crawlers": list(entries)}))
        return path

    return file


def test_an_added_crawler_is_known_to_everything_that_uses_the_table(write: Write) -> None:
    assert b"NewAICrawler" not in robots_txt(NO_TRAINING)
    table = crawlers.load(write(NEW))
    assert (table.added, table.corrected, len(CRAWLERS)) == (
        ("NewAICrawler",),
        (),
        len(PACKAGED.crawlers) + 1,
    )
    assert crawler_named("newaicrawler") in list(CRAWLERS)
    assert b"User-agent: NewAICrawler\n" in robots_txt(NO_TRAINING)
    assert "NewAICrawler" in effects_of(NO_TRAINING)[0]
    (declared,) = declared_crawlers("Mozilla/5.0 (compatible; NewAICrawler/1.0)")
    assert render(NO_TRAINING).closed_to(declared, "/")
    assert lines_matching(pl.Series(["x newaicrawler/1 y", "x"]), token_pattern()).to_list() == [True, False]
    assert SitePolicy(licensed=("NEWAICRAWLER",)).licensed == ("NewAICrawler",)
    tokens = [crawler.product_token.lower() for crawler in CRAWLERS]
    assert tokens == sorted(tokens)


def test_without_the_file_the_crawler_is_unknown() -> None:
    assert crawler_named("NewAICrawler") is None
    with pytest.raises(PolicyError):
        SitePolicy(licensed=("NewAICrawler",))


def test_an_entry_of_a_known_crawler_needs_only_the_fields_that_differ(write: Write) -> None:
    table = crawlers.load(
        write({"product_token": "echoboxbot", "class": "documented"}, NEW | {"class": "listed"})
    )
    assert table.corrected == ("EchoboxBot",)
    corrected, packaged = crawler_named("EchoboxBot"), PACKAGED.by_token["echoboxbot"]
    assert corrected is not None
    assert corrected.to_dict() == packaged.to_dict() | {"class": "documented"}
    text = robots_txt(NO_TRAINING)
    assert b"User-agent: EchoboxBot\n" in text
    assert b"NewAICrawler" not in text
    assert b"NewAICrawler" in robots_txt(SitePolicy.from_preset("no-training", scope="broad"))


def test_every_parser_reads_the_rules_for_an_added_crawler(write: Write) -> None:
    crawlers.load(write(NEW, {"product_token": "New AI Bot", "purpose": "search", "operator": "New AI"}))
    text = robots_txt(NO_TRAINING, base="User-agent: *\nDisallow: /cart/\n")
    for reader in READERS:
        assert not reader.allowed(text, "NewAICrawler", "/post"), reader.name
        assert reader.allowed(text, "Googlebot", "/post"), reader.name
    assert len(RobotsTxt.parse(text).groups) == 2


async def test_the_middleware_blocks_and_refuses_it(write: Write) -> None:
    crawlers.load(write(NEW))
    app = AIPolicyMiddleware(answering(), lookup(), enforce="declared")
    assert "User-agent: NewAICrawler\n" in (await request(app, "/robots.txt")).text
    assert (await request(app, "/post", user_agent="NewAICrawler/1.0")).status == 403
    assert (await request(app, "/post", user_agent="EchoboxBot/1.0")).status == 200


def test_the_table_that_the_command_prints_is_a_valid_file(tmp_path: Path) -> None:
    written = subprocess.run(
        [sys.executable, "-m", "aipolicy", "crawlers", "--json"], capture_output=True, check=True, timeout=60
    ).stdout
    path = tmp_path / "all.json"
    path.write_bytes(written)
    table = crawlers.read_table(path)
    assert (table.crawlers, table.added, table.corrected) == (PACKAGED.crawlers, (), ())


def test_a_process_and_its_children_find_the_file_by_the_variable(write: Write) -> None:
    code = (
        "import sys; from aipolicy.core.crawlers import crawler_named; "
        "sys.exit(crawler_named('NewAICrawler') is None)"
    )
    named = os.environ | {"AIPOLICY_CRAWLERS": str(write(NEW))}
    assert subprocess.run([sys.executable, "-c", code], env=named, timeout=60, check=False).returncode == 0
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 1
    crawlers.load(write(NEW))
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_an_invalid_file_of_the_variable_is_an_error_when_the_table_is_first_used(tmp_path: Path) -> None:
    code = (
        "import aipolicy.asgi, aipolicy.errors, aipolicy.lookup\n"
        "for _ in range(2):\n"
        "    try: aipolicy.lookup.CachedLookup(lambda host: True)\n"
        "    except aipolicy.errors.CrawlersError as error: print(error)\n"
    )
    missing = str(tmp_path / "missing.json")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"AIPOLICY_CRAWLERS": missing},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told = f"AIPOLICY_CRAWLERS: crawler table {missing!r}: it doesn't exist; give the path of a JSON file"
    assert done.stdout.splitlines() == [told, told], "an application with it doesn't start"


def test_a_spark_worker_has_the_table_of_the_machine_that_started_it(write: Write) -> None:
    terms = Terms(
        policies_from_robots(b"User-agent: *\nDisallow: /\n", ["a.example"]),
        IdentityChecker(),
        sites=("a.example",),
    )
    crawlers.load(write(NEW))
    evaluated = _evaluation(FORMATS["combined"], terms)
    use_table(PACKAGED)  # as a worker has it, whose environment is another
    line = b'192.0.2.1 - - [01/Oct/2026:00:00:00 +0000] "GET /x HTTP/1.1" 200 5 "-" "NewAICrawler/1.0"'
    columns = {"file": ["file:/a.log"], "part": [0], "text": [line]}
    (reply,) = evaluated(iter([pa.RecordBatch.from_pydict(columns)]))
    assert reply["rows"].to_pylist()
    assert crawler_table().added == ("NewAICrawler",)


def test_a_file_that_is_refused_leaves_the_table_as_it_was(write: Write) -> None:
    crawlers.load(write(NEW))
    with pytest.raises(CrawlersError):
        crawlers.load(write(NEW | {"purpose": "spying"}))
    assert crawler_table().added == ("NewAICrawler",)


def word(number: int) -> str:
    """Return a different word of letters for each number."""
    return "".join(chr(ord("a") + number // 26**power % 26) for power in range(3))


def entry(**fields: Any) -> dict[str, Any]:
    return NEW | fields


def test_an_entry_written_before_a_field_existed_keeps_what_the_table_knows(write: Write) -> None:
    fields = {"own_group_only", "reported_to_ignore", "superseded_by"}
    written = [c.to_dict() for c in PACKAGED.crawlers if c.note]
    old = [{name: value for name, value in each.items() if name not in fields} for each in written]
    crawlers.load(write(*old, NEW))
    for name in fields:
        assert [getattr(c, name) for c in PACKAGED.crawlers] == [
            getattr(crawler_table().by_token[c.product_token.lower()], name) for c in PACKAGED.crawlers
        ]
    new = crawler_table().by_token["newaicrawler"]
    assert (new.own_group_only, new.reported_to_ignore, new.superseded_by) == (False, False, None)


def test_a_note_has_no_effect(write: Write) -> None:
    crawlers.load(write(entry(note="Honours its own name only, not *. Reported to ignore robots.txt.")))
    new = crawler_table().by_token["newaicrawler"]
    assert not new.own_group_only
    assert not coverage.is_disobedient(new)
    crawlers.load(write(entry(own_group_only=True, reported_to_ignore=True, superseded_by=["GPTBot"])))
    new = crawler_table().by_token["newaicrawler"]
    assert (coverage.heeds_only_its_name("NewAICrawler"), coverage.is_disobedient(new)) == (True, True)
    assert successors(new) == (crawler_table().by_token["gptbot"],)


@pytest.mark.parametrize(
    ("entries", "named", "fix"),
    [
        ([entry(product_token="New*")], "entry 1: 'New*' is not a valid product token", "letters, digits"),
        ([entry(product_token="*")], "entry 1: '*'", "letters, digits"),
        ([entry(product_token="")], "entry 1: ''", "letters, digits"),
        ([entry(product_token="New\r\nUser-agent: *")], "New\\r\\nUser-agent", "letters, digits"),
        ([entry(product_token="New\nDisallow: /")], "New\\nDisallow", "letters, digits"),
        ([entry(product_token="New # x")], "New # x", "letters, digits"),
        ([entry(product_token="New/1.0")], "New/1.0", "letters, digits"),
        ([entry(product_token="Nëw")], "N\\xebw", "letters, digits"),
        ([entry(product_token="New\u2028Bot")], "\\u2028", "letters, digits"),
        ([entry(product_token="New  Bot")], "New  Bot", "single spaces"),
        ([entry(product_token=" New")], "' New'", "single spaces"),
        ([entry(product_token="12345")], "'12345'", "letters, digits"),
        ([entry(product_token="x" * 65)], "xxx", "at most 64"),
        ([entry(product_token="New 1.0")], "'New 1.0' ends in a version", "remove"),
        ([entry(product_token=None)], "entry 1 has no product_token", "User-agent lines"),
        ([{}], "entry 1 has no product_token", "User-agent lines"),
        (["NewAICrawler"], "entry 1 is 'NewAICrawler'", "write an object"),
        ([None, NEW], "entry 1 is None", "write an object"),
        ([NEW, entry(product_token="NEWaicrawler")], "entry 2: 'NEWaicrawler' repeats", "remove one"),
        ([{"product_token": "gptBOT"}, {"product_token": "GPTBot"}], "entry 2: 'GPTBot'", "remove one"),
        ([{"product_token": "NewAICrawler"}], "entry 1 (NewAICrawler) has no purpose", "training, dataset"),
        ([entry(purpose="spying")], "entry 1 (NewAICrawler): purpose is 'spying'", "training, dataset"),
        ([entry(purpose=["training"])], "purpose is ['training']", "choose one of"),
        ([entry(**{"class": "sure"})], "class is 'sure'", "documented, listed"),
        ([entry(obeys_robots_txt="maybe")], "obeys_robots_txt is 'maybe'", "yes, no, partly"),
        ([entry(robots_cache_hours="24")], "robots_cache_hours is '24'", "hours from 0"),
        ([entry(robots_cache_hours=True)], "robots_cache_hours is True", "hours from 0"),
        ([entry(robots_cache_hours=-1)], "robots_cache_hours is -1", "hours from 0"),
        ([entry(robots_cache_hours=10**400)], "robots_cache_hours is 1000", "hours from 0"),
        ([entry(ranges="https://x.example/")], "ranges is 'https://x.example/'", "write a list"),
        ([entry(ranges=["http://x.example/"])], "ranges has 'http://x.example/'", "https URLs"),
        ([entry(ranges=["https://x.example/\n"])], "ranges has", "https URLs"),
        ([entry(rdns=[".example.com"])], "rdns has '.example.com'", "crawl.example.com"),
        ([entry(rdns=["com"])], "rdns has 'com'", "crawl.example.com"),
        ([entry(web_bot_auth="x")], "web_bot_auth has 'x'", "https URL"),
        ([entry(note="a\nb")], "note is 'a\\nb'", "one line"),
        ([entry(operator="")], "operator is ''", "one line"),
        ([entry(checked="yesterday")], "checked is 'yesterday'", "2026-11-30"),
        ([entry(checked=20261130)], "checked is 20261130", "2026-11-30"),
        ([entry(evidence=[{"url": "https://x.example/"}])], "evidence 1", "an object with exactly url, date"),
        ([entry(evidence="x")], "evidence is 'x'", "write a list"),
        ([entry(namesakes=["a"])], "namesakes has 'a'", "4 to 200"),
        ([entry(namesakes=["(a+)+$" * 100])], "namesakes has '(a+)+$", "4 to 200"),
        ([entry(own_group_only="yes")], "own_group_only is 'yes'", "write true or false"),
        ([entry(reported_to_ignore=1)], "reported_to_ignore is 1", "write true or false"),
        ([entry(superseded_by="GPTBot")], "superseded_by is 'GPTBot'", "product tokens"),
        ([entry(superseded_by=["New*"])], "superseded_by has 'New*'", "product tokens"),
        ([entry(purposes="training")], "unknown field 'purposes'", "did you mean 'purpose'?"),
        ([entry(product_token="GPTBot2")], "some parsers read 'GPTBot2' as 'GPTBot'", "remove"),
        ([entry(product_token="Googlebot2")], "some parsers read 'Googlebot2' as 'Googlebot'", "remove"),
        ([entry(product_token="bot")], "'bot' is part of", "remove"),
        ([entry(product_token="Google")], "'Google' is part of", "remove"),
        ([{"product_token": "Googlebot", "purpose": "training"}], "'Googlebot' is part of", "remove"),
        ([entry(product_token=f"New{'-' * n}") for n in range(60)] * 100, "has 6000 entries", "5000"),
        ([entry(product_token=f"New-{n:x>60}") for n in map(word, range(2000))], "of each robots", "remove"),
    ],
)  # fmt: skip
def test_a_wrong_entry_is_an_error_with_the_file_the_entry_and_the_fix(
    write: Write, entries: list[Any], named: str, fix: str
) -> None:
    path = write(*entries)
    with pytest.raises(CrawlersError) as raised:
        crawlers.load(path)
    message = str(raised.value)
    assert message.startswith(f"crawler table {str(path)!r}: ")
    assert named in message
    assert fix in message
    assert message.isprintable()
    assert len(message) < 500
    assert crawler_table() is PACKAGED


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "it isn't JSON"),
        (b"{", "it isn't JSON"),
        (b"[1, 2", "it isn't JSON"),
        (b"{}", 'it has no list "crawlers"'),
        (b'{"crawlers": {}}', 'it has no list "crawlers"'),
        (b'"x"', 'it has no list "crawlers"'),
        (b'{"crawler": []}', 'it has no list "crawlers"'),
        (b'{"crawlers": [], "rules": []}', "the member 'rules' is unknown"),
        (b'{"crawlers": [], "crawlers": []}', "has the member 'crawlers' twice"),
        (b'{"crawlers": [{"product_token": "A", "product_token": "B"}]}', "'product_token' twice"),
        (b'{"crawlers": [{"product_token": "Abcd", "robots_cache_hours": NaN}]}', "NaN isn't JSON"),
        (b'\xff\xfe{"crawlers": []}', "it isn't UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"crawlers": ' + b'{"a":' * 100_000, "nested too deeply"),
        (b" " * (8 * 1024 * 1024 + 1), "larger than 8 MiB"),
    ],
    ids=range(15),
)
def test_a_file_with_another_structure_is_an_error(tmp_path: Path, content: bytes, named: str) -> None:
    path = tmp_path / "crawlers.json"
    path.write_bytes(content)
    with pytest.raises(CrawlersError, match=f"^crawler table {str(path)!r}: ") as raised:
        crawlers.load(path)
    assert named in str(raised.value)


@pytest.mark.parametrize("depth", [500, 700, 900, 950])
def test_a_deeply_nested_value_is_an_error(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "crawlers.json"
    path.write_text('{"crawlers": [{"product_token": "Abcd", "purpose": %s}]}' % ("[" * depth + "]" * depth))
    with pytest.raises(CrawlersError, match=r"purpose is|nested too deeply"):
        crawlers.load(path)


def test_an_unreadable_file_is_an_error_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, named in (
        (pipe, "is not a file"),
        (tmp_path, "is not a file"),
        (tmp_path / "x", "doesn't exist"),
    ):
        with pytest.raises(CrawlersError, match=named):
            crawlers.load(path)
    with pytest.raises(CrawlersError, match="doesn't exist"):
        crawlers.load("a\0b")


def test_an_entry_with_a_byte_order_mark_or_other_members_of_the_packaged_file_is_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "crawlers.json"
    document = {"about": "ours", "checked": "2026-12-01", "crawlers": [NEW], "left_out": []}
    path.write_text(json.dumps(document), encoding="utf-8-sig")
    assert crawlers.load(path).added == ("NewAICrawler",)
