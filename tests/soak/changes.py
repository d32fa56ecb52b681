"""A writer that changes policies continuously, and reports each change to the oracle."""

import random
import threading
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from aipolicy.core.policy import SitePolicy, preset_named
from aipolicy.errors import RegistryError
from aipolicy.registry import Registry
from tests.soak.oracle import PRESETS, Oracle, Version
from tests.soak.tally import Tally

PAUSE = 0.04
"""Average seconds between two changes."""


def policy(site: str, preset: str, number: int) -> SitePolicy:
    """Return a policy whose answers contain its version."""
    where = f"https://soak.example/version-{number}"
    return SitePolicy.from_preset(
        preset_named(preset), site=site, sitemaps=(f"{where}.xml",), tdm_policy_url=f"{where}.json"
    )


class Changes:
    """A context manager whose thread changes ``sites``, the first ones most often."""

    def __init__(self, url: str, oracle: Oracle, tally: Tally, sites: Sequence[str], *, seed: int) -> None:
        self._registry = Registry(url)
        self._oracle, self._tally = oracle, tally
        self._sites = sites
        self._random = random.Random(seed)
        self._thread = threading.Thread(target=self._write, name="changes")
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        """Put all sites, then begin to change them."""
        self._put_all()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._registry.close()

    def _put_all(self) -> None:
        versions = [
            self._oracle.begin(site, self._random.choice(PRESETS), time.monotonic()) for site in self._sites
        ]
        self._registry.put_many(_puts(versions), by="soak")
        self._tally.made(self._registry.seq, time.monotonic())

    def _write(self) -> None:
        while not self._stopping.wait(self._random.uniform(0, 2 * PAUSE)):
            sites = self._sites if self._random.random() < 0.3 else self._sites[: len(self._sites) // 20]
            site, preset = self._random.choice(sites), self._random.choice(PRESETS)
            version = self._oracle.begin(site, preset, time.monotonic())
            put = policy(site, preset, version.number)
            try:
                seq = self._registry.put(put, by="soak").seq
            except RegistryError:  # the change may have been committed before the connection broke
                found = self._found(put)
                if found is None:
                    self._oracle.undone(version)
                    continue
                seq = found
            self._oracle.committed(version, time.monotonic())
            self._tally.made(seq, time.monotonic())

    def _found(self, put: SitePolicy) -> int | None:
        while True:
            try:
                last = self._registry.history(put.site)[-1]
            except RegistryError:
                if self._stopping.wait(0.1):
                    return None
            else:
                return last.seq if last.policy == put else None


def _puts(versions: Iterable[Version]) -> Iterable[tuple[SitePolicy, list[str]]]:
    for version in versions:
        yield policy(version.site, version.preset, version.number), [f"www.{version.site}"]
