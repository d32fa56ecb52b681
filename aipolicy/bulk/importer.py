"""Rows that are all known to be good, into a registry: batch after batch, and on from where it was."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Self

from aipolicy.bulk.staging import Spool, Spooled
from aipolicy.errors import AIPolicyError, HostTakenError
from aipolicy.registry.bulk_load import Loader
from aipolicy.registry.staging import Claim, Counts, Put

BATCH = 10_000
"""Rows in one transaction: other writers wait for it, a fraction of a second."""

PIPES = 20
"""Imports from pipes that were stopped and can be gone on with; of more the oldest are forgotten."""

_ALIKE = 0.9
"""Of the rows that a pipe stored, the part that another one must have to be the same, changed."""

Watch = Callable[[str, int, int], AbstractContextManager[Callable[[int], None]]]
"""Given what is done, for how many rows, and how many of them are done, takes how many more are."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an import is: all rows of sites up to ``after`` are stored, those of ``early``, and made this.

    ``digest`` is that of the input, which must be the same for any of it to hold. ``number`` is in the order
    in which imports from pipes began.
    """

    digest: str
    after: str = ""
    early: tuple[str, ...] = ()
    stored: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    number: int = 0

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """What ``str`` wrote; None for what another version did."""
        try:
            kept = json.loads(text or "")
            return cls(**kept | {"early": tuple(kept["early"])})
        except (KeyError, ValueError, TypeError):
            return None

    def __str__(self) -> str:
        return json.dumps(asdict(self))

    def plus(self, batch: list[Spooled], made: Counts, refused: set[str]) -> Self:
        """After another batch, of which the sites ``refused`` were left out."""
        in_place = [spooled.put.site for spooled in batch if spooled.in_place]
        after = in_place[-1] if in_place else self.after
        early = (*self.early, *(spooled.put.site for spooled in batch if not spooled.in_place))
        left_out = sum(spooled.put.site in refused for spooled in batch)
        return replace(
            self,
            after=after,
            early=tuple(site for site in early if site > after),
            stored=self.stored + len(batch),
            new=self.new + made.new,
            changed=self.changed + made.changed,
            unchanged=self.unchanged + len(batch) - left_out - made.new - made.changed,
        )


class Import:
    """One import. ``standing`` is how far it is, ``resumed`` how many rows a run before this one stored.

    ``made`` is what came of the rows, those included; or after a dry run what would.
    """

    def __init__(self, spool: Spool, loader: Loader, *, digest: str, restart: bool = False) -> None:
        self._spool, self._loader = spool, loader
        found = Standing.read(loader.bookmark)
        known = found is not None and found.digest == digest
        others = {name: Standing.read(text) or Standing("") for name, text in loader.others().items()}
        # A pipe has no name by which one that has changed is known again. But where the last site that
        # another one stored is here, and about as many before it (a few rows only correct some of those),
        # all that it stored is put anew: it is no longer gone on with.
        self._replaced = [name for name, its in others.items() if _has_all(spool, its)]
        by_age = sorted(others.keys() - set(self._replaced), key=lambda name: others[name].number)
        self._too_many = by_age[: 1 - PIPES]
        changed = [others[name] for name in self._replaced] if found is None else [found] * (not known)
        self.changed_since = max(changed, key=lambda its: its.stored, default=None)
        number = 1 + max((its.number for its in others.values()), default=0)
        self.standing = found if found and known and not restart else Standing(digest, number=number)
        self.resumed = self.standing.stored
        self._would = Counts()
        # A bit for each row that says what its site says already: then it was put when it was looked at.
        self._same = bytearray(spool.entered // 8 + 1)

    @property
    def made(self) -> Counts:
        its, would = self.standing, self._would
        return Counts(its.new + would.new, its.changed + would.changed, its.unchanged + would.unchanged)

    @property
    def total(self) -> int:
        """How many rows are stored in the end."""
        left = self._spool.count(self.standing.after) - len(self.standing.early)
        return self.standing.stored + left

    def check(self, watch: Watch, *, dry_run: bool) -> None:
        """Find the rows that the registry would refuse, and those that it needn't be asked to store."""
        new = changed = unchanged = 0
        with watch("checking", self.total - self.standing.stored, 0) as advance:
            for batch in _batches(self._due()):
                changing, claims = self._loader.compare([spooled.put for spooled in batch])
                refused = {claim.site for claim in claims if not self._settle(claim)}
                for place, spooled in enumerate(batch):
                    if place not in changing:
                        self._same[spooled.entry >> 3] |= 1 << (spooled.entry & 7)
                        unchanged += 1
                    elif spooled.put.site not in refused:
                        new += changing[place]
                        changed += not changing[place]
                advance(len(batch))
        self._spool.refuse_circles()
        if dry_run:
            self._would = Counts(new, changed, unchanged)

    def store(self, watch: Watch, *, skip_bad: bool) -> None:
        """Put them. Raises AIPolicyError; what ``standing`` says is stored whatever happens."""
        with watch("storing", self.total, self.standing.stored) as advance:
            batches = _batches(self._due())
            batch: list[Spooled] | None = next(batches, [])
            while batch is not None:
                following = next(batches, None)  # now, while nobody waits for us
                self._put(batch, skip_bad=skip_bad, last=following is None)
                advance(len(batch))
                batch = following

    def _due(self) -> Iterator[Spooled]:
        """The rows that are to be put, each once: whoever comes early isn't put in its place again."""
        after, early = self.standing.after, set(self.standing.early)
        for spooled in self._spool.entries(after):
            site = spooled.put.site
            if spooled.in_place:
                after = site
                if site not in early:
                    yield spooled
            elif site > after and site not in early:
                early.add(site)
                yield spooled

    def _settle(self, claim: Claim) -> bool:
        """Whether the site that has a host gives it up. One that is stored doesn't: it took it back."""
        standing = self.standing
        stored = claim.owner <= standing.after or claim.owner in standing.early
        return self._spool.settle(claim, gives=not stored)

    def _put(self, batch: list[Spooled], *, skip_bad: bool, last: bool) -> None:
        refused: set[str] = set()
        after = self.standing

        def refuse(put: Put, error: HostTakenError) -> None:
            """Another process gave the host away since it was looked at."""
            number = self._spool.refuse(put.site, error)
            if not skip_bad:
                raise AIPolicyError(f"row {number} can't be stored: mend it, or give --skip-bad")
            refused.add(put.site)

        def bookmark(made: Counts) -> str | None:
            nonlocal after
            after = self.standing.plus(batch, made, refused)
            return None if last else str(after)

        puts = [spooled.put for spooled in batch if not self._is_same(spooled.entry)]
        forget = self._replaced if last else [*self._replaced, *self._too_many]
        self._loader.put(puts, bookmark=bookmark, refused=refuse, forget=forget)
        self.standing = after

    def _is_same(self, entry: int) -> int:
        return self._same[entry >> 3] & (1 << (entry & 7))


def _has_all(spool: Spool, its: Standing) -> bool:
    """Whether the rows seem to be, up to where that import is, the ones that it has stored."""
    if not spool.has(its.after):
        return False
    return spool.count() - spool.count(its.after) >= _ALIKE * (its.stored - len(its.early))


def _batches(entries: Iterator[Spooled]) -> Iterator[list[Spooled]]:
    while batch := list(islice(entries, BATCH)):
        yield batch
