"""The language of the code: docstrings begin as PEP 257 says, and names are words of the field."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for folder in ("aipolicy", "tests") for path in (ROOT / folder).rglob("*.py"))

OPENINGS = {"what", "who", "whom", "whose", "whether", "how", "of", "as", "given", "where", "which"}
NAMES = {
    "beside", "behind", "cure", "given", "is_now", "its", "keeping", "noes", "of_one", "patience", "said",
    "seen", "shown", "standing", "telling", "theirs", "told", "whole", "whom", "whose",
}  # fmt: skip
DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def faults_in(path: Path) -> Iterator[str]:
    """Yield "file:line: fault" for each docstring and name that the style forbids."""
    where = path.relative_to(ROOT)
    if is_forbidden(path.stem):
        yield f"{where}:1: the module is called {path.stem!r}"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for line, docstring in docstrings(node):
            opening = re.match(r"\W*(\w+)", docstring)
            if opening and opening[1].lower() in OPENINGS:
                yield f"{where}:{line}: the docstring begins with {opening[1]!r}"
        if isinstance(node, DEFINITIONS) and is_forbidden(node.name):
            yield f"{where}:{node.lineno}: {node.name!r} is a name"
        elif isinstance(node, ast.arg) and is_forbidden(node.arg):
            yield f"{where}:{node.lineno}: {node.arg!r} is a parameter"


def docstrings(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and text of the docstring of a module, class or function, and of attributes in it."""
    if not isinstance(node, (ast.Module, *DEFINITIONS)):
        return
    before: ast.stmt | None = None
    for statement in node.body:
        match statement:
            case ast.Expr(value=ast.Constant(value=str(text), lineno=line)):
                if before is None or isinstance(before, ast.Assign | ast.AnnAssign):
                    yield line, text
        before = statement


def is_forbidden(name: str) -> bool:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().strip("_")
    return words in NAMES


def test_docstrings_and_names_are_plain() -> None:
    faults = [fault for path in FILES for fault in faults_in(path)]
    assert not faults, f"{len(faults)} faults; see CONTRIBUTING.md:\n" + "\n".join(faults)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ('"""What it is."""', "1: the docstring begins with 'What'"),
        ('class A:\n    """Who reads."""', "2: the docstring begins with 'Who'"),
        ('class A:\n    x = 1\n    """``Whether`` it is."""', "3: the docstring begins with 'Whether'"),
        ('async def f():\n    "how it goes"', "2: the docstring begins with 'how'"),
        ("def _told(): ...", "1: '_told' is a name"),
        ("class Standing: ...", "1: 'Standing' is a name"),
        ("def f(*, whose): ...", "1: 'whose' is a parameter"),
        ("f = lambda given: given", "1: 'given' is a parameter"),
        ('"""Whatever: a noun phrase."""\n\ndef shown_text(said_by):\n    """Return it."""', None),
    ],
)
def test_a_fault_is_found_with_its_line(
    source: str, fault: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.test_language.ROOT", tmp_path)
    path = tmp_path / "module.py"
    path.write_text(source)
    assert list(faults_in(path)) == ([f"module.py:{fault}"] if fault else [])
