"""The blogs of a WordPress network, from a database dump or a CSV export.

As in the WordPress.com feature ``blog-privacy``, ``blog_public`` 0 is *discouraged*, below 0 *private*, and
``wpcom_data_sharing_opt_out`` is the opt-out. Without the option ``blog_public``, the column ``public`` of
``wp_blogs`` is read, which WordPress maintains as a copy of it.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain

from aipolicy.bulk.csv_file import csv_records, header_names, parsed_rows
from aipolicy.bulk.mysql_dump import Record, read_records
from aipolicy.bulk.rows import Row, SiteRow, canonical_site
from aipolicy.core.policy import SitePolicy
from aipolicy.core.validation import Visibility
from aipolicy.errors import AIPolicyError, HostError, PolicyError

_PUBLIC, _OPT_OUT = "blog_public", "wpcom_data_sharing_opt_out"
_BLOGS, _OPTIONS = re.compile(r".*blogs"), re.compile(r".*options")
_NEEDED = ("blog_id", "domain", "path")
_LOOKS_LIKE_CSV = re.compile(r'\s*"?\w+"?\s*[,;\t]')

_TABLES = """
CREATE TABLE blog (prefix, number, blog_id, domain, path, public);
CREATE TABLE option (options, name, value, PRIMARY KEY (options, name)) WITHOUT ROWID;
"""
_JOINED = """
SELECT b.number, b.blog_id, b.domain, b.path, b.public, p.value, o.value FROM blog b
LEFT JOIN option p ON p.name = 'blog_public' AND p.options =
    CASE b.blog_id WHEN '1' THEN b.prefix || 'options' ELSE b.prefix || b.blog_id || '_options' END
LEFT JOIN option o ON o.name = 'wpcom_data_sharing_opt_out' AND o.options =
    CASE b.blog_id WHEN '1' THEN b.prefix || 'options' ELSE b.prefix || b.blog_id || '_options' END
ORDER BY b.rowid
"""


def read_wordpress(pieces: Iterable[str]) -> Iterator[Row]:
    """Read a dump, or a CSV export of ``wp_blogs``. A row is a blog, numbered as in its table or file.

    The CSV has ``blog_id``, ``domain``, ``path``, and optionally ``public`` and a column for each of the two
    options. A blog under a path is an error: it has no robots.txt of its own.
    """
    stream = iter(pieces)
    first = next(stream, "")
    text = chain([first], stream)
    return _read_csv(text) if _LOOKS_LIKE_CSV.match(first) else _read_dump(text)


def _read_csv(pieces: Iterable[str]) -> Iterator[Row]:
    records = csv_records(_lines(pieces))
    columns = header_names(next((cells for _, cells in records if isinstance(cells, list)), []))
    for name in _NEEDED:
        if name not in columns:
            raise AIPolicyError(f"the header has no column {name!r}: export {', '.join(_NEEDED)}, public")
    if not {"public", _PUBLIC} & set(columns):
        raise AIPolicyError("the header has neither 'public' nor 'blog_public': export one of them")

    def parse(cells: dict[str, str]) -> SiteRow:
        public = cells.get(_PUBLIC, "") or cells.get("public", "")
        return _site_row(cells["blog_id"], cells["domain"], cells["path"], public, cells.get(_OPT_OUT))

    return parsed_rows(records, columns, parse)


def _read_dump(pieces: Iterable[str]) -> Iterator[Row]:
    # A private temporary database, on disk if it is large: the options may come before the blogs.
    with closing(sqlite3.connect("")) as database:
        database.executescript(_TABLES)
        for table, number, record in read_records(pieces, _is_wanted):
            _insert(database, table, number, record)
        if database.execute("SELECT 1 FROM blog LIMIT 1").fetchone() is None:
            fix = "dump wp_blogs and the options tables of the network's database"
            raise AIPolicyError(f"the dump has no rows of a table like 'wp_blogs': {fix}")
        for number, blog_id, domain, path, column, public, opt_out in database.execute(_JOINED):
            try:
                yield number, _site_row(blog_id, domain, path, column if public is None else public, opt_out)
            except (PolicyError, HostError) as error:
                yield number, error


def _is_wanted(table: str) -> bool:
    return bool(_BLOGS.fullmatch(table) or _OPTIONS.fullmatch(table))


def _insert(database: sqlite3.Connection, table: str, number: int, record: Record) -> None:
    if _BLOGS.fullmatch(table):
        if not record.keys() >= {*_NEEDED}:
            return  # another plugin's table of blogs
        values = (table.removesuffix("blogs"), number, *(_text(record.get(n)) for n in (*_NEEDED, "public")))
        database.execute("INSERT INTO blog VALUES (?, ?, ?, ?, ?, ?)", values)
    elif record.get("option_name") in (_PUBLIC, _OPT_OUT):
        option = (table, record["option_name"], _text(record.get("option_value")))
        database.execute("INSERT OR REPLACE INTO option VALUES (?, ?, ?)", option)


def _text(value: str | None) -> str:
    """Replace bytes that aren't UTF-8 by U+FFFD, invalid in hosts: SQLite refuses lone surrogates."""
    return (value or "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _site_row(blog_id: str, domain: str, path: str, public: str, opt_out: str | None) -> SiteRow:
    if path.strip() not in ("/", ""):
        fix = "give the blog a domain of its own, because a robots.txt belongs to a host; or leave it out"
        raise PolicyError(f"blog {blog_id} is {domain + path!r}, a path on a shared host: {fix}")
    # As in PHP, an empty string and "0" are false.
    preset = "unset" if (opt_out or "").strip() in ("", "0") else "no-training"
    return SiteRow(canonical_site(domain), _POLICIES[preset, _visibility(blog_id, public)])


_POLICIES = {
    (preset, visibility): SitePolicy.from_preset(preset, visibility=visibility)
    for preset in ("unset", "no-training")
    for visibility in Visibility
}


def _visibility(blog_id: str, public: str) -> Visibility:
    try:
        number = int(public)
    except ValueError:
        number = 2
    if number > 1:
        raise PolicyError(f"blog {blog_id} has blog_public {public!r}: use 1, 0 or -1")
    return {1: Visibility.PUBLIC, 0: Visibility.DISCOURAGED}.get(number, Visibility.PRIVATE)


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).split("\n")
        yield from (f"{line}\n" for line in lines)
    if rest:
        yield rest
