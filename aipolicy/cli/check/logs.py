"""What ``aipolicy check logs`` does: from the options to the reports."""

import csv
import glob
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import polars as pl

from aipolicy.accesslog.dedupe import without_repeats
from aipolicy.accesslog.engine import ReadFile
from aipolicy.accesslog.evaluate import Evaluator, Terms
from aipolicy.accesslog.formats import LogFormat, named
from aipolicy.accesslog.local import read_logs
from aipolicy.accesslog.policies import Policies, policies_from_jsonl, policies_from_robots
from aipolicy.accesslog.spool import Spool
from aipolicy.accesslog.summary import About, in_one_spelling, summary, write_evidence
from aipolicy.accesslog.timestamps import iso, microseconds
from aipolicy.cli.options import print_json, time_given
from aipolicy.cli.outputs import require_writable, whole_file
from aipolicy.cli.progress import log_progress
from aipolicy.cli.robots_source import read_source
from aipolicy.core.crawlers import crawler_table
from aipolicy.core.hosts import site_name
from aipolicy.errors import AIPolicyError, LogError, PolicyError
from aipolicy.identity import IdentityChecker, Ranges, ranges_in_force
from aipolicy.version import __version__

_Given = Mapping[str, Any]


def run(**given: Any) -> int:
    """Check the logs, write what was asked for, and return the exit code."""
    files, repeats = without_repeats(_expanded(given["files"]))
    form = named(given["form"]) if given["form"] else None
    ranges, file = ranges_in_force(given["ranges"])
    terms = _terms(given, ranges)
    for out in filter(None, (given["html"], given["evidence"])):
        require_writable(out)
    with Spool() as spool:
        read, parts = _read(files, form, terms, spool, given)
        parts = in_one_spelling(parts)
        document = summary(parts, _about(given, terms, read, repeats, file))
        _require_read(document)
        if given["evidence"]:
            with whole_file(given["evidence"]) as path:
                write_evidence(parts, path)
    _report(document, given)
    return _exit_code(document, given["fail_on"])


def _terms(given: _Given, ranges: Ranges) -> Terms:
    sites = tuple(dict.fromkeys(map(site_name, given["sites"])))
    return Terms(
        _policies(given, sites),
        IdentityChecker(ranges, _resolver() if given["dns"] else None),
        sites=sites,
        since=_time("--since", given["since"]),
        until=_time("--until", given["until"]),
        forwarded=given["forwarded"],
        grace_hours=given["grace"],
        mask=given["mask_ip"],
    )


def _time(option: str, text: str | None) -> int | None:
    return None if text is None else microseconds(time_given(option, text))


def _policies(given: _Given, sites: Sequence[str]) -> Policies:
    source = click.get_current_context().get_parameter_source("registry")
    from_environment = source is click.core.ParameterSource.ENVIRONMENT
    said = [name for name in ("robots", "policies", "registry") if given[name]]
    if from_environment and len(said) > 1:
        said.remove("registry")
    if len(said) != 1:
        options = "--robots FILE, --policies FILE.jsonl or --registry URL"
        both = " and ".join(f"--{name}" for name in said)
        problem = f"{both} are given" if said else "nothing says what crawlers were asked"
        raise AIPolicyError(f"{problem}: give one of {options}")
    if given[said[0]] == "-" and "-" in given["files"]:
        raise AIPolicyError(f"both the log and --{said[0]} are -: standard input can be read once")
    if said == ["robots"]:
        return policies_from_robots(read_source(given["robots"]), sites, source=given["robots"])
    if said == ["registry"]:
        # Imported where it is used: the others need no database.
        from aipolicy.accesslog.policies.from_registry import RegistryPolicies

        return RegistryPolicies(given["registry"])
    try:
        return policies_from_jsonl(_lines(given["policies"]), source=given["policies"])
    except PolicyError as error:
        raise PolicyError(f"{given['policies']!r}: {error}") from None


