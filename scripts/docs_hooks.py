"""Hooks of mkdocs, which generate pages from files of the repository.

A line ``<!-- include: FILE -->`` is replaced by that file, ``<!-- schema: PATTERN -->`` by a table of the
newest JSON schema whose path matches, and ``<!-- commands -->`` by the help of every command.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from aipolicy.cli import main

ROOT = Path(__file__).parent.parent


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill a page in before it is rendered."""
    markdown = re.sub(r"^<!-- include: (\S+) -->$", lambda m: _included(m[1]), markdown, flags=re.MULTILINE)
    markdown = re.sub(r"^<!-- commands -->$", lambda _: _commands(), markdown, flags=re.MULTILINE)
    return re.sub(r"^<!-- schema: (\S+) -->$", lambda m: _schema(m[1]), markdown, flags=re.MULTILINE)


def _included(name: str) -> str:
    return re.sub(r"`docs/(crawlers\.md)`", r"[`docs/\1`](\1)", (ROOT / name).read_text())


def _commands() -> str:
    return "\n".join(
        _help(main, click.Context(main, info_name="aipolicy", terminal_width=100, max_content_width=100))
    )


def _help(command: click.Command, context: click.Context) -> Iterator[str]:
    """Return a heading and the help of a command, then those of its subcommands."""
    yield f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from _help(
                    below,
                    click.Context(below, context, name, terminal_width=100, max_content_width=100),
                )


def _schema(pattern: str) -> str:
    path = sorted(ROOT.glob(pattern), key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)])[-1]
    schema = json.loads(path.read_text())
    lines = [f"`{path.relative_to(ROOT)}`: {schema['description']}", "", "| key | | |", "|---|---|---|"]
    lines += _rows(schema, "", schema)
    return "\n".join(lines)


def _rows(part: dict[str, Any], prefix: str, schema: dict[str, Any]) -> list[str]:
    """Return a row for each key of an object, and of the objects in it."""
    rows = []
    for name, member in part.get("properties", {}).items():
        full = f"{prefix}{name}"
        about = member.get("description", "")
        resolved = _resolved(member, schema)
        about = about or resolved.get("description", "")
        rows.append(f"| `{full}` | {_type(member, resolved)} | {about.replace('|', '/')} |")
        if prefix.count(".") >= 2:
            continue
        rows += _rows(resolved, f"{full}.", schema)
        items = resolved.get("items")
        if isinstance(items, dict):
            rows += _rows(_resolved(items, schema), f"{full}[].", schema)
    return rows


def _resolved(member: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = member.get("$ref", "")
    if not reference.startswith("#/$defs/"):
        return member
    found: dict[str, Any] = schema["$defs"][reference.removeprefix("#/$defs/")]
    return found


def _type(member: dict[str, Any], resolved: dict[str, Any]) -> str:
    if "const" in member:
        return f"always `{json.dumps(member['const'])}`"
    if "enum" in resolved:
        return " / ".join(f"`{json.dumps(value)}`" for value in resolved["enum"])
    kind = resolved.get("type", "")
    return " or ".join(kind) if isinstance(kind, list) else kind
