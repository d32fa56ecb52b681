"""The README's blocks do what they say."""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.asgi_client import request

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SESSIONS = [text for language, text in BLOCKS if language == "console"]


async def test_the_python_block_is_a_blog_server_with_every_signal(caplog: pytest.LogCaptureFixture) -> None:
    (source,) = (text for language, text in BLOCKS if language == "python")
    module: dict[str, object] = {}
    exec(compile(source, "README.md", "exec"), module)
    app = module["app"]
    opted_out = await request(app, host="ada.blog.example")  # type: ignore[arg-type]
    silent = await request(app, host="bob.blog.example")  # type: ignore[arg-type]
    assert opted_out.body == b"<h1>A post</h1>"
    assert opted_out.one("content-usage") == "train-ai=n"
    assert silent.headers == [(b"content-type", b"text/html")]
    assert "User-agent: GPTBot" in (await request(app, "/robots.txt", "ada.blog.example")).text  # type: ignore[arg-type]
    assert "Not found" not in (await request(app, "/robots.txt", "bob.blog.example")).text  # type: ignore[arg-type]
    assert caplog.messages == []


@pytest.mark.parametrize("session", [text for text in SESSIONS if "make demo" not in text])
def test_every_command_prints_what_the_readme_shows(session: str, tmp_path: Path) -> None:
    for block in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, expected = block.partition("\n")
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=tmp_path,
            env={"PATH": f"{sysconfig.get_path('scripts')}:/usr/bin:/bin", "HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, expected), command


def test_the_first_command_stands_by_line_ten() -> None:
    lines = README.splitlines()
    assert any(line.startswith("$ ") for line in lines[:10])


def test_the_commands_named_in_the_text_exist() -> None:
    named = set(re.findall(r"`aipolicy (\w+)", README))
    done = subprocess.run(
        [sys.executable, "-m", "aipolicy", "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert named
    assert not {name for name in named if not re.search(rf"^  {name} ", done.stdout, re.MULTILINE)}
