"""Sites and their histories: presets, licences, own robots.txt files, opt-outs withdrawn and renewed."""

import json
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from aipolicy.core.policy import Preset, SitePolicy
from aipolicy.registry import Registry
from aipolicy.robotstxt.merge import robots_txt
from tests.accesslog.labelled.definitions import Version
from tests.accesslog.labelled.files import any_file

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
"""When the logs begin."""

DAYS = 6
"""And how long they are."""

_LICENSED = ("GPTBot", "ClaudeBot", "CCBot", "PerplexityBot", "AI2Bot")


@dataclass(frozen=True, slots=True)
class Statement:
    """A version of a site: its policy for the registry, and its robots.txt."""

    at: datetime
    policy: SitePolicy
    robots_txt: str

    @classmethod
    def of(cls, at: datetime, policy: SitePolicy) -> "Statement":
        return cls(at, policy, robots_txt(policy, base=policy.robots_base).decode())

    @property
    def version(self) -> Version:
        return Version(self.at, self.robots_txt)


@dataclass(frozen=True, slots=True)
class Site:
    """A site. ``hosts``: its own name, then the others. No versions: its policy is unknown."""

    hosts: tuple[str, ...]
    history: tuple[Statement, ...]

    @property
    def name(self) -> str:
        return self.hosts[0]

    @property
    def versions(self) -> tuple[Version, ...]:
        return tuple(statement.version for statement in self.history)

    def since_ever(self) -> "Site":
        """Return the site as if its last policy had always been in force."""
        return replace(
            self,
            history=tuple(replace(statement, at=BEGIN - timedelta(400)) for statement in self.history[-1:]),
        )


def make_sites(rng: random.Random, count: int) -> list[Site]:
    """Make ``count`` sites with a history, and a tenth more without one."""
    sites = []
    for number in range(count):
        name = f"s{number}.example"
        further = (f"www.{name}", f"{number}.blogs.example", f"blog-{number}.example")
        hosts = (name, *further[: rng.randint(0, 3)])
        sites.append(Site(hosts, _history(rng, name)))
    return sites + [Site((f"stranger{number}.example",), ()) for number in range(1 + count // 10)]


def _history(rng: random.Random, name: str) -> tuple[Statement, ...]:
    moments: list[datetime] = []
    at = BEGIN + timedelta(seconds=rng.choice((-30, -10, -3, -1, 0, 1)) * rng.randint(1, 86_400))
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4, 7))):
        moments.append(at)
        # Minutes, hours or days: several changes within one window of grace, or none.
        at += timedelta(seconds=rng.choice((rng.randint(60, 3600), rng.randint(3600, 90_000), 200_000)))
    return tuple(Statement.of(at, _policy(rng, name)) for at in moments)


def _policy(rng: random.Random, name: str) -> SitePolicy:
    preset: Preset = rng.choice(
        ("unset", "no-training", "no-training", "no-training", "no-ai", "no-ai", "allow")
    )
    licensed = rng.sample(_LICENSED, rng.choice((0, 0, 1, 2)))
    match rng.choice(("preset", "preset", "preset", "merged", "file", "file", "private", "discouraged")):
        case "preset":
            return SitePolicy.from_preset(preset, site=name, licensed=licensed)
        case "merged":
            return SitePolicy.from_preset(preset, site=name, licensed=licensed, robots_base=any_file(rng))
        case "file":
            return SitePolicy(site=name, robots_base=any_file(rng))
        case visibility:
            return SitePolicy.from_preset(preset, site=name, visibility=visibility)


def write_jsonl(sites: list[Site], path: Path, rng: random.Random) -> dict[tuple[str, datetime], int]:
    """Write the histories for ``--policies``, in no order; return the line of each version."""
    versions = [(site, statement) for site in sites for statement in site.history]
    rng.shuffle(versions)
    lines = []
    for site, statement in versions:
        zone = timezone(timedelta(minutes=rng.choice((0, 0, 120, -450))))
        line: dict[str, object] = {
            "site": rng.choice((site.name, site.name.upper())),
            "at": _stamp(statement.at, zone, rng),
        }
        line |= {"hosts": list(site.hosts[1:])} if len(site.hosts) > 1 else {}
        lines.append(json.dumps(line | _as_json(statement)))
    path.write_text("".join(f"{line}\n" for line in lines))
    return {(site.name, statement.at): number for number, (site, statement) in enumerate(versions, 1)}


def _stamp(at: datetime, zone: timezone, rng: random.Random) -> str:
    text = at.astimezone(zone).isoformat(timespec=rng.choice(("seconds", "microseconds")))
    return text.replace("+00:00", "Z") if rng.random() < 0.7 else text


def _as_json(statement: Statement) -> dict[str, object]:
    policy = statement.policy
    if policy.robots_base is not None or policy.visibility != "public":
        return {"robots_txt": statement.robots_txt}
    return {"preset": policy.preset} | ({"licensed": list(policy.licensed)} if policy.licensed else {})


def write_registry(sites: list[Site], path: Path) -> str:
    """Put the histories into a registry, change by change; return its URL."""
    changes = sorted(
        ((statement.at, site, statement) for site in sites for statement in site.history), key=lambda c: c[0]
    )
    now = BEGIN
    url = f"sqlite:///{path}"
    with Registry(url, clock=lambda: now) as registry:
        for at, site, statement in changes:
            now = at
            registry.put(statement.policy, by="owner", hosts=site.hosts[1:])
    return url
