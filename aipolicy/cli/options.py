"""Options and output that several commands share."""

import dataclasses
import getpass
import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, BinaryIO

import click
from click.shell_completion import CompletionItem

from aipolicy.core.crawlers import CRAWLERS, Scope
from aipolicy.core.policy import PRESETS
from aipolicy.core.preferences import Preferences
from aipolicy.core.validation import MAX_ROBOTS_BYTES, Visibility
from aipolicy.crawlers import VARIABLE, load
from aipolicy.errors import PolicyError
from aipolicy.report.text import longest_word, shorten
from aipolicy.signals.switches import Signals

Command = Callable[..., Any]

SOURCE = "FILE|-|URL"
"""The metavar of an argument that ``read_source`` reads."""


def product_tokens(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the product tokens that begin with the text, in any case, for a shell to complete."""
    prefix = incomplete.lower()
    return [
        CompletionItem(crawler.product_token, help=f"{crawler.operator}, {crawler.purpose}")
        for crawler in CRAWLERS
        if crawler.product_token.lower().startswith(prefix)
    ]


registry_option = click.option(
    "--registry",
    envvar="AIPOLICY_REGISTRY",
    default="sqlite:///aipolicy.db",
    show_default=True,
    show_envvar=True,
    metavar="URL",
    help="The registry of site policies.",
)
by_option = click.option(
    "--by",
    default=getpass.getuser,
    show_default="you",
    metavar="NAME",
    help="Author recorded in the history.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout.")
ranges_option = click.option(
    "--ranges",
    envvar="AIPOLICY_RANGES",
    show_envvar=True,
    metavar="FILE",
    help="The operators' published addresses, from `crawlers update --to FILE`.",
)

_REPLACING = ("hosts", "paths", "licensed", "sitemaps")

_POLICY_OPTIONS = (
    click.option("--preset", type=click.Choice(list(PRESETS)), help="Preferences by name."),
    click.option(
        "--visibility",
        type=click.Choice(list(map(str, Visibility))),
        help="discouraged asks search engines to stay away, and implies no-training.",
    ),
    click.option(
        "--scope",
        type=click.Choice(list(map(str, Scope))),
        help="Crawlers that an opt-out names: documented (the default) or broad, which adds those that only "
        "one list calls AI crawlers. Some of these have other purposes, like brand monitors.",
    ),
    click.option(
        "--licensed",
        multiple=True,
        metavar="TOKEN",
        shell_complete=product_tokens,
        help="Allow this crawler although the site is opted out; repeatable.",
    ),
    click.option(
        "--path",
        "paths",
        multiple=True,
        metavar="'PATTERN STATEMENT'",
        help="Preferences for some paths, like '/press/ train-ai=y'; repeatable.",
    ),
    click.option(
        "--sitemap", "sitemaps", multiple=True, metavar="URL", help="Add a Sitemap line; repeatable."
    ),
    click.option(
        "--base",
        type=click.File("rb"),
        metavar="FILE|-",
        help="Merge with the site's own robots.txt (- is stdin).",
    ),
    click.option("--tdm-policy-url", metavar="URL", help="URL of a TDMRep policy, for --tdm-policy."),
    click.option("--license-url", metavar="URL", help="URL of an RSL licence, for --rsl."),
)


def policy_options(command: Command) -> Command:
    """Add the options that describe a site policy; ``policy_fields`` reads them."""
    for option in reversed(_POLICY_OPTIONS):
        command = option(command)
    return command


def say_that_they_replace(command: click.Command) -> click.Command:
    """Add to the help of each repeatable policy option that it replaces what the site has."""
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name in _REPLACING and parameter.help:
            parameter.help += " Replaces those that the site has."
    return command


def policy_fields(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of SitePolicy that are on the command line."""
    fields = {
        "preferences": PRESETS[options["preset"]] if options["preset"] else None,
        "visibility": options["visibility"],
        "scope": options["scope"],
        "licensed": options["licensed"],
        "path_preferences": dict(map(_path_preference, options["paths"])),
        "sitemaps": options["sitemaps"],
        "robots_base": _read(options["base"]) if options["base"] else None,
        "tdm_policy_url": options["tdm_policy_url"],
        "license_url": options["license_url"],
    }
    return {name: value for name, value in fields.items() if value is not None and value not in ((), {})}


def signal_options(command: Command) -> Command:
    """Add a switch for each signal; ``signals_of`` reads them."""
    for field in reversed(dataclasses.fields(Signals)):
        flag = field.name.replace("_", "-")
        switch = f"--{flag}/--no-{flag}"
        about = field.metadata["about"]
        command = click.option(switch, field.name, default=field.default, show_default=True, help=about)(
            command
        )
    return command


def signals_of(options: dict[str, Any]) -> Signals:
    return Signals(**{field.name: options[field.name] for field in dataclasses.fields(Signals)})


def parse_time(option: str, text: str) -> datetime:
    """Return a time of the command line, which is in UTC if it has no zone.

    Raises:
        PolicyError: It is invalid; the message has the option.
    """
    try:
        when = datetime.fromisoformat(text)
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise PolicyError(f"{option} {text!r} is not a valid time; use 2026-10-01T12:00:00Z") from None


def print_json(document: Any) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=not _writes_unicode())
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which can't be encoded
        text = json.dumps(document, indent=2)
    click.echo(text)


