"""Readers of CSV and JSON Lines files: values of rows, and errors of bad ones."""

import json
from collections.abc import Iterable

import pytest

from aipolicy.bulk.csv_file import read_csv
from aipolicy.bulk.json_lines import read_jsonl
from aipolicy.bulk.rows import Row, SiteRow
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preference, Preferences
from aipolicy.core.validation import Visibility
from aipolicy.errors import AIPolicyError


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def entries(rows: Iterable[Row]) -> list[SiteRow]:
    found = []
    for number, outcome in rows:
        assert isinstance(outcome, SiteRow), (number, outcome)
        found.append(outcome)
    return found


def policy_of(entry: SiteRow) -> SitePolicy:
    return entry.policy.for_site(entry.site)


def errors(rows: Iterable[Row]) -> list[tuple[int, str]]:
    return [(number, str(outcome)) for number, outcome in rows if isinstance(outcome, AIPolicyError)]


def test_a_flag_is_an_opt_out_and_its_absence_is_no_grant() -> None:
    text = "host,opted_out\na.example,1\nb.example,no\nC.Example.,TRUE\n"
    policies = [policy_of(entry) for entry in entries(read_csv(lines(text)))]
    assert policies == [
        SitePolicy.from_flag(True, site="a.example"),
        SitePolicy.from_flag(False, site="b.example"),
        SitePolicy.from_flag(True, site="c.example"),
    ]


def test_every_column_of_a_csv_is_read() -> None:
    text = (
        "Sitemaps,host, preset ,visibility,licensed,hosts\r\n"
        "https://a.example/1.xml https://a.example/2.xml,a.example,no-ai,discouraged,gptbot CCBot,"
        '"www.a.example WWW2.a.example"\r\n'
        ",b.example,unset,,,\r\n"
    )
    first, second = entries(read_csv(lines(text)))
    assert policy_of(first) == SitePolicy.from_preset(
        "no-ai",
        site="a.example",
        visibility="discouraged",
        licensed=["GPTBot", "CCBot"],
        sitemaps=["https://a.example/1.xml", "https://a.example/2.xml"],
    )
    assert first.hosts == frozenset({"www.a.example", "www2.a.example"})
    assert (policy_of(second), second.hosts) == (SitePolicy(site="b.example"), frozenset())


def test_without_a_hosts_column_a_site_keeps_the_hosts_it_has() -> None:
    ((_, entry),) = read_csv(["host,opted_out\n", "a.example,1\n"])
    assert isinstance(entry, SiteRow)
    assert entry.hosts is None


def test_a_row_is_numbered_by_the_line_where_it_begins() -> None:
    text = 'host,opted_out,sitemaps\na.example,1,"\nhttps://a.example/m.xml"\n\nb.example,x,\n'
    rows = list(read_csv(lines(text)))
    assert [number for number, _ in rows] == [2, 5]


@pytest.mark.parametrize(
    ("row", "culprit", "fix"),
    [
        ("a.example,maybe,,", "'maybe'", "yes"),
        ("a.example,,,", "''", "yes"),
        ("b\udcfccher.example,1,,", "'b\ufffdcher.example'", "save the file as UTF-8"),
        (",1,,", "host is ''", "blog.example"),
        ("https://a.example/x,1,,", "https://a.example/x", "the whole host"),
        ("a.example,1,GTPBot,", "GTPBot", "did you mean 'GPTBot'"),
        ("a.example,1,,a b..c", "b..c", "host name"),
        ("a.example,1,", "3 cells, the header 4", "quote"),
        ("a.example,1,,,", "5 cells, the header 4", "quote"),
        ('a.example,1,"x"y,', "expected after", "quotes"),
    ],
)
def test_the_error_of_a_bad_row_has_the_value_and_the_fix(row: str, culprit: str, fix: str) -> None:
    rows = list(read_csv(lines(f"host,opted_out,licensed,hosts\n{row}\nb.example,1,,\n")))
    ((number, error),) = errors(rows)
    assert number == 2
    assert culprit in error
    assert fix in error
    assert isinstance(rows[-1][1], SiteRow)


@pytest.mark.parametrize(
    ("header", "culprit"),
    [
        ("", "unknown column 'a.example'"),
        ("host", "opted_out"),
        ("opted_out", "'host'"),
        ("host,opted_out,preset", "exactly one"),
        ("host,opt_out,opted_out", "did you mean 'opted_out'"),
        ("host,opted_out,host", "twice"),
    ],
)
def test_a_csv_with_an_unclear_header_is_refused(header: str, culprit: str) -> None:
    with pytest.raises(AIPolicyError, match=culprit):
        list(read_csv([f"{header}\n", "a.example,1\n"]))


