"""Hooks of mkdocs: pages that are made from files of the repository.

A line ``<!-- include: FILE -->`` is replaced by that file, and ``<!-- schema: PATTERN -->`` by a table of the
newest JSON schema whose path matches.
"""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
REPOSITORY = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill a page in before it is rendered."""
    markdown = re.sub(r"^<!-- include: (\S+) -->$", lambda m: _included(m[1]), markdown, flags=re.MULTILINE)
    return re.sub(r"^<!-- schema: (\S+) -->$", lambda m: _schema(m[1]), markdown, flags=re.MULTILINE)


def _included(name: str) -> str:
    return re.sub(r"`docs/(crawlers\.md)`", r"[`docs/\1`](\1)", (ROOT / name).read_text())


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
