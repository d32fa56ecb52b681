"""Whole files, as people publish them, and all that is found in each."""

from pathlib import Path

import pytest

from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.robotstxt import lint
from tests.effort import calls

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(path.name for path in CORPUS.iterdir() if path.name not in ("README.md", "expected.txt"))


def findings(name: str) -> list[str]:
    report = lint((CORPUS / name).read_bytes())
    return [f"{f.severity} {f.id} {','.join(map(str, f.lines))}".strip() for f in report.findings]


def expected() -> dict[str, list[str]]:
    """``name`` on a line of its own, and under it, indented, what is found."""
    found: dict[str, list[str]] = {}
    for line in (CORPUS / "expected.txt").read_text("utf-8").splitlines():
        if line.startswith(" "):
            found[list(found)[-1]].append(line.strip())
        elif line:
            found[line] = []
    return found


@pytest.mark.parametrize("name", FILES)
def test_all_findings_of_a_file(name: str) -> None:
    assert findings(name) == expected()[name]


@pytest.mark.parametrize(
    ("tokens", "line", "count"),
    [
        (0, b"Disallow: /folder/%d/page", 18_000),
        (12_000, b"Disallow: /p%d", 17_000),
        (12_000, b"Allow: /*p%d*q", 12_000),
        (15_000, b"Foo: %d\nUser-agent: c%d", 8_000),  # one group: other records don't end it
    ],
)
def test_the_work_on_a_file_of_500_kib_is_bounded(tokens: int, line: bytes, count: int) -> None:
    lines = [b"User-agent: *", *(b"User-agent: b%d" % number for number in range(tokens))]
    lines += [line.replace(b"%d", b"%d" % number) for number in range(count)]
    rules = b"\n".join(lines)
    assert 400_000 < len(rules) < MAX_ROBOTS_BYTES
    report, count = calls(lambda: lint(rules))
    assert report.worst() != "error"
    assert count < 10_000_000, count
