"""What ``aipolicy check site`` writes, a site at a time: memory is that of one, however many there are."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import click

from aipolicy.cli.outputs import whole_file
from aipolicy.siteaudit.document import SCHEMA
from aipolicy.siteaudit.findings import ALL_KINDS
from aipolicy.siteaudit.report import ReportInfo, full, html, short, total_line

_Document = Mapping[str, Any]
_MOST_TROUBLES = 20


@dataclass
class Totals:
    """What all sites come to. ``troubles`` are those that were not reached, the first of them, in words.

    ``unknown`` counts those of which nobody can say that they are as they should be: not judged, or not
    reached although a policy is expected.
    """

    sites: int = 0
    clean: int = 0
    with_errors: int = 0
    with_warnings: int = 0
    differing: int = 0
    not_audited: int = 0
    not_reached: int = 0
    unknown: int = 0
    troubles: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, site: _Document) -> None:
        self.sites += 1
        self.kinds.update({found["id"] for found in site["findings"]})
        if not site["answered"]:
            self.not_reached += 1
            self.unknown += site["expected"] is not None
            if len(self.troubles) < _MOST_TROUBLES:
                self.troubles.append(f"{site['url']} can't be reached: {site['robots_txt']['reason']}")
            return
        if not site["audited"]:
            self.not_audited += 1
            self.unknown += 1
            return
        self.differing += site["differs"]
        self.clean += site["worst"] is None
        self.with_errors += site["worst"] == "error"
        self.with_warnings += site["worst"] == "warning"

    def document(self) -> dict[str, Any]:
        names = ("sites", "clean", "with_errors", "with_warnings", "differing", "not_audited", "not_reached")
        kinds = [
            {"id": kind, "sites": sites, "severity": ALL_KINDS[kind].severity, "about": ALL_KINDS[kind].about}
            for kind, sites in self.kinds.most_common()
        ]
        return {name: getattr(self, name) for name in names} | {"kinds": kinds}


class JSONDocument:
    """One document on stdout, its sites in the order in which they were done, its totals at the end."""

    def __init__(self, about: ReportInfo) -> None:
        self._about = about
        self._started = False
        head = {
            "schema": SCHEMA,
            "aipolicy": about.aipolicy,
            "made": about.made,
            "expected": about.expected,
        }
        click.echo(json.dumps(head).removesuffix("}") + ', "sites": [')

    def write(self, site: _Document) -> None:
        click.echo(("," if self._started else "") + json.dumps(site))
        self._started = True

    def close(self) -> None:
        click.echo('], "total": ' + json.dumps(self._about.total.document()) + "}")


class JSONLines:
    """A line a site."""

    def write(self, site: _Document) -> None:
        click.echo(json.dumps(site))
        sys.stdout.flush()

    def close(self) -> None:
        pass


class Lines:
    """For people. ``whole``: with everything, which is for one site."""

    def __init__(self, about: ReportInfo, *, whole: bool) -> None:
        from rich.console import Console

        terminal = sys.stdout.isatty()
        self._console = Console(width=None if terminal else 160, soft_wrap=not (terminal or whole))
        self._about = about
        self._whole = whole

    def write(self, site: _Document) -> None:
        self._console.print(full(site) if self._whole else short(site))

    def close(self) -> None:
        if not self._whole:
            self._console.print(total_line(self._about.total.document()), highlight=False)


def write_html(out: str, about: ReportInfo, spool: IO[str]) -> None:
    """The report, from the documents in ``spool``, one a line."""

    def sites() -> Iterator[_Document]:
        spool.seek(0)
        yield from map(json.loads, spool)

    with whole_file(out) as path, path.open("w", encoding="utf-8") as file:
        file.writelines(html(about, sites))