def _lines(name: str) -> list[str]:
    try:
        octets = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return octets.decode("utf-8-sig", "surrogateescape").split("\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        fix = "give a file of JSON Lines"
        raise AIPolicyError(f"--policies {name!r} can't be read ({reason}): {fix}") from None


def _resolver() -> Any:
    from aipolicy.identity import Resolver

    return Resolver()


def _expanded(names: Sequence[str]) -> list[str]:
    """The files that are meant, patterns that the shell left alone filled in."""
    found: list[str] = []
    for name in names:
        if name != "-" and glob.has_magic(name) and not Path(name).exists():
            matching = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - absolute patterns too
            if not matching:
                raise LogError(f"{name!r} matches no file: check the pattern")
            found += matching
        else:
            found.append(name)
    if found.count("-") > 1:
        raise LogError("- is given twice: standard input can be read once")
    return found


def _read(
    files: Sequence[str], form: LogFormat | None, terms: Terms, spool: Spool, given: _Given
) -> tuple[list[ReadFile], list[pl.LazyFrame]]:
    local = given["engine"] == "local"
    with log_progress(_octets(files) if local else None) as advance:
        if local:
            read = read_logs(files, Evaluator(terms), spool, form=form, advance=advance)
            return read, spool.parts()
        from aipolicy.accesslog.spark import read_with_spark

        return read_with_spark(files, terms, spool, form=form, advance=advance, master=given["master"])


def _octets(files: Sequence[str]) -> int | None:
    try:
        return None if "-" in files else sum(Path(name).stat().st_size for name in files)
    except (OSError, ValueError):  # opening it will say what is wrong
        return None


def _about(
    given: _Given, terms: Terms, read: Sequence[ReadFile], repeats: Sequence[str], ranges_file: Path | None
) -> About:
    method = {
        "policies": terms.policies.source,
        "grace_hours": terms.grace_hours,
        "crawler_table": crawler_table().compiled.isoformat(),
        "crawlers_file": crawler_table().file,
        "ranges": _ranges(terms.identities, ranges_file),
        "dns": given["dns"],
        "forwarded": terms.forwarded,
        "since": iso(terms.since),
        "until": iso(terms.until),
        "only_sites": list(terms.sites),
        "addresses_masked": terms.mask,
    }
    made = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    top = given["top"] or None
    one_robots = bool(given["robots"] and not terms.sites)
    return About(
        __version__,
        made,
        read,
        method,
        key=given["by"],
        top=top,
        one_robots=one_robots,
        repeats=repeats,
    )


def _ranges(identities: IdentityChecker, file: Path | None) -> dict[str, Any]:
    lists, oldest, newest = len(identities.lists), identities.oldest, identities.newest
    days = {"oldest": oldest.isoformat(), "newest": newest.isoformat()}
    return {"lists": lists} | days | {"file": None if file is None else str(file)}


def _report(document: dict[str, Any], given: _Given) -> None:
    if given["html"]:
        from aipolicy.accesslog.report import html

        with whole_file(given["html"]) as path:
            path.write_text(html(document), encoding="utf-8")
    if given["as_json"]:
        print_json(document)
    elif given["as_csv"]:
        from aipolicy.accesslog.report import csv_rows

        csv.writer(sys.stdout, lineterminator="\r\n").writerows(csv_rows(document))
    else:
        from rich.console import Console

        from aipolicy.accesslog.report import table

        terminal = sys.stdout.isatty()
        Console(width=None if terminal else 200, soft_wrap=False).print(table(document))
    for note in () if given["as_json"] else document["notes"]:
        click.echo(note, err=True)


def _require_read(document: Mapping[str, Any]) -> None:
    """Raises LogError where nothing that names a crawler could be read: that acquits nobody."""
    lines = document["lines"]
    unread = lines["unreadable"]
    if unread and not (lines["crawler"] or lines["left_out"]) and 2 * unread >= lines["read"]:
        first = document["unreadable"][0]
        raise LogError(
            f"{unread} of {lines['read']} lines name a crawler, and none of these can be read; the first is "
            f"line {first['line']} of {first['file']!r}: give --format the format string of the server's "
            "configuration"
        )


def _exit_code(document: Mapping[str, Any], fail_on: str) -> int:
    total = document["total"]
    failing = {"disallowed": total["disallowed"], "spoofed": total["identity"]["spoofed"], "never": 0}
    return 1 if failing[fail_on] else 0
