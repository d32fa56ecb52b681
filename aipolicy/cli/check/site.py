"""``aipolicy check site``: the signals of a live site."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from aipolicy.cli.options import (
    json_option,
    list_option,
    print_rows,
    product_tokens,
    signal_options,
    signals_of,
)
from aipolicy.cli.outputs import output_file, require_writable
from aipolicy.cli.progress import progress
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.errors import AIPolicyError
from aipolicy.version import __version__

# aipolicy.siteaudit is imported where it is used: other commands must not wait for it.
if TYPE_CHECKING:
    from aipolicy.siteaudit.audit import SiteReport
    from aipolicy.siteaudit.report import ReportInfo
    from aipolicy.siteaudit.runner import AuditOptions, Expecting
    from aipolicy.siteaudit.urls import PageURL

_Options = Mapping[str, Any]
_Document = Mapping[str, Any]

_LONGEST_FILE = 64 * 1024 * 1024  # bytes of a file of URLs
_MOST_FAILURES = 20  # unreachable sites that are printed


def _list_findings() -> None:
    from aipolicy.siteaudit.findings import ALL_KINDS

    rows = ((name, str(kind.severity), kind.about) for name, kind in ALL_KINDS.items())
    print_rows(rows, ("id", "severity", "about"))


@click.command()
@click.argument("urls", nargs=-1, metavar="URL...")
@click.option("--file", "file", metavar="FILE|-", help="File with more URLs, one per line.")
@click.option(
    "--registry",
    envvar="AIPOLICY_REGISTRY",
    show_envvar=True,
    metavar="URL",
    help="Compare with the host's policy in this registry, and with its earlier policies.",
)
@click.option("--expect", type=click.Choice(list(PRESETS)), help="Compare with this preset.")
@click.option(
    "--crawler",
    "crawlers",
    multiple=True,
    metavar="TOKEN",
    shell_complete=product_tokens,
    help="Report on this crawler and send its User-Agent (up to three); by default all, and GPTBot's.",
)
@json_option
@click.option("--jsonl", "as_jsonl", is_flag=True, help="Print JSON Lines, one site at a time.")
@click.option("--html", metavar="FILE", help="Write an HTML report to one self-contained file.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "difference", "never"]),
    default="error",
    show_default=True,
    help="Exit with code 1 for findings of at least this severity, or any difference from the policy.",
)
@click.option("--allow-private", is_flag=True, help="Allow connections to private and loopback addresses.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    metavar="N",
    help="Number of hosts to check at once, each with one request at a time.",
)
@click.option(
    "--delay",
    type=click.FloatRange(0, 60),
    default=0.2,
    show_default=True,
    metavar="SECONDS",
    help="Delay between two requests to one host.",
)
@list_option("kind of finding", _list_findings)
@signal_options
@click.pass_context
def site(ctx: click.Context, /, **options: Any) -> None:
    """Audit what a live site tells crawlers, and by which line, header or tag.

    \b
    aipolicy check site https://blog.example
    aipolicy check site blog.example/post --expect no-training --crawler GPTBot --json
    aipolicy check site --file urls.txt --registry sqlite:///blogs.db --html report.html

    A URL is a page of the site; its scheme is https by default. The command fetches this page, /robots.txt,
    /ai.txt and /.well-known/tdmrep.json; page and robots.txt also past caches, and as a browser and a crawler
    would. It follows no links, and does not obey robots.txt, since you asked for this audit. With --registry
    or --expect, the meaning of every signal is compared; the switches select the signals that are expected.

    Exit codes: 0 no such finding and no difference, 1 findings, 2 invalid input, or no site could be reached.
    """
    if options["as_json"] and options["as_jsonl"]:
        raise AIPolicyError("--json and --jsonl both write to stdout; use one of them")
    ctx.exit(_run(options))


def _run(options: _Options) -> int:
    """Check the sites, print each when it is done, and return the exit code."""
    from tempfile import TemporaryFile

    from aipolicy.siteaudit.document import site_document
    from aipolicy.siteaudit.report import ReportInfo
    from aipolicy.times import iso

    pages = _pages(options)
    if options["html"]:
        require_writable(options["html"])
    with ExitStack() as stack:
        expecting, source = _expecting(options, stack)
        totals = Totals()
        about = ReportInfo(__version__, iso(datetime.now(UTC), "seconds"), source, totals)
        out = _output(options, about, len(pages))
        # The documents are kept in a file: memory is that of one site, however many there are.
        documents = stack.enter_context(TemporaryFile("w+", encoding="utf-8")) if options["html"] else None
        with progress("checking", len(pages), step=1) as advance:

            def report(found: "SiteReport") -> None:
                document = site_document(found)
                totals.add(document)
                out.write(document)
                if documents is not None:
                    documents.write(json.dumps(document) + "\n")
                advance(1)

            _check(pages, _audit_options(options, expecting), report)
        out.close()
        if documents is not None:
            _write_html(options["html"], about, documents)
    for failure in totals.failures:
        click.echo(failure, err=True)
    return _exit_code(totals, options["fail_on"])


def _pages(options: _Options) -> list["PageURL"]:
    from aipolicy.siteaudit.urls import page_url, page_urls

    pages = [page_url(text) for text in options["urls"]]
    if options["file"]:
        pages += page_urls(_lines(options["file"]), options["file"])
    if not pages:
        raise AIPolicyError("the URL is missing; give one like https://blog.example, or --file with URLs")
    return list(dict.fromkeys(pages))


def _lines(name: str) -> list[str]:
    try:
        if name == "-":
            data = sys.stdin.buffer.read(_LONGEST_FILE)
        else:
            with Path(name).open("rb") as file:
                data = file.read(_LONGEST_FILE)
        return data.decode("utf-8-sig", "replace").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AIPolicyError(f"--file {name!r} can't be read ({reason}); give a file of URLs, or -") from None


def _audit_options(options: _Options, expecting: "Expecting | None") -> "AuditOptions":
    from aipolicy.siteaudit.runner import AuditOptions

    return AuditOptions(
        tuple(map(_token, options["crawlers"])),
        expecting,
        allow_private=options["allow_private"],
        jobs=options["jobs"],
        delay=options["delay"],
    )


def _token(text: str) -> str:
    token = text.strip()
    if not token or token == "*" or not token.isascii() or not token.isprintable():  # noqa: S105 (no password)
        raise AIPolicyError(f"--crawler {text!r} is not a product token; use one like GPTBot")
    return token


def _expecting(options: _Options, stack: ExitStack) -> tuple["Expecting | None", str | None]:
    """Return the policies that hosts are compared with, and their source."""
    from aipolicy.siteaudit.expectation import Expectation, PolicyVersion, RegistryExpectations

    origin = click.get_current_context().get_parameter_source("registry")
    from_environment = origin is click.core.ParameterSource.ENVIRONMENT
    if options["expect"]:
        if options["registry"] and not from_environment:
            raise AIPolicyError("--registry and --expect both set the expected policy; use one of them")
        source = f"--expect {options['expect']}"
        policy = SitePolicy.from_preset(options["expect"])
        expectation = Expectation(source, PolicyVersion(policy), signals_of(dict(options)))
        return lambda host: expectation, source
    if not options["registry"]:
        return None, None
    registry = stack.enter_context(
        # A registry from the environment applies to every command, so that hosts may be unknown to it.
        RegistryExpectations(
            options["registry"], signals=signals_of(dict(options)), report_unknown=not from_environment
        )
    )
    return registry, registry.source


def _check(
    pages: Sequence["PageURL"], audit_options: "AuditOptions", report: Callable[["SiteReport"], None]
) -> None:
    import anyio

    from aipolicy.siteaudit.runner import audit_sites

    try:
        anyio.run(audit_sites, pages, audit_options, report)
    except BaseExceptionGroup as group:  # from a task group
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


@dataclass
class Totals:
    """Counts of sites.

    Attributes:
        unknown: Sites whose signals can't be confirmed: not audited, or not reached although a policy is
            expected.
        failures: Messages about the first sites that were not reached.
        kinds: Sites with each kind of finding.
    """

    sites: int = 0
    clean: int = 0
    with_errors: int = 0
    with_warnings: int = 0
    differing: int = 0
    not_audited: int = 0
    not_reached: int = 0
    unknown: int = 0
    failures: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, site: _Document) -> None:
        self.sites += 1
        self.kinds.update({found["id"] for found in site["findings"]})
        if not site["answered"]:
            self.not_reached += 1
            self.unknown += site["expected"] is not None
            if len(self.failures) < _MOST_FAILURES:
                self.failures.append(f"{site['url']} can't be reached: {site['robots_txt']['reason']}")
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
        from aipolicy.siteaudit.findings import ALL_KINDS

        names = ("sites", "clean", "with_errors", "with_warnings", "differing", "not_audited", "not_reached")
        kinds = [
            {"id": kind, "sites": sites, "severity": ALL_KINDS[kind].severity, "about": ALL_KINDS[kind].about}
            for kind, sites in self.kinds.most_common()
        ]
        return {name: getattr(self, name) for name in names} | {"kinds": kinds}


def _exit_code(totals: Totals, fail_on: str) -> int:
    if totals.not_reached == totals.sites:
        return 2
    findings = {
        "error": totals.with_errors,
        "warning": totals.with_errors + totals.with_warnings,
        "difference": 0,
        "never": 0,
    }[fail_on]
    failing = fail_on != "never" and findings + totals.differing + totals.unknown
    return 1 if failing else 0


class _JSONDocument:
    """One JSON document: the sites in the order in which they were done, then the totals."""

    def __init__(self, about: "ReportInfo") -> None:
        from aipolicy.siteaudit.document import SCHEMA

        self._about = about
        self._started = False
        head = {"schema": SCHEMA, "aipolicy": about.aipolicy, "made": about.made, "expected": about.expected}
        click.echo(json.dumps(head).removesuffix("}") + ', "sites": [')

    def write(self, site: _Document) -> None:
        click.echo(("," if self._started else "") + json.dumps(site))
        self._started = True

    def close(self) -> None:
        click.echo('], "total": ' + json.dumps(self._about.total.document()) + "}")


class _JSONLines:
    """One line of JSON per site."""

    def write(self, site: _Document) -> None:
        click.echo(json.dumps(site))
        sys.stdout.flush()

    def close(self) -> None:
        pass


class _Text:
    """Text for people: all details of a single site, else a summary of each."""

    def __init__(self, about: "ReportInfo", *, details: bool) -> None:
        from rich.console import Console

        terminal = sys.stdout.isatty()
        self._console = Console(width=None if terminal else 160, soft_wrap=not (terminal or details))
        self._about = about
        self._details = details

    def write(self, site: _Document) -> None:
        from aipolicy.siteaudit.report import full, short

        self._console.print(full(site) if self._details else short(site))

    def close(self) -> None:
        from aipolicy.siteaudit.report import total_line

        if not self._details:
            self._console.print(total_line(self._about.total.document()), highlight=False)


def _output(options: _Options, about: "ReportInfo", pages: int) -> _JSONDocument | _JSONLines | _Text:
    if options["as_json"]:
        return _JSONDocument(about)
    return _JSONLines() if options["as_jsonl"] else _Text(about, details=pages == 1)


def _write_html(out: str, about: "ReportInfo", documents: IO[str]) -> None:
    from aipolicy.siteaudit.report import html

    def sites() -> Iterator[_Document]:
        documents.seek(0)
        yield from map(json.loads, documents)

    with output_file(out) as path, path.open("w", encoding="utf-8") as file:
        file.writelines(html(about, sites))
