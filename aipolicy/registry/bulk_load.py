"""Puts by the million, batch after batch: each is a transaction that keeps how far the whole is, too."""

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import bindparam, delete, insert, select

from aipolicy.errors import HostTakenError
from aipolicy.registry import bulk_write
from aipolicy.registry.registry import Registry
from aipolicy.registry.schema import meta
from aipolicy.registry.staging import Claim, Counts, Put, Staging
from aipolicy.registry.validation import check_actor

_PIPE = "-"
_BOOKMARK = select(meta.c.value).where(meta.c.key == bindparam("name"))
_OF_PIPES = select(meta).where(meta.c.key.startswith(f"import:{_PIPE}"), meta.c.key != bindparam("name"))
_FORGET = delete(meta).where(meta.c.key == bindparam("name"))


class Loader:
    """Loads from one source, ``name``, into a registry; other writers get their turn between two batches.

    The name of a pipe begins with ``-``.
    """

    def __init__(self, registry: Registry, name: str, *, by: str) -> None:
        check_actor(by)
        self._database, self._times = registry._database, registry._times
        self._name, self._by = f"import:{name}", by

    @property
    def bookmark(self) -> str | None:
        """What the last batch left here; None where there is nothing to go on with."""
        with self._database.reading() as connection:
            kept: str | None = connection.execute(_BOOKMARK, {"name": self._name}).scalar()
            return kept

    def others(self) -> dict[str, str]:
        """For a pipe: what the last batches of other pipes left here, by what ``put`` can forget it."""
        if not self._name.startswith(f"import:{_PIPE}"):
            return {}
        with self._database.reading() as connection:
            return {row.key: row.value for row in connection.execute(_OF_PIPES, {"name": self._name})}

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
        forget: Iterable[str] = (),
    ) -> None:
        """Put these and keep the bookmark, or nothing of it. See ``Registry.put_many`` for the rest.

        ``bookmark`` is given what was made, before that is committed; with None nothing is kept any more.
        ``forget`` are those of ``others`` that don't hold any more.
        """
        with self._database.writing() as connection:
            made = list(
                bulk_write.put_many(connection, puts, by=self._by, times=self._times, refused=refused)
            )
            columns = zip(*((counts.new, counts.changed, counts.unchanged) for counts in made), strict=True)
            kept = bookmark(Counts(*map(sum, columns)))
            connection.execute(_FORGET, [{"name": name} for name in (self._name, *forget)])
            if kept is not None:
                connection.execute(insert(meta), {"key": self._name, "value": kept})
