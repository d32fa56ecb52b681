"""The README is short, and what it names exists."""

import re
import subprocess
import sys

import pytest

from tests.docs.pages import PAGES, ROOT

README = (ROOT / "README.md").read_text()


def test_it_has_at_most_150_lines() -> None:
    assert len(README.splitlines()) <= 150


def test_the_two_commands_stand_at_the_top() -> None:
    top = README.splitlines()[:15]
    assert any("make demo" in line for line in top)
    assert any("make test" in line for line in top)


def test_the_commands_named_in_the_text_exist() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    named = set(re.findall(r"`aipolicy (\w+)", text))
    done = subprocess.run(
        [sys.executable, "-m", "aipolicy", "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert named
    assert not {name for name in named if not re.search(rf"^  {name} ", done.stdout, re.MULTILINE)}


@pytest.mark.parametrize(
    "link", sorted(set(re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)|src=\"([^\":]+)\"", README)))
)
def test_a_link_to_a_file_leads_to_one(link: tuple[str, str]) -> None:
    assert (ROOT / (link[0] or link[1])).is_file()


def test_every_file_of_the_repository_that_a_page_names_exists() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    named = set(re.findall(r"`(?:python )?((?:tests|benchmarks|scripts|docs|aipolicy)/[\w./-]*\w)`", text))
    assert len(named) > 10
    assert not {name for name in named if not (ROOT / name).exists()}
