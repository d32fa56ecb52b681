"""Every block of the README and of the documentation does what the page says."""

import re
import shutil
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, RUN, SHOWN, blocks, run
from tests.postgres import Schemas

MARKED = 12  # blocks that aren't run, at most


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name)
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    commands = "\n".join(block.text for block in blocks(page) if block.language in ("console", "sh"))
    for program in ("curl", "nginx", "wget"):
        if re.search(rf"(?:^\$ |[|] *){program} ", commands, re.MULTILINE) and not shutil.which(program):
            pytest.skip(f"{program} is not installed: apt-get install {program}")

    def postgres() -> str:
        schemas: Schemas = request.getfixturevalue("schemas")
        return schemas.new()

    ran = list(run(page, tmp_path, postgres))
    assert len(ran) == len([b for b in blocks(page) if b.marker != "not run" and (b.runs or b.title)])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_has_a_language_that_is_run_or_only_shown(page: Path) -> None:
    fences = re.findall(r"^ *```+ *(\w*)", page.read_text(), re.MULTILINE)
    found = blocks(page)
    assert len(fences) == 2 * len(found), "a block has no language, is indented, or isn't closed"
    assert {block.language for block in found} <= RUN | SHOWN


def test_few_blocks_are_left_out_and_each_says_why() -> None:
    marked = [(name(page), block) for page in PAGES for block in blocks(page) if block.marker == "not run"]
    assert all(len(block.reason) > 10 for _, block in marked)
    assert len(marked) <= MARKED, [(page, block.line, block.reason) for page, block in marked]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_python_file_of_a_page_is_used(page: Path) -> None:
    """A titled block is only written: another block must import or run it."""
    found = [block for block in blocks(page) if block.marker != "not run"]
    files = [block for block in found if block.language == "python" and block.title]
    unused = [
        file.title
        for file in files
        if not any(
            re.search(rf"\b{Path(file.title).stem}\b", other.text) for other in found if other is not file
        )
    ]
    assert not unused
