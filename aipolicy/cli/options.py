"""Options that several commands share."""

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, BinaryIO

import click

from aipolicy.cli.completion import product_tokens
from aipolicy.core.crawlers import Scope
from aipolicy.core.policy import PRESETS
from aipolicy.core.preferences import Preferences
from aipolicy.core.validation import MAX_ROBOTS_BYTES, Visibility
from aipolicy.crawlers import VARIABLE, load
from aipolicy.errors import PolicyError
from aipolicy.report.text import longest_word
from aipolicy.signals.switches import Signals

Command = Callable[..., Any]

registry_option = click.option(
    "--registry",
    envvar="AIPOLICY_REGISTRY",
    default="sqlite:///aipolicy.db",
    show_default=True,
    show_envvar=True,
    metavar="URL",
    help="The registry of site policies.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
ranges_option = click.option(
    "--ranges",
    envvar="AIPOLICY_RANGES",
    show_envvar=True,
    metavar="FILE",
    help="The operators' addresses, as `crawlers update --to FILE` keeps them.",
)

_POLICY_OPTIONS = (
    click.option("--preset", type=click.Choice(list(PRESETS)), help="What the owner says."),
    click.option(
        "--visibility",
        type=click.Choice(list(map(str, Visibility))),
        help="discouraged: search engines are asked to stay away, which implies opted out.",
    ),
    click.option(
        "--scope",
        type=click.Choice(list(map(str, Scope))),
        help="Crawlers that an opt-out names: documented (the default), or broad: those that one list calls "
        "AI crawlers, too. Costs visits of some that aren't: brand monitors, a publisher's own tools.",
    ),
    click.option(
        "--licensed",
        multiple=True,
        metavar="TOKEN",
        shell_complete=product_tokens,
        help="Let this crawler in although opted out.",
    ),
    click.option(
        "--path",
        "paths",
        multiple=True,
        metavar="'PATTERN STATEMENT'",
        help="Preferences of some paths: '/press/ train-ai=y'.",
    ),
    click.option("--sitemap", "sitemaps", multiple=True, metavar="URL", help="A Sitemap line."),
    click.option(
        "--base",
        type=click.File("rb"),
        metavar="FILE|-",
        help="The site's own robots.txt, to merge with (- is stdin).",
    ),
    click.option("--tdm-policy-url", metavar="URL", help="A TDMRep policy, for --tdm-policy."),
    click.option("--license-url", metavar="URL", help="An RSL licence, for --rsl."),
)


def policy_options(command: Command) -> Command:
    """The options that describe a site policy; ``policy_fields`` reads them."""
    for option in reversed(_POLICY_OPTIONS):
        command = option(command)
    return command


def policy_fields(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of SitePolicy that were given on the command line; those that were not are absent."""
    fields = {
        "preferences": PRESETS[given["preset"]] if given["preset"] else None,
        "visibility": given["visibility"],
        "scope": given["scope"],
        "licensed": given["licensed"],
        "path_preferences": dict(map(_path_preference, given["paths"])),
        "sitemaps": given["sitemaps"],
        "robots_base": _read(given["base"]) if given["base"] else None,
        "tdm_policy_url": given["tdm_policy_url"],
        "license_url": given["license_url"],
    }
    return {name: value for name, value in fields.items() if value is not None and value not in ((), {})}


def signal_options(command: Command) -> Command:
    """A switch for each signal; ``signals_of`` reads them."""
    for field in reversed(dataclasses.fields(Signals)):
        flag = field.name.replace("_", "-")
        switch = f"--{flag}/--no-{flag}"
        about = field.metadata["about"]
        command = click.option(switch, field.name, default=field.default, show_default=True, help=about)(
            command
        )
    return command


def signals_of(given: dict[str, Any]) -> Signals:
    return Signals(**{field.name: given[field.name] for field in dataclasses.fields(Signals)})


def time_given(option: str, text: str) -> datetime:
    """A time on the command line; without a zone it is UTC. Raises PolicyError naming the option."""
    try:
        when = datetime.fromisoformat(text)
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise PolicyError(f"{option} {text!r} is no time: write it like 2026-10-01T12:00:00Z") from None


def print_json(document: Any) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=not _writes_unicode())
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which is no character
        text = json.dumps(document, indent=2)
    click.echo(text)


def print_rows(rows: Iterable[Iterable[str]], heading: Iterable[str]) -> None:
    """A table: fitted to a terminal, and never cut where a program reads it.

    Whoever wrote what stands there, it is text: no markup, no control, no escape.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in heading:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    table.columns[0].min_width = longest_word(table.columns[0].cells)  # a token that breaks can't be copied
    print_fitted(table, in_a_pipe=10_000, soft_wrap=True)


def print_fitted(renderable: Any, *, in_a_pipe: int, soft_wrap: bool = False) -> None:
    """What rich renders: fitted to a terminal; in a pipe so wide, without the blanks that fill a line.

    ``soft_wrap``: in a pipe, longer lines stay whole.
    """
    from rich.console import Console

    if sys.stdout.isatty():
        Console().print(renderable)
        return
    console = Console(width=in_a_pipe, soft_wrap=soft_wrap)
    with console.capture() as captured:
        console.print(renderable)
    text = "\n".join(line.rstrip() for line in captured.get().splitlines())
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding))


def printable(text: str) -> str:
    """``text`` on its lines, with controls, terminal escapes and direction marks written as ``\\x1b``."""
    if text.isprintable():
        return text
    # Imported where it is used: hardly any text needs it.
    from aipolicy.report.text import shown

    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")  # and at nothing else that Unicode has
    return "\n".join(shown(line, len(line) + 1) for line in lines)


def add_crawlers_option(command: click.Command) -> None:
    """Add ``--crawlers FILE`` to a command and to those below it, which all go by the crawler table."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            add_crawlers_option(below)
        if not command.invoke_without_command:
            return
    if not any("--crawlers" in parameter.opts for parameter in command.params):
        command.params.append(
            click.Option(
                ["--crawlers", "crawlers_file"],
                is_eager=True,
                expose_value=False,
                callback=_load_crawlers,
                metavar="FILE",
                help=f"Entries that add to the crawler table, or correct it.  [env var: {VARIABLE}]",
            )
        )


def _load_crawlers(ctx: click.Context, _parameter: click.Parameter, file: str | None) -> None:
    if file is not None and not ctx.resilient_parsing:
        load(file)


def list_option(what: str, show: Callable[[], None]) -> Callable[[Command], Command]:
    """``--list``, which shows every ``what`` and ends the command, whatever else it needs."""

    def listed(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
        if wanted and not ctx.resilient_parsing:
            show()
            ctx.exit()

    return click.option(
        "--list",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=listed,
        help=f"List every {what}, and exit.",
    )


def _path_preference(value: str) -> tuple[str, Preferences]:
    path, _, statement = value.strip().partition(" ")
    preferences = Preferences.parse(statement.strip())
    if not preferences:
        raise PolicyError(
            f"--path {value!r} says nothing: write it like '/press/ train-ai=y' or '/art/ train-ai=n'"
        )
    return path, preferences


def _read(file: BinaryIO) -> bytes:
    """What was given, and no more than is needed to see that it is too large."""
    return file.read(MAX_ROBOTS_BYTES + 1)


def _writes_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
