"""A world: a folder with sites, their histories, and logs of requests to them."""

import random
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.accesslog.labelled.forms import Form
from tests.accesslog.labelled.logs import LogFile, make_file, write_file
from tests.accesslog.labelled.oracle import Choice, expected
from tests.accesslog.labelled.sites import Site, make_sites, write_jsonl, write_registry
from tests.accesslog.labelled.traffic import make_requests

POLICIES = "policies.jsonl"
REGISTRY = "registry.db"
ROBOTS = "robots.txt"


@dataclass(frozen=True, slots=True)
class World:
    folder: Path
    sites: tuple[Site, ...]
    files: tuple[LogFile, ...]
    policy_lines: dict[tuple[str, datetime], int] = field(repr=False)

    @property
    def known(self) -> set[str]:
        return {site.name for site in self.sites if site.history}

    @property
    def names(self) -> list[str]:
        return [file.name for file in self.files]

    @property
    def options(self) -> list[str]:
        """The options of the command besides the policies."""
        form = self.files[0].form
        return [*form.options, *([] if form.hosts else ["--site", self.sites[0].name])]

    @property
    def policies(self) -> list[str]:
        return ["--policies", POLICIES]

    @property
    def robots(self) -> list[str]:
        return ["--robots", ROBOTS]

    @property
    def registry(self) -> list[str]:
        return ["--registry", write_registry(list(self.sites), self.folder / REGISTRY)]

    def expected(self, choice: Choice | None = None) -> dict[str, Any]:
        return expected(list(self.files), self.known, choice)


def make_world(
    folder: Path,
    seed: int,
    forms: dict[str, Form],
    *,
    sites: int = 12,
    requests: int = 3000,
    hostile: int = 60,
    grace_hours: float = 24,
    unchanging: bool = False,
) -> World:
    """Write a world into ``folder``: a file for each of ``forms`` (by name), all about the same sites.

    Where a form names no host, the world has one site. ``unchanging``: each site has had one policy for
    long, and that of the first is ``robots.txt``.
    """
    rng = random.Random(seed)
    alone = not all(form.hosts for form in forms.values())
    all_sites = make_sites(rng, sites)[: 1 if alone else None]
    if unchanging:
        all_sites = [site.since_ever() for site in all_sites]
        (folder / ROBOTS).write_bytes(all_sites[0].versions[-1].robots_txt.encode())
    files = []
    for name, form in forms.items():
        made = make_requests(
            rng, all_sites, requests // len(forms), fractions=form.fractions, grace_hours=grace_hours
        )
        files.append(make_file(name, form, made, rng, hostile=hostile // len(forms)))
        write_file(files[-1], folder, rng)
    lines = write_jsonl(all_sites, folder / POLICIES, rng)
    return World(folder, tuple(all_sites), tuple(files), lines)
