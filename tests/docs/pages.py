"""Run the code blocks of the documentation, as a reader would.

Each page is one session in an empty folder, from its first block to its last:

* ``python`` runs in the page's namespace; ``pycon`` is a doctest in the same namespace.
* ``console`` runs each ``$`` command with bash and compares the output. A line ``...`` stands for any
  number of lines. A command that ends in ``&`` is a server: it runs until the end of the page.
* ``sh`` runs like a ``console`` block without output.
* A block with a ``title`` is written to the file of that name. A Python file must be used by a later block.

``<!-- not run: REASON -->`` before a block leaves it out. ``<!-- retry: REASON -->`` repeats a block until it
prints what the page shows. Ports and the PostgreSQL URL of a page are replaced by free ones.
"""

import doctest
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

RUN = {"python", "pycon", "console", "sh"}
SHOWN = {"text", "json", "nginx", "csv", "html", "ini", "yaml", "toml", "apache", "caddy", "django"}
PORTS = ("8000", "8001", "8080")
POSTGRES = "postgresql://aipolicy@db/blogs"
PROGRAMS = ("aipolicy", "uvicorn", "flask", "django-admin")

_FENCE = re.compile(
    r"(?:^<!-- (?P<marker>not run|retry): (?P<reason>[^\n]+) -->\n\n?)?"
    r"^```(?P<language>\w+)(?P<options>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_ENOUGH = 60.0  # seconds


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    line: int
    title: str = ""
    marker: str = ""
    reason: str = ""

    @property
    def runs(self) -> bool:
        return self.language in RUN and self.marker != "not run"


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    text = page.read_text()
    found = []
    for match in _FENCE.finditer(text):
        title = re.search(r'title="([^"]+)"', match["options"])
        found.append(
            Block(
                match["language"],
                match["text"],
                text.count("\n", 0, match.start("language")) + 1,
                title[1] if title else "",
                match["marker"] or "",
                match["reason"] or "",
            )
        )
    return found


@dataclass
class Session:
    """A page's folder, namespace, servers and replaced names."""

    page: Path
    folder: Path
    postgres: Callable[[], str]
    stack: ExitStack
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    replaced: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.programs = self.folder / ".bin"
        self.programs.mkdir()
        for name in PROGRAMS:
            module = name.replace("django-admin", "django")
            self._program(name, f'exec {sys.executable} -m {module} "$@"\n')
        self._program("python", f'exec {sys.executable} "$@"\n')
        text = self.page.read_text()
        for port in PORTS:
            if re.search(rf"\b{port}\b", text):
                self.replaced[port] = str(free_port())
        if POSTGRES in text:
            self.replaced[POSTGRES] = self.postgres()

    def _program(self, name: str, command: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/bash\n{command}")
        path.chmod(0o755)

    def real(self, text: str, language: str = "") -> str:
        """Return a text of the page with the ports and the database of this run."""
        for old, new in self.replaced.items():
            value = shlex.quote(new) if language in ("console", "sh") else new
            text = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", value.replace("\\", r"\\"), text)
        return text

    def run(self, block: Block) -> None:
        """Run one block. Raises AssertionError with the line of the page."""
        if block.title:
            path = self.folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.real(block.text))
        elif block.language == "python":
            source = "\n" * block.line + self.real(block.text)
            exec(compile(source, str(self.page), "exec"), self.names)
        elif block.language == "pycon":
            self._doctest(block)
        elif block.language in ("console", "sh"):
            end = time.monotonic() + (_ENOUGH if block.marker == "retry" else 0)
            while True:
                try:
                    self._console(block)
                    break
                except AssertionError:
                    if time.monotonic() >= end:
                        raise
                    time.sleep(0.2)

    def _doctest(self, block: Block) -> None:
        parser = doctest.DocTestParser()
        test = parser.get_doctest(
            self.real(block.text), self.names, self.page.name, str(self.page), block.line
        )
        test.globs = self.names
        out: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        failures, _ = runner.run(test, out=out.append, clear_globs=False)
        assert failures == 0, "".join(out)

    def _console(self, block: Block) -> None:
        commands = re.split(r"^\$ ", self.real(block.text, block.language), flags=re.MULTILINE)[1:]
        if block.language == "sh":
            commands = [self.real(block.text, block.language)]
        for number, each in enumerate(commands):
            lines = each.split("\n")
            end = next((n for n, line in enumerate(lines) if not line.endswith("\\")), 0) + 1
            if block.language == "sh":
                end = len(lines)
            command, expected = "\n".join(lines[:end]), "\n".join(lines[end:])
            where = f"{self.page.name}, line {block.line}, command {number + 1}: {command}"
            if command.endswith("&"):
                self._serve(command[:-1].strip(), where)
                continue
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-e", "-c", command],
                cwd=self.folder,
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=300,
                check=False,
            )
            printed = done.stdout.replace("\r", "")
            if block.language == "sh":
                assert done.returncode == 0, f"{where}\n{printed}"
                continue
            assert done.returncode == 0, f"{where} ended with {done.returncode}:\n{printed}"
            assert matches(expected, printed), f"{where} printed:\n{printed}\nthe page has:\n{expected}"

    def environment(self) -> dict[str, str]:
        path = f"{self.programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, "HOME": str(self.folder), "USER": "ada", "LANG": "C.UTF-8", "COLUMNS": "100"}

    def _serve(self, command: str, where: str) -> None:
        log = self.folder / f".server-{time.monotonic_ns()}"
        with log.open("w") as output:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.folder,
                env=self.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

        def stop() -> None:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

        self.stack.callback(stop)
        port = next((new for old, new in self.replaced.items() if old in PORTS and new in command), "")
        if not port and "nginx" in command:
            port = self.replaced.get("8080", "")
        end = time.monotonic() + _ENOUGH
        while port and not accepts(int(port)):
            assert process.poll() is None, f"{where} ended:\n{log.read_text()}"
            assert time.monotonic() < end, f"{where} opened no port:\n{log.read_text()}"
            time.sleep(0.05)


def matches(expected: str, printed: str) -> bool:
    """Return True if the output is the page's, in which a line of ``...`` stands for any lines.

    Spaces at the end of a line are not compared.
    """
    pattern = "".join(r"(?:.*\n)*" if line == "..." else re.escape(line) + r"\n" for line in _lines(expected))
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(printed))) is not None


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def run(page: Path, folder: Path, postgres: Callable[[], str]) -> Iterator[Block]:
    """Run a page's blocks in their order, and yield each that ran."""
    before, modules = Path.cwd(), set(sys.modules)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        with ExitStack() as stack:
            session = Session(page, folder, postgres, stack)
            for block in blocks(page):
                if block.marker != "not run" and (block.runs or block.title):
                    session.run(block)
                    yield block
    finally:
        os.chdir(before)
        sys.path.remove(str(folder))
        for name in set(sys.modules) - modules:
            path = getattr(sys.modules[name], "__file__", None) or ""
            if path.startswith(str(folder)):
                del sys.modules[name]
