"""Tables in a terminal of 80 columns, and the messages of a base install."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aipolicy.core.crawlers import CRAWLERS

EXTRAS = (
    *(
        "dns",
        "http_message_signatures",
        "httpx",
        "httpcore",
        "platformdirs",
        "polars",
        "pyarrow",
        "isal",
        "h11",
    ),
    *("justhtml", "jinja2", "uvicorn", "psycopg", "prometheus_client", "pyspark", "pandas"),
)
BASE = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name.partition(".")[0])
sys.meta_path.insert(0, Missing())
from aipolicy.cli.main import main
main(prog_name="aipolicy")
"""


def in_a_terminal(*arguments: str, columns: int = 80) -> str:
    """Return the output of the command in a terminal of that width."""
    outer, inner = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(
        [sys.executable, "-c", "from aipolicy.cli.main import main; main()", *arguments],
        stdout=inner,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        env=environment,
    )
    os.close(inner)
    written = b""
    while True:
        try:
            part = os.read(outer, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not part:
            break
        written += part
    os.close(outer)
    process.wait(timeout=60)
    return re.sub(r"\x1b\[[0-9;]*m", "", written.decode()).replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [80, 100])
def test_no_product_token_breaks_in_a_table(columns: int) -> None:
    shown = in_a_terminal("crawlers", columns=columns)
    words = set(re.findall(r"\S+", shown))
    for crawler in CRAWLERS:
        assert set(crawler.product_token.split()) <= words, crawler.product_token
    assert max(map(len, shown.split("\n"))) <= columns


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("check", "logs", "access.log", "--robots", "robots.txt"), "asgi-aipolicy[check]"),
        (
            ("check", "logs", "access.log", "--robots", "robots.txt", "--engine", "spark"),
            "asgi-aipolicy[check]",
        ),
        (("check", "site", "https://blog.example"), "asgi-aipolicy[check]"),
        (("check", "identity", "192.0.2.1", "--user-agent", "GPTBot"), "asgi-aipolicy[identity]"),
        (("crawlers", "update"), "asgi-aipolicy[identity]"),
        (("demo",), "asgi-aipolicy[server]"),
    ],
)
def test_a_base_install_names_the_missing_extra(
    arguments: tuple[str, ...], extra: str, tmp_path: Path
) -> None:
    (tmp_path / "access.log").write_text("")
    (tmp_path / "robots.txt").write_text("User-agent: *\nDisallow: /x\n")
    done = subprocess.run(
        [sys.executable, "-c", BASE, *arguments], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 2
    assert re.fullmatch(rf"Error: .+: pip install '{re.escape(extra)}'\n", done.stderr), done.stderr
