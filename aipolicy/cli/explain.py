"""``aipolicy explain``: the group and the rule that decide if a crawler may fetch a path."""

from typing import TYPE_CHECKING, Any

import click

from aipolicy.cli.lint import line_numbers
from aipolicy.cli.options import SOURCE, json_option, print_json, print_text
from aipolicy.core.crawlers import crawler_named
from aipolicy.errors import AIPolicyError
from aipolicy.report.text import shorten

if TYPE_CHECKING:
    from aipolicy.robotstxt import Explanation, Ruling


@click.command()
@click.argument("source", metavar=SOURCE)
@click.option("--crawler", required=True, metavar="TOKEN", help="A product token, like GPTBot.")
@click.option("--path", required=True, metavar="PATH", help="A path, with its query if it has one.")
@json_option
def explain(source: str, crawler: str, path: str, as_json: bool) -> None:
    """Explain why a crawler may or may not fetch a path: the group that applies and the rule that decides.

    \b
    aipolicy explain robots.txt --crawler GPTBot --path /post/1
    aipolicy explain https://blog.example --crawler Applebot-Extended --path '/search?q=1' --json
    """
    # Imported where they are used: other commands must not wait for them.
    from aipolicy.cli.robots_source import read_source
    from aipolicy.robotstxt import explain as explanation_of

    if crawler.strip() in ("", "*"):
        raise AIPolicyError(f"--crawler {crawler!r} is not a product token; use one like GPTBot")
    if not path.startswith("/"):
        raise AIPolicyError(f"--path {path!r} doesn't start with '/'; use a path like /post/1")
    explanation = explanation_of(read_source(source), crawler.strip(), path)
    if as_json:
        print_json(_document(explanation))
    else:
        print_text(_text(explanation))


def _document(explanation: "Explanation") -> dict[str, Any]:
    line = explanation.ruling.line
    return {
        "crawler": shorten(explanation.token),
        "path": explanation.path,
        "allowed": explanation.ruling.allowed,
        "group": {"because": explanation.because, "lines": list(explanation.agent_lines)},
        "rule": {"line": line, "text": shorten(explanation.text(line))} if line else None,
        "content_signal": explanation.content_signals,
        "content_usage": str(explanation.usage_preferences),
        "families": {
            dialect: {"allowed": ruling.allowed, "line": ruling.line or None}
            for dialect, ruling in explanation.dialects.items()
        },
    }


def _text(explanation: "Explanation") -> str:
    from aipolicy.robotstxt.dialects import DIALECTS

    token, ruling = shorten(explanation.token), explanation.ruling
    signals = ", ".join(f"{key}={value}" for key, value in explanation.content_signals.items())
    lines = [
        f"{token} {_may(ruling)} fetch {shorten(explanation.path)}",
        f"  group: {_group(explanation)}",
        f"  rule: {_rule(explanation, ruling)}",
        f"  Content-Signal: {signals or 'none'}",
        f"  Content-Usage: {explanation.usage_preferences or 'none'}",
        "Other parsers:",
    ]
    for dialect in DIALECTS:
        other = explanation.dialects[dialect.id]
        line = f" (line {other.line})" if other.line else ""
        differs = "" if other.allowed is ruling.allowed else "  <- differs"
        lines.append(f"  {dialect.id}: it {_may(other)}{line}{differs}  [{dialect.used_by}]")
    crawler = crawler_named(explanation.token)
    if crawler is None:
        lines.append(f"{token} is not in the crawler table; check that it is spelt as its operator spells it")
        return "\n".join(lines)
    if crawler.note:
        lines.append(f"{crawler.product_token} of {crawler.operator}: {crawler.note}")
    if crawler.listed and crawler.purpose.categories:
        sources = "neither its operator nor two independent sources document it"
        lines.append(f"{crawler.product_token} is only listed for {crawler.purpose}: {sources}")
    return "\n".join(lines)


def _may(ruling: "Ruling") -> str:
    return "may" if ruling.allowed else "may not"


def _group(explanation: "Explanation") -> str:
    if explanation.because == "none":
        return "no group applies to it, so nothing is disallowed"
    lines = line_numbers(explanation.agent_lines)
    if explanation.because == "named":
        return f"{lines}: names it"
    if explanation.because == "stand-in":
        return f"{lines}: names another crawler, whose group it uses if no group names it"
    return f"{lines}: the group for all crawlers, as no group names it"


def _rule(explanation: "Explanation", ruling: "Ruling") -> str:
    if ruling.line:
        return f"line {ruling.line}: {shorten(explanation.text(ruling.line))}"
    if explanation.path.partition("?")[0] == "/robots.txt":
        return "none: /robots.txt itself is always allowed"
    return "none matches, so the path is allowed"