def test_an_empty_csv_has_no_header() -> None:
    with pytest.raises(AIPolicyError, match="no header"):
        list(read_csv(["\n"]))


@pytest.mark.parametrize(
    "text",
    [
        'host,opted_out\n"a.example,1\nb.example,1\n',
        'host,opted_out\n"a.example,1\nb.example,1\nc.example",1\nd.example,1\n',
        'host,opted_out\n"a.example,1\n' + "b.example,1\n" * 20_000,
    ],
)
def test_an_unclosed_quote_is_an_error_of_the_file(text: str) -> None:
    with pytest.raises(AIPolicyError, match=r"lines 2 to \d+ are one bad record: close the quote"):
        list(read_csv(lines(text)))


def test_the_output_of_to_dict_is_read_back() -> None:
    policy = SitePolicy(
        site="a.example",
        preferences=Preferences(train_ai=Preference.DISALLOW, search=Preference.ALLOW),
        visibility=Visibility.DISCOURAGED,
        licensed=("GPTBot",),
        path_preferences=(("/press/", Preferences(train_ai=Preference.ALLOW)),),
        robots_base="User-agent: *\nDisallow: /x\n",
    )
    document = policy.to_dict() | {"opted_out": True, "hosts": ["a.example", "www.a.example"]}
    plain, more = entries(read_jsonl([json.dumps(policy.to_dict()), "\n", json.dumps(document)]))
    assert (policy_of(plain), plain.hosts) == (policy, None)
    assert (policy_of(more), more.hosts) == (policy, frozenset({"a.example", "www.a.example"}))


def test_a_host_and_a_flag_are_enough() -> None:
    text = '{"host": "a.example", "opted_out": true}\n{"host": "b.example", "opted_out": false}\n'
    policies = [policy_of(entry) for entry in entries(read_jsonl(lines(text)))]
    assert policies == [
        SitePolicy.from_flag(True, site="a.example"),
        SitePolicy.from_flag(False, site="b.example"),
    ]


def test_a_flag_that_is_off_does_not_undo_a_visibility() -> None:
    text = '{"host": "a.example", "opted_out": false, "visibility": "discouraged"}'
    ((_, entry),) = read_jsonl([text])
    assert isinstance(entry, SiteRow)
    assert entry.policy.opted_out


@pytest.mark.parametrize(
    ("line", "culprit"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("7" * 5_000, "not JSON"),
        ("[1]", "object"),
        ("7", "object"),
        ('{"opted_out": true}', "host is None"),
        ('{"host": 7, "opted_out": true}', "host is 7"),
        ('{"host": "a.example"}', "declares nothing"),
        ('{"host": "a.example", "opted_out": "true"}', "'true'"),
        ('{"host": "a.example", "opted_out": 1}', "opted_out is 1"),
        ('{"host": "a.example", "opted_out": null}', "opted_out is None: use true or false"),
        ('{"host": "a.example", "opted_out": null, "preset": "no-ai"}', "opted_out is None"),
        ('{"host": "a.example", "preset": null}', "preset None is unknown; choose one of"),
        ('{"host": "a.example", "preset": "", "opted_out": false}', "preset '' is unknown"),
        ('{"host": "a.example", "preferences": null}', "preferences is None"),
        ('{"host": "a.example", "preferences": {"train-ai": null}}', "train-ai is None"),
        ('{"host": "a.example", "visibility": null}', "visibility is None"),
        ('{"host": "a.example", "opted_out": true, "opted_out": false}', "'opted_out' twice"),
        ('{"host": "a.example", "site": "b.example", "opted_out": true}', "both"),
        ('{"host": "a.example", "preset": "no-ai", "opted_out": false}', "contradicts"),
        ('{"host": "a.example", "optedout": true, "preset": "no-ai"}', "'optedout'"),
        ('{"host": "a.example", "opted_out": true, "hosts": "www.a.example"}', "list"),
        ('{"host": "a.example", "opted_out": true, "licensed": ["GTPBot"]}', "GTPBot"),
        ('{"host": "a.example", "preset": "no-ai", "preferences": 3}', "preferences"),
        ('{"host": "a\\udcff", "opted_out": true}', "neither a host"),
        ('{"host": "b\udcfccher.example", "opted_out": true}', "nor UTF-8: save the file as UTF-8"),
        ('{"host": "a.example", "opted_out": true, "hosts": ["\udce9\\ud800"]}', "save the file as UTF-8"),
    ],
)
def test_the_error_of_a_bad_json_line_has_the_value(line: str, culprit: str) -> None:
    rows = list(read_jsonl([line, '{"host": "b.example", "opted_out": true}']))
    ((number, error),) = errors(rows)
    assert number == 1
    assert culprit in error
    assert isinstance(rows[-1][1], SiteRow)
