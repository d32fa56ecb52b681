"""What each change affected, some thousand at a time, for whoever has the state before it."""

import json
from collections.abc import Iterator

from sqlalchemy import and_, bindparam, case, func, or_, select

from aipolicy.core.checkpoint import Mark
from aipolicy.errors import HistoryError
from aipolicy.registry.database import Database
from aipolicy.registry.integrity import not_whole
from aipolicy.registry.schema import change, host, site

# In one statement, which sees one moment. All that is written of a change tells whether it is another one by
# now, and may be much: it is read of the first and of the last only.
_PAGE = (
    select(change.c.seq)
    .where(change.c.seq >= bindparam("seq"))
    .order_by(change.c.seq)
    .limit(bindparam("page"))
    .subquery()
)
_IS_END = or_(
    change.c.seq == bindparam("seq"), change.c.seq == select(func.max(_PAGE.c.seq)).scalar_subquery()
)
_ROWS = (
    select(
        change.c.seq,
        *(case((_IS_END, column)) for column in change.c[1:-1]),
        change.c.affected,
        and_(site.c.id.is_not(None), host.c.host.is_not(None)).label("is_there"),
    )
    .join_from(change, _PAGE, _PAGE.c.seq == change.c.seq)
    .join(site, site.c.id == change.c.site_id, isouter=True)
    .join(host, and_(host.c.host == change.c.site, host.c.site_id == change.c.site_id), isouter=True)
    .order_by(change.c.seq)
)


def behind(database: Database, after: Mark, page: int) -> Iterator[tuple[Mark, set[str]]]:
    """The changes behind ``after``, at most ``page`` at a time: see ``Registry.affected``."""
    while True:
        with database.reading() as connection:
            rows = connection.execute(_ROWS, {"seq": after.seq, "page": page}).all()
        changes = after.behind([row[:-1] for row in rows])
        if changes is None:
            raise HistoryError(f"the registry has no change {after.seq}, or another one: read all anew")
        if not changes:
            return
        if not all(row.is_there for row in rows):
            raise not_whole(database.name)
        after = Mark.of(changes[-1])
        yield after, {name for *_, affected in changes for name in json.loads(affected)}
