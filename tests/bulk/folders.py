"""Helpers that write a registry's files and read them back."""

from pathlib import Path

from aipolicy.bulk.generator import Generator, Summary
from aipolicy.bulk.host_folder import FILES, HostFolder, shard
from aipolicy.core.policy import SitePolicy
from aipolicy.registry import Registry
from aipolicy.rendering import render
from aipolicy.signals.switches import Signals

OPTED_OUT = SitePolicy.from_flag(True, site="blog.example")
NO = render(OPTED_OUT).robots.body
SILENT = render(SitePolicy()).robots.body


def write(registry: Registry, out: Path, *, full: bool = False, signals: Signals | None = None) -> Summary:
    with HostFolder(out) as folder:
        return Generator(registry, folder, signals=signals).run(full=full)


def files(out: Path) -> dict[str, bytes]:
    """Return every file by its host, and check its folder."""
    found = {path.name: path for path in (out / FILES).glob("*/*")}
    for name, path in found.items():
        assert path.parent.name == shard(name)
    return {name: path.read_bytes() for name, path in found.items()}


def expected(registry: Registry) -> dict[str, bytes]:
    return {
        host: render(policy).robots.body
        for policy in registry.sites()
        for host in registry.hosts(policy.site)
    }


def did(summary: Summary) -> tuple[int, int, int]:
    return summary.written, summary.unchanged, summary.removed
