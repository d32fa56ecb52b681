"""Puts by the million, batch after batch: each is a transaction that keeps how far the whole is, too."""

from collections.abc import Callable, Sequence

from sqlalchemy import bindparam, delete, insert, select

from aipolicy.errors import HostTakenError
from aipolicy.registry import putting_many
from aipolicy.registry.given import check_actor
from aipolicy.registry.registry import Registry
from aipolicy.registry.schema import meta
from aipolicy.registry.staging import Claim, Counts, Put, Staging

_BOOKMARK = select(meta.c.value).where(meta.c.key == bindparam("name"))
_FORGET = delete(meta).where(meta.c.key == bindparam("name"))


class Loader:
    """Loads from one source, ``name``, into a registry; other writers get their turn between two batches."""

    def __init__(self, registry: Registry, name: str, *, by: str) -> None:
        check_actor(by)
        self._database, self._clock = registry._database, registry._clock
        self._name, self._by = f"import:{name}", by

    @property
    def bookmark(self) -> str | None:
        """What the last batch left here; None where there is nothing to go on with."""
        with self._database.reading() as connection:
            kept: str | None = connection.execute(_BOOKMARK, {"name": self._name}).scalar()
            return kept

    def compare(self, puts: Sequence[Put]) -> tuple[dict[int, bool], list[Claim]]:
        """Which of the puts, by their place, would change something, and whether each would make a site; and
        what may keep them from it. Nothing is written. No host may be in two of them.
        """
        with self._database.comparing() as connection:
            staging = Staging(connection)
            staging.fill(puts)
            return staging.compare(), staging.claims()

    def put(
        self,
        puts: Sequence[Put],
        *,
        bookmark: Callable[[Counts], str | None],
        refused: Callable[[Put, HostTakenError], None],
    ) -> None:
        """Put these and keep the bookmark, or nothing of it. See ``Registry.put_many`` for the rest.

        ``bookmark`` is given what was made, before that is committed; with None nothing is kept any more.
        """
        with self._database.writing() as connection:
            made = list(
                putting_many.put_many(connection, puts, by=self._by, clock=self._clock, refused=refused)
            )
            columns = zip(*((counts.new, counts.changed, counts.unchanged) for counts in made), strict=True)
            kept = bookmark(Counts(*map(sum, columns)))
            connection.execute(_FORGET, {"name": self._name})
            if kept is not None:
                connection.execute(insert(meta), {"key": self._name, "value": kept})
