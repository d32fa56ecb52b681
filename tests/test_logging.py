"""The log lines of the package, and the page of the documentation that lists them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "logging.md"
LEVELS = {
    "debug": "DEBUG",
    "info": "INFO",
    "warning": "WARNING",
    "error": "ERROR",
    "exception": "ERROR",
    "failed": "WARNING",  # of ThrottledLog
    "recovered": "INFO",
}

Event = tuple[str, str, str]
"""Logger, level, and the beginning of the line."""


def files() -> Iterator[tuple[str, ast.Module]]:
    """Yield the logger that each module must use, and its code."""
    for path in sorted((ROOT / "aipolicy").rglob("*.py")):
        package = path.relative_to(ROOT).parts[1]
        logger = "aipolicy" if package.endswith(".py") else f"aipolicy.{package}"
        yield logger, ast.parse(path.read_text(encoding="utf-8"))


def text_of(message: ast.expr) -> str:
    """Return a message with "…" for its variables, up to the first colon or semicolon."""
    match message:
        case ast.Constant(value=str(text)):
            text = re.sub(r"%[.\d]*[sdrf]", "…", text)
        case ast.JoinedStr(values=parts):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)
        case _:
            raise AssertionError(f"line {message.lineno}: write the message in the call")
    beginning = re.split(r"[;:]\s", text)[0]
    return beginning if re.search(r"\w", beginning) else text


def test_every_line_of_the_log_is_documented() -> None:
    logged: set[Event] = set()
    for logger, tree in files():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=owner, attr=method), args=[message, *_]):
                    if method in LEVELS and re.search(r"(\b|_)log(ger)?$", ast.unparse(owner)):
                        logged.add((logger, LEVELS[method], text_of(message)))
    documented: set[Event] = set()
    for row in PAGE.read_text(encoding="utf-8").splitlines():
        if cells := re.match(r"\| `(aipolicy[.\w]*)` \| (\w+) \| `(.+?)` \|", row):
            documented.add((cells[1], cells[2], cells[3]))
    assert logged == documented


def test_each_package_has_one_logger() -> None:
    for logger, tree in files():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(attr="getLogger"), args=[ast.Constant(value=name)]):
                    assert name == logger or logger == "aipolicy.cli", f"line {node.lineno}"
