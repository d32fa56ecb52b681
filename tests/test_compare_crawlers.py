"""The script that compares the crawler table with other published lists."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "scripts" / "compare_crawlers.py"


def compare(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_installed_lists_have_no_crawler_that_was_not_reviewed() -> None:
    done = compare("--json")
    report = json.loads(done.stdout)
    lists = ("ai.robots.txt", "ai-crawler-index", "crawler-user-agents")
    assert [report[f"new in {name}"] for name in lists] == [[], [], []]
    assert done.returncode == 0


def test_a_new_name_is_printed_and_sets_the_exit_code(tmp_path: Path) -> None:
    newer = tmp_path / "robots.json"
    newer.write_text(json.dumps({"GPTBot": {}, "BrandNewBot": {}, "Code": {}, "Brightbot 1.0": {}}))
    done = compare("--ai-robots-txt", str(newer))
    assert done.returncode == 1
    assert "new in ai.robots.txt: BrandNewBot\n" in done.stdout


def test_an_unreadable_list_is_an_error(tmp_path: Path) -> None:
    done = compare("--ai-robots-txt", str(tmp_path / "missing.json"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "missing.json" in done.stderr


def test_different_purposes_are_printed() -> None:
    assert "Amazonbot: training here, ai-search there" in compare().stdout
