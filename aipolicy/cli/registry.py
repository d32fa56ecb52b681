"""``aipolicy set``, ``show`` and ``history``: site policies in the registry."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from aipolicy.cli.options import (
    by_option,
    json_option,
    parse_time,
    policy_fields,
    policy_options,
    print_json,
    print_rows,
    registry_option,
    say_that_they_replace,
)
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preference, Preferences
from aipolicy.errors import PolicyError, UnknownSiteError
from aipolicy.report.wording import counted
from aipolicy.times import iso

if TYPE_CHECKING:
    from aipolicy.registry import Change, Registry

_CLEARED: dict[str, Any] = {
    "preferences": Preferences(),
    "visibility": "public",
    "scope": "documented",
    "licensed": (),
    "path_preferences": (),
    "sitemaps": (),
    "robots_base": None,
    "tdm_policy_url": None,
    "license_url": None,
}


@say_that_they_replace
@click.command(name="set")
@click.argument("host")
@policy_options
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Further host of the site; repeatable.")
@click.option(
    "--clear",
    multiple=True,
    type=click.Choice([*_CLEARED, "hosts"]),
    help="Reset a field; repeatable.",
)
@by_option
@registry_option
@json_option
def set_policy(host: str, **options: Any) -> None:
    """Set fields of a site's policy; the others stay unchanged.

    \b
    aipolicy set blog.example --preset no-training --host www.blog.example
    aipolicy set blog.example --licensed GPTBot --licensed CCBot
    aipolicy set blog.example --clear licensed

    A list is set as a whole: name all hosts, paths, licensed crawlers or sitemaps. The command says what it
    removed.
    """
    # Imported where it is used: other commands need no database.
    from aipolicy.registry import Registry

    fields = {name: _CLEARED[name] for name in options["clear"] if name != "hosts"} | policy_fields(options)
    if not (fields or options["hosts"] or options["clear"]):
        raise PolicyError(f"nothing to set for {host!r}; add --preset, --licensed, --host ...")
    SitePolicy(site=host, **fields)  # raises before a registry is created
    hosts = options["hosts"] or (() if "hosts" in options["clear"] else None)

    def changed(current: SitePolicy) -> SitePolicy:
        return dataclasses.replace(current, **fields)

    with Registry(options["registry"]) as registry:
        last = registry.seq
        change = registry.change(host, changed, by=options["by"], hosts=hosts)
        removed = list(_removed(registry, change)) if change.seq > last else []
    if options["as_json"]:
        print_json(change.to_dict())
        if removed:
            click.echo(f"{change.site}: {'; '.join(removed)}", err=True)
    else:
        text = "; ".join([_summary(change.policy), *removed])
        click.echo(f"{change.site}: {text} (change {change.seq})", err=True)


@click.command()
@click.argument("host", required=False)
@click.option("--status", is_flag=True, help="Show the state of the registry or replica, instead of a site.")
@click.option(
    "--at",
    "when",
    metavar="TIME",
    help="Time in the past: 2026-10-01 or 2026-10-01T12:00:00Z (UTC).",
)
@registry_option
@json_option
def show(host: str | None, status: bool, when: str | None, registry: str, as_json: bool) -> None:
    """Show the policy of a site, now or at a time in the past, or the state of the registry.

    \b
    aipolicy show www.blog.example
    aipolicy show blog.example --at 2026-10-01T12:00:00Z --json
    aipolicy show --status --registry sqlite:////var/lib/aipolicy/replica.db
    """
    if status == (host is not None) or (status and when is not None):
        raise click.UsageError("use either a HOST or --status alone")
    if host is None:
        _show_status(registry, as_json)
        return
    from aipolicy.registry import Registry
    from aipolicy.registry.database import masked

    then = None if when is None else parse_time("--at", when)
    with Registry(registry, create=False) as opened:
        if then is not None:
            _refuse_future(opened, then, f"--at {when!r}")
        change = opened.change_in_force(host, then)
    if change is None:
        time = f" at {when}" if when else ""
        raise UnknownSiteError(f"no site in {masked(registry)} has the host {host!r}{time}")
    policy = change.policy
    document = policy.to_dict() | {"opted_out": policy.opted_out, "hosts": list(change.hosts)}
    if as_json:
        print_json(document)
    else:
        print_rows(((name, _cell(value)) for name, value in document.items()), ("field", "value"))


@click.command()
@click.argument("host")
@registry_option
@json_option
def history(host: str, registry: str, as_json: bool) -> None:
    """List every change of a site's policy, with time, author and the new policy.

    \b
    aipolicy history blog.example
    aipolicy history blog.example --json
    """
    from aipolicy.registry import Registry

    with Registry(registry, create=False) as opened:
        changes = opened.history(host)
    if as_json:
        print_json([change.to_dict() for change in changes])
    else:
        rows = (
            (str(c.seq), iso(c.at, "seconds"), c.by, _summary(c.policy), ", ".join(c.hosts)) for c in changes
        )
        print_rows(rows, ("change", "at", "by", "policy", "hosts"))


def _show_status(registry: str, as_json: bool) -> None:
    from aipolicy.lookup.registry_file import RegistryFile, registry_path
    from aipolicy.registry import Registry
    from aipolicy.registry.database import masked

    with Registry(registry, create=False) as opened:
        document: dict[str, Any] = {"registry": masked(registry), "registry_id": opened.registry_id}
        document |= opened.counts()
    replica = None
    if registry.startswith("sqlite"):
        file = RegistryFile(registry_path(registry))
        replica = file.replica()
        file.close()
    if replica is not None:
        document["replica_of"] = replica.source
        document["changes_behind"] = replica.changes_behind
        document["seconds_behind"] = round(replica.seconds_behind, 1)
        document["follower"] = replica.pid
        document["trouble"] = replica.error or None
    if as_json:
        print_json(document)
    else:
        print_rows(((name, _cell(value)) for name, value in document.items()), ("field", "value"))


def _refuse_future(registry: "Registry", when: datetime, option: str) -> None:
    if when <= datetime.now(UTC):
        return
    latest = next(registry.changes(after=registry.seq - 1), None)
    if latest is None or when > latest.at:  # its author's clock may be ahead of this one
        raise PolicyError(f"{option} is in the future; leave it out for the current policy")


def _removed(registry: "Registry", change: "Change") -> Iterator[str]:
    """Yield what the site had before a change, and hasn't now."""
    earlier = [each for each in registry.history(change.site) if each.seq < change.seq]
    if not earlier:
        return
    old, new = earlier[-1].policy, change.policy
    paths = dict(new.path_preferences)
    lost = ((path, _lost(stated, paths.get(path))) for path, stated in old.path_preferences)
    for name, values in (
        ("host", [host for host in earlier[-1].hosts if host not in change.hosts]),
        ("path", [f"{path} ({preferences})" for path, preferences in lost if preferences]),
        ("licence", [token for token in old.licensed if token not in new.licensed]),
        ("sitemap", [url for url in old.sitemaps if url not in new.sitemaps]),
    ):
        if values:
            yield f"removed {name if len(values) == 1 else name + 's'} {', '.join(values)}"


def _lost(old: Preferences, new: Preferences | None) -> Preferences:
    """Return the preferences of a path that it no longer has; a grant that became a *no* isn't one."""
    if new is None:
        return old
    lost = (p if p is Preference.DISALLOW and p is not new[c] else Preference.UNKNOWN for c, p in old)
    return Preferences(*lost)


def _summary(policy: SitePolicy) -> str:
    parts = [policy.preset or str(policy.preferences)]
    if policy.visibility != "public":
        parts.append(str(policy.visibility))
    if policy.scope != "documented":
        parts.append(f"scope {policy.scope}")
    if policy.licensed:
        parts.append(f"licensed to {', '.join(policy.licensed)}")
    if policy.path_preferences:
        parts.append(counted(len(policy.path_preferences), "path preference"))
    return ", ".join(parts)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_cell(item)}" for key, item in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(value) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
