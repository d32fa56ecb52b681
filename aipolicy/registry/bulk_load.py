"""A bulk loader that puts sites in batches, each with a bookmark in the same transaction."""

from collections.abc import Callable, Sequence

from sqlalchemy import bindparam, delete, insert, select

from aipolicy.errors import HostTakenError
from aipolicy.registry import write
from aipolicy.registry.put_tables import HostConflict, Put, PutCounts, PutTables
from aipolicy.registry.registry import Registry
from aipolicy.registry.schema import meta

_BOOKMARK = select(meta.c.value).where(meta.c.key == bindparam("name"))
_DELETE_BOOKMARK = delete(meta).where(meta.c.key == bindparam("name"))


class BulkLoader:
    """A loader of the source ``name``; other writers get their turn between two batches."""

    def __init__(self, registry: Registry, name: str, *, by: str) -> None:
        write.check_actor(by)
        self._database, self._clock = registry._database, registry._clock
        self._name, self._by = f"import:{name}", by

    @property
    def bookmark(self) -> str | None:
        """The bookmark that the last batch stored; None if there is none."""
        with self._database.reading() as connection:
            stored: str | None = connection.execute(_BOOKMARK, {"name": self._name}).scalar()
            return stored

    def compare(self, puts: Sequence[Put]) -> tuple[dict[int, bool], list[HostConflict]]:
        """Compare puts with the registry, and write nothing. No two of them may name the same host.

        Returns:
            The positions of the puts that change something, with True for each that creates a site; and the
            hosts that belong to other sites.
        """
        with self._database.comparing() as connection:
            tables = PutTables(connection)
            tables.fill(puts)
            return tables.compare(), tables.conflicts()

    def put(
        self,
        puts: Sequence[Put],
        *,
        bookmark: Callable[[PutCounts], str | None],
        on_taken: Callable[[Put, HostTakenError], None],
    ) -> None:
        """Put a batch and store the bookmark, in one transaction.

        Args:
            bookmark: Called with the counts before the commit; returning None deletes the stored bookmark.
            on_taken: Called for a put that is left out because a host belongs to another site.
        """
        with self._database.writing() as connection:
            chunks = list(write.put_many(connection, puts, by=self._by, clock=self._clock, on_taken=on_taken))
            columns = zip(*((counts.new, counts.changed, counts.unchanged) for counts in chunks), strict=True)
            value = bookmark(PutCounts(*map(sum, columns)))
            connection.execute(_DELETE_BOOKMARK, {"name": self._name})
            if value is not None:
                connection.execute(insert(meta), {"key": self._name, "value": value})