def print_rows(rows: Iterable[Iterable[str]], heading: Iterable[str]) -> None:
    """Print a table, fitted to a terminal and with complete lines in a pipe.

    Cells are plain text: markup and terminal escapes in them have no effect.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in heading:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    table.columns[0].min_width = longest_word(table.columns[0].cells)  # a token that breaks can't be copied
    print_fitted(table, pipe_width=10_000, soft_wrap=True)


def print_fitted(renderable: Any, *, pipe_width: int, soft_wrap: bool = False) -> None:
    """Print what rich renders, fitted to a terminal.

    Args:
        renderable: The table or other object.
        pipe_width: Width in columns if stdout is not a terminal; then lines have no trailing spaces.
        soft_wrap: Don't wrap longer lines in a pipe.
    """
    from rich.console import Console

    if sys.stdout.isatty():
        Console().print(renderable)
        return
    console = Console(width=pipe_width, soft_wrap=soft_wrap)
    with console.capture() as captured:
        console.print(renderable)
    print_text("\n".join(line.rstrip() for line in captured.get().splitlines()))


def print_text(text: str) -> None:
    """Print a text, with escapes for the characters that stdout can't encode."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding))


def printable(text: str) -> str:
    """Return a text with its control characters, terminal escapes and direction marks as ``\\x1b``."""
    if text.isprintable():
        return text
    # Not splitlines, which also splits at other characters.
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    return "\n".join(shorten(line, len(line) + 1) for line in lines)


def add_crawlers_option(command: click.Command) -> None:
    """Add ``--crawlers FILE`` to a command and its subcommands: all use the crawler table."""
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            add_crawlers_option(subcommand)
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
                help=f"Add or correct entries of the crawler table.  [env var: {VARIABLE}]",
            )
        )


def _load_crawlers(ctx: click.Context, _parameter: click.Parameter, file: str | None) -> None:
    if file is not None and not ctx.resilient_parsing:
        load(file)


def list_option(subject: str, show: Callable[[], None]) -> Callable[[Command], Command]:
    """Add ``--list``, which calls ``show`` and exits, also if required arguments are missing."""

    def callback(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            show()
            ctx.exit()

    return click.option(
        "--list",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=callback,
        help=f"List every {subject}, and exit.",
    )


def _path_preference(value: str) -> tuple[str, Preferences]:
    path, _, statement = value.strip().partition(" ")
    preferences = Preferences.parse(statement.strip())
    if not preferences:
        raise PolicyError(
            f"--path {value!r} has no preferences; use '/press/ train-ai=y' or '/art/ train-ai=n'"
        )
    return path, preferences


def _read(file: BinaryIO) -> bytes:
    """Return the content, and at most one byte more than is valid."""
    return file.read(MAX_ROBOTS_BYTES + 1)


def _writes_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
