"""The blogs of a WordPress network, from a database dump or a CSV export.

``blog_public`` 0 is *discouraged*, below 0 *private*; ``wpcom_data_sharing_opt_out`` is the opt-out, as the
WordPress.com feature ``blog-privacy`` reads them. The option counts; the column ``public`` of ``wp_blogs``,
which WordPress keeps as a copy, is read where there is no such option.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain

from aipolicy.bulk.csv_file import csv_records, header_names, rows_of
from aipolicy.bulk.mysql_dump import Record, read_records
from aipolicy.bulk.rows import Entry, Row, site_of
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
    """Read a dump, or a CSV export of ``wp_blogs``; a row is a blog, numbered as in its table or file.

    The CSV has ``blog_id``, ``domain``, ``path``, and as it likes ``public`` and a column for each of the two
    options. A blog under a path is an error: it has no robots.txt of its own.
    """
    stream = iter(pieces)
    first = next(stream, "")
    whole = chain([first], stream)
    return _read_csv(whole) if _LOOKS_LIKE_CSV.match(first) else _read_dump(whole)


def _read_csv(pieces: Iterable[str]) -> Iterator[Row]:
    records = csv_records(_lines(pieces))
    columns = header_names(next((cells for _, cells in records if isinstance(cells, list)), []))
    for name in _NEEDED:
        if name not in columns:
            raise AIPolicyError(f"the header has no column {name!r}: export {', '.join(_NEEDED)}, public")
    if not {"public", _PUBLIC} & set(columns):
        raise AIPolicyError("the header has neither 'public' nor 'blog_public': export one of them")

    def entry(cells: dict[str, str]) -> Entry:
        public = cells.get(_PUBLIC, "") or cells.get("public", "")
        return _entry(cells["blog_id"], cells["domain"], cells["path"], public, cells.get(_OPT_OUT))

    return rows_of(records, columns, entry)


def _read_dump(pieces: Iterable[str]) -> Iterator[Row]:
    # A private temporary database, on disk where it is large: the options may stand before the blogs.
    with closing(sqlite3.connect("")) as kept:
        kept.executescript(_TABLES)
        for table, number, record in read_records(pieces, _is_wanted):
            _keep(kept, table, number, record)
        if kept.execute("SELECT 1 FROM blog LIMIT 1").fetchone() is None:
            fix = "dump wp_blogs and the options tables of the network's database"
            raise AIPolicyError(f"there is no row of a table like 'wp_blogs': {fix}")
        for number, blog_id, domain, path, column, public, opt_out in kept.execute(_JOINED):
            try:
                yield number, _entry(blog_id, domain, path, column if public is None else public, opt_out)
            except (PolicyError, HostError) as error:
                yield number, error


def _is_wanted(table: str) -> bool:
    return bool(_BLOGS.fullmatch(table) or _OPTIONS.fullmatch(table))


def _keep(kept: sqlite3.Connection, table: str, number: int, record: Record) -> None:
    if _BLOGS.fullmatch(table):
        if not record.keys() >= {*_NEEDED}:
            return  # another plugin's table of blogs
        values = (table.removesuffix("blogs"), number, *(_text(record.get(n)) for n in (*_NEEDED, "public")))
        kept.execute("INSERT INTO blog VALUES (?, ?, ?, ?, ?, ?)", values)
    elif record.get("option_name") in (_PUBLIC, _OPT_OUT):
        option = (table, record["option_name"], _text(record.get("option_value")))
        kept.execute("INSERT OR REPLACE INTO option VALUES (?, ?, ?)", option)


def _text(value: str | None) -> str:
    """For SQLite, which takes no lone surrogates: what was no UTF-8 becomes U+FFFD, which no host has."""
    return (value or "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _entry(blog_id: str, domain: str, path: str, public: str, opt_out: str | None) -> Entry:
    if path.strip() not in ("/", ""):
        fix = "a robots.txt belongs to a host: give the blog a domain of its own, or leave it out"
        raise PolicyError(f"blog {blog_id} is {domain + path!r}, a path on a shared host: {fix}")
    # PHP's truth: the option is set unless it is empty or "0".
    preset = "unset" if (opt_out or "").strip() in ("", "0") else "no-training"
    return Entry(site_of(domain), _POLICIES[preset, _visibility(blog_id, public)])


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
        raise PolicyError(f"blog {blog_id} has blog_public {public!r}: it is 1, 0 or -1")
    return {1: Visibility.PUBLIC, 0: Visibility.DISCOURAGED}.get(number, Visibility.PRIVATE)


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).split("\n")
        yield from (f"{line}\n" for line in lines)
    if rest:
        yield rest
