"""Compare the crawler table with other published lists, and print the names that are new.

    pip install -e '.[test]' && python scripts/compare_crawlers.py

The lists are in packages: ai-crawler-index, crawler-user-agents, and django-bots, which contains the
robots.json of ai.robots.txt; --ai-robots-txt reads a newer copy of it from a file or URL. A name is new
if neither the table nor its ``left_out`` has it. Exit codes: 0 no name is new, 1 a name is new, 2 a list
can't be read.
"""

import argparse
import json
import re
import sys
import urllib.request
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path

from aipolicy.core.crawlers import CRAWLERS, LEFT_OUT, Purpose, crawler_named
from aipolicy.robotstxt.parser import product_token

# The purposes of the table that a category of ai-crawler-index can mean.
_PURPOSES = {
    "ai-training": {Purpose.TRAINING, Purpose.DATASET, Purpose.CONTROL},
    "dataset": {Purpose.TRAINING, Purpose.DATASET, Purpose.CONTROL},
    "ai-search": {Purpose.SEARCH, Purpose.USER_FETCH},
    "user-fetch": {Purpose.USER_FETCH, Purpose.SEARCH},
}


def ai_robots_txt(source: str | None) -> list[str]:
    """Return the names in robots.json of ai.robots.txt."""
    if source is None:
        text = resources.files("django_bots").joinpath("data", "ai_robots.json").read_text("utf-8")
    elif source.startswith("https://"):
        with urllib.request.urlopen(source, timeout=30) as answer:
            text = answer.read().decode("utf-8")
    else:
        text = Path(source).read_text("utf-8")
    return list(json.loads(text))


def ai_crawler_index() -> dict[str, str]:
    """Return the category of each token, for the AI categories."""
    text = resources.files("ai_crawler_index").joinpath("data.json").read_text("utf-8")
    index = json.loads(text)
    return {
        c["robots_token"]: c["category"] for c in index["crawlers"] if c["category"] in index["ai_categories"]
    }


def crawler_user_agents() -> list[str]:
    """Return the names in the patterns that are tagged as AI crawlers."""
    text = resources.files("crawleruseragents").joinpath("crawler-user-agents.json").read_text("utf-8")
    patterns = (entry["pattern"] for entry in json.loads(text) if "ai-crawler" in entry.get("tags", ()))
    return [_plain(pattern) for pattern in patterns]


def _plain(pattern: str) -> str:
    """Return the name that a pattern matches: ``claudebot`` for ``[cC]laude[bB]ot``."""
    name = pattern.partition(r"[\s\S]*")[0]
    return re.sub(r"\[(\w)\w\]", r"\1", name).replace("\\", "").rstrip("/")


def new_names(names: Iterable[str]) -> list[str]:
    """Return the names that are neither in the table nor in its ``left_out``."""
    left_out = {name.lower() for name in LEFT_OUT}
    return sorted(
        {n for n in names if not (crawler_named(product_token(n)) or n.lower() in left_out)}, key=str.lower
    )


def disagreements(categories: Mapping[str, str]) -> list[str]:
    """Return the crawlers with another purpose in the index than in the table."""
    return [
        f"{crawler.product_token}: {crawler.purpose} here, {category} there"
        for token, category in categories.items()
        if (crawler := crawler_named(token)) and crawler.purpose not in _PURPOSES[category]
    ]


def compared(ai_robots_source: str | None) -> dict[str, list[str]]:
    """Return the names of each section of the report, by heading."""
    index = ai_crawler_index()
    lists = {
        "ai.robots.txt": ai_robots_txt(ai_robots_source),
        "ai-crawler-index": list(index),
        "crawler-user-agents": crawler_user_agents(),
    }
    listed = {product_token(name).lower() for names in lists.values() for name in names}
    report = {f"new in {name}": new_names(names) for name, names in lists.items()}
    ours = [
        c.product_token for c in CRAWLERS if c.purpose.categories and c.product_token.lower() not in listed
    ]
    return report | {"only in the table": ours, "another purpose in ai-crawler-index": disagreements(index)}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ai-robots-txt", metavar="FILE|URL", help="a newer robots.json")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    options = parser.parse_args()
    try:
        report = compared(options.ai_robots_txt)
    except ModuleNotFoundError as error:
        print(f"the list of {error.name} is missing: pip install -e '.[test]'", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(f"--ai-robots-txt {options.ai_robots_txt!r} can't be read: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        for heading, names in report.items():
            print(f"{heading}: {', '.join(names) or 'nothing'}")
    return int(any(names for heading, names in report.items() if heading.startswith("new")))


if __name__ == "__main__":
    sys.exit(main())
