"""Test crawlers by other authors, and print the results as a table in Markdown.

    apt-get install wget wget2 httrack htdig && pip install -e '.[test]' && python scripts/try_crawlers.py

Each is configured to wait little and to follow links to other ports; the commands are below the table. Every
verdict is confirmed with serve_clause.py, which serves the same clause without any code of aipolicy; a cell
that it doesn't confirm is left out of the table and reported on stderr. Arguments are names (see --help);
--json prints JSON, --only CLAUSE tests only that clause, --unconfirmed does not run serve_clause.py. Exit
codes: 0 done, 2 a crawler is not installed.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SPIDER = Path(__file__).with_name("everything_spider.py")
BY_HAND = Path(__file__).with_name("serve_clause.py")
MAX_NAMES = 30  # in a cell
VERDICTS = ("disobeys", "departs", "over-cautious", "not tested")
UNCOUNTED = ("bom", "cache", "nofollow", "own-name")  # optional, or not testable with a robots.txt alone
_HTDIG = (
    "printf 'database_dir: {dir}\\nstart_url: {url}\\nlimit_urls_to: http://127.0.0.1\\n"
    "server_wait_time: 0\\n' > {dir}/htdig.conf && exec htdig -i -c {dir}/htdig.conf"
)


@dataclass(frozen=True)
class Tried:
    """A crawler: its command, the command for its version, the date of the release, and its installation."""

    title: str
    command: tuple[str, ...]
    version: tuple[str, ...]
    released: str
    install: str
    jobs: int = 4


def _scrapy(obey: str) -> tuple[str, ...]:
    settings = ("-s", f"ROBOTSTXT_OBEY={obey}", "-s", "LOG_LEVEL=WARNING", "-s", "TELNETCONSOLE_ENABLED=0")
    return ("scrapy", "runspider", str(SPIDER), "-a", "url={url}", *settings)


_WGET = ("-q", "-r", "-H", "--tries=1", "-P", "{dir}", "{url}")
_HTTRACK = ("-O", "{dir}", "-q", "-%v0", "--disable-security-limits", "-%c50", "-c4")
CRAWLERS = {
    "wget": Tried("GNU Wget", ("wget", *_WGET), ("wget", "--version"), "2022", "apt-get install wget"),
    "wget2": Tried("GNU Wget2", ("wget2", *_WGET), ("wget2", "--version"), "2018", "apt-get install wget2"),
    "httrack": Tried(
        "HTTrack",
        ("httrack", "{url}", *_HTTRACK),
        ("httrack", "--version"),
        "2023",
        "apt-get install httrack",
        16,
    ),
    "htdig": Tried("ht://Dig", ("sh", "-c", _HTDIG), ("htdig", "-?"), "2004", "apt-get install htdig"),
    "linkchecker": Tried(
        "LinkChecker",
        ("linkchecker", "--no-status", "--check-extern", "{url}"),
        ("linkchecker", "--version"),
        "the newest on PyPI in November 2026",
        "pip install LinkChecker",
    ),
    "scrapy": Tried(
        "Scrapy",
        _scrapy("1"),
        ("scrapy", "version"),
        "the newest on PyPI in November 2026",
        "pip install scrapy",
    ),
    "scrapy-ignoring": Tried(
        "Scrapy, `ROBOTSTXT_OBEY=0`",
        _scrapy("0"),
        ("scrapy", "version"),
        "the newest on PyPI in November 2026",
        "pip install scrapy",
    ),
}


def tried(crawler: Tried, only: Iterable[str] = ()) -> dict[str, Any]:
    """Return the document of ``aipolicy check crawler --json`` with the crawler's version."""
    chosen = [f"--only={clause}" for clause in only]
    arguments = ["check", "crawler", "--json", "--fail-on=never", f"--jobs={crawler.jobs}", *chosen, "--"]
    command = [sys.executable, "-m", "aipolicy", *arguments, found(crawler.command[0]), *crawler.command[1:]]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document | {"crawler_version": version_of(crawler)}


