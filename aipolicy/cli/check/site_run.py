"""What ``aipolicy check site`` does: from the options to the reports."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import anyio
import click

from aipolicy.cli.check.site_outputs import JSONDocument, JSONLines, Lines, Totals, write_html
from aipolicy.cli.options import signals_of
from aipolicy.cli.outputs import require_writable
from aipolicy.cli.progress import progress
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import AIPolicyError
from aipolicy.siteaudit.audit import SiteReport
from aipolicy.siteaudit.document import iso, site_document
from aipolicy.siteaudit.expectation import Expectation, Version
from aipolicy.siteaudit.report import About
from aipolicy.siteaudit.runner import Expecting, Terms, check_sites
from aipolicy.siteaudit.urls import PageURL, page_url, page_urls
from aipolicy.version import __version__

_Given = Mapping[str, Any]
_MOST_OCTETS = 64 * 1024 * 1024  # of a file of URLs


def run(**given: Any) -> int:
    """Look at the sites, write of each as it is done, and return the exit code."""
    pages = _pages(given)
    if given["html"]:
        require_writable(given["html"])
    with ExitStack() as stack:
        expecting, source = _expecting(given, stack)
        totals = Totals()
        about = About(__version__, iso(datetime.now(UTC)) or "", source, totals)
        out = _output(given, about, len(pages))
        spool = stack.enter_context(TemporaryFile("w+", encoding="utf-8")) if given["html"] else None
        with progress("looking", len(pages), step=1) as advance:

            def report(found: SiteReport) -> None:
                document = site_document(found)
                totals.add(document)
                out.write(document)
                if spool is not None:
                    spool.write(json.dumps(document) + "\n")
                advance(1)

            _look(pages, _terms(given, expecting), report)
        out.close()
        if spool is not None:
            write_html(given["html"], about, spool)
    for trouble in totals.troubles:
        click.echo(trouble, err=True)
    return _exit_code(totals, given["fail_on"])


def _pages(given: _Given) -> list[PageURL]:
    pages = [page_url(text) for text in given["urls"]]
    if given["file"]:
        pages += page_urls(_lines(given["file"]), given["file"])
    if not pages:
        raise AIPolicyError(
            "no URL is given: name one like https://blog.example, or a file of them by --file"
        )
    return list(dict.fromkeys(pages))


def _lines(name: str) -> list[str]:
    try:
        if name == "-":
            octets = sys.stdin.buffer.read(_MOST_OCTETS)
        else:
            with Path(name).open("rb") as file:
                octets = file.read(_MOST_OCTETS)
        return octets.decode("utf-8-sig", "replace").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AIPolicyError(f"--file {name!r} can't be read ({reason}): give a file of URLs, or -") from None


def _terms(given: _Given, expecting: Expecting | None) -> Terms:
    return Terms(
        tuple(map(_token, given["crawlers"])),
        expecting,
        allow_private=given["allow_private"],
        jobs=given["jobs"],
        delay=given["delay"],
    )


def _token(text: str) -> str:
    token = text.strip()
    if not token or token == "*" or not token.isascii() or not token.isprintable():  # noqa: S105 (no password)
        raise AIPolicyError(f"--crawler {text!r} is no product token: write one like GPTBot")
    return token


def _expecting(given: _Given, stack: ExitStack) -> tuple[Expecting | None, str | None]:
    """What hosts should say, and who says so."""
    origin = click.get_current_context().get_parameter_source("registry")
    from_environment = origin is click.core.ParameterSource.ENVIRONMENT
    if given["expect"]:
        if given["registry"] and not from_environment:
            raise AIPolicyError("--registry and --expect both say what is expected: give one of them")
        source = f"--expect {given['expect']}"
        policy = SitePolicy.from_preset(given["expect"])
        expectation = Expectation(source, Version(policy), signals_of(dict(given)))
        return lambda host: expectation, source
    if not given["registry"]:
        return None, None
    # Imported where it is used: the others need no database.
    from aipolicy.siteaudit.registry_expectation import RegistryExpectations

    registry = stack.enter_context(
        # One that only the environment names is there for every command: hosts may be others' then.
        RegistryExpectations(
            given["registry"], signals=signals_of(dict(given)), strangers=not from_environment
        )
    )
    return registry, registry.source


def _output(given: _Given, about: About, pages: int) -> JSONDocument | JSONLines | Lines:
    if given["as_json"]:
        return JSONDocument(about)
    return JSONLines() if given["as_jsonl"] else Lines(about, whole=pages == 1)


def _look(pages: Sequence[PageURL], terms: Terms, report: Any) -> None:
    try:
        anyio.run(check_sites, pages, terms, report)
    except BaseExceptionGroup as group:  # of a task group, whoever raised
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


def _exit_code(totals: Totals, fail_on: str) -> int:
    if totals.not_reached == totals.sites:
        return 2
    grave = {
        "error": totals.with_errors,
        "warning": totals.with_errors + totals.with_warnings,
        "difference": 0,
        "never": 0,
    }[fail_on]
    failing = fail_on != "never" and grave + totals.differing + totals.unknown
    return 1 if failing else 0