def found(program: str) -> str:
    """Return the path of a program: in this Python's environment, or on PATH."""
    local = Path(sysconfig.get_path("scripts")) / program
    path = str(local) if local.exists() else shutil.which(program)
    if path is None:
        raise FileNotFoundError(program)
    return path


def version_of(crawler: Tried) -> str:
    program, *arguments = crawler.version
    done = subprocess.run([found(program), *arguments], capture_output=True, text=True, check=False)
    match = re.search(r"\d+(?:[.-]\w+)+", done.stdout + done.stderr)
    return match[0] if match else "?"


def by_hand(crawler: Tried, clause: str, token: str) -> str:
    """Return the verdict of serve_clause.py on a crawler."""
    served = [sys.executable, str(BY_HAND), clause, "--token", token, "--"]
    command = [*served, found(crawler.command[0]), *crawler.command[1:]]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    verdict: str = json.loads(done.stdout)["verdict"]
    return verdict


def confirmed(crawler: Tried, document: dict[str, Any]) -> dict[str, str]:
    """Return the verdicts by clause; ``unconfirmed`` if serve_clause.py has another one."""
    verdicts = {clause["id"]: clause["verdict"] for clause in document["clauses"]}
    testable = [name for name in verdicts if name not in UNCOUNTED and verdicts[name] != "not tested"]
    token = document["product_token"] or "Nameless"
    with ThreadPoolExecutor(max(crawler.jobs // 2, 2)) as threads:
        checked = dict(
            zip(testable, threads.map(lambda name: by_hand(crawler, name, token), testable), strict=True)
        )
    for name, verdict in checked.items():
        if verdict != verdicts[name].replace("departs", "disobeys"):
            print(f"{crawler.title}: {name} {verdicts[name]}, by hand {verdict}", file=sys.stderr)
            verdicts[name] = "unconfirmed"
    return verdicts


def row(crawler: Tried, document: dict[str, Any], verdicts: dict[str, str]) -> str:
    obeyed = sum(verdict == "obeys" for name, verdict in verdicts.items() if name not in UNCOUNTED)
    lists = (
        listed([name for name, each in verdicts.items() if each == verdict and name not in UNCOUNTED])
        for verdict in VERDICTS
    )
    title, comma, setting = crawler.title.partition(",")
    version = f"{title} {document['crawler_version']}{comma}{setting} ({crawler.released})"
    return f"| {version} | {obeyed} | {' | '.join(lists)} |"


def listed(names: list[str]) -> str:
    return ", ".join(names) or "none" if len(names) <= MAX_NAMES else f"{len(names)} of all"


def shown_command(crawler: Tried) -> str:
    """Return the command in the syntax of a shell."""
    words = (word.replace(str(SPIDER), f"scripts/{SPIDER.name}") for word in crawler.command)
    return " ".join(word if re.fullmatch(r"[\w{}./=:%-]+", word) else f'"{word}"' for word in words)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CRAWLERS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", action="append", default=[], metavar="CLAUSE")
    parser.add_argument("--unconfirmed", action="store_true")
    options = parser.parse_args()
    names = options.names or list(CRAWLERS)
    for name in set(names) - set(CRAWLERS):
        parser.error(f"{name!r} is not among {', '.join(CRAWLERS)}")
    documents = {}
    for name in names:
        try:
            found(CRAWLERS[name].version[0])
        except FileNotFoundError:
            parser.exit(2, f"{name} is not installed: {CRAWLERS[name].install}\n")
        documents[name] = tried(CRAWLERS[name], options.only)
    if options.json:
        print(json.dumps(documents, indent=2))
        return
    print(f"| crawler | obeys | {' | '.join(VERDICTS)} |\n|---|---|{'---|' * len(VERDICTS)}")
    for name, document in documents.items():
        crawler = CRAWLERS[name]
        verdicts = {clause["id"]: clause["verdict"] for clause in document["clauses"]}
        print(
            row(crawler, document, verdicts if options.unconfirmed else confirmed(crawler, document)),
            flush=True,
        )
    print("\n```")
    print("\n".join(shown_command(CRAWLERS[name]) for name in documents))
    print("```")


if __name__ == "__main__":
    main()
