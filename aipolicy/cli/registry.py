"""``aipolicy set``, ``show`` and ``history``: site policies in the registry."""

import dataclasses
import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from aipolicy.cli.options import (
    json_option,
    policy_fields,
    policy_options,
    print_json,
    print_rows,
    registry_option,
    time_given,
)
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preferences
from aipolicy.errors import PolicyError, UnknownSiteError
from aipolicy.times import iso

if TYPE_CHECKING:
    from aipolicy.registry import Registry

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


@click.command(name="set")
@click.argument("host")
@policy_options
@click.option(
    "--host", "hosts", multiple=True, metavar="HOST", help="A further host of the site; repeatable."
)
@click.option(
    "--clear",
    multiple=True,
    type=click.Choice([*_CLEARED, "hosts"]),
    help="Forget what was set before; repeatable.",
)
@click.option(
    "--by", default=getpass.getuser, show_default="you", metavar="NAME", help="Who, for the history."
)
@registry_option
@json_option
def set_policy(host: str, **given: Any) -> None:
    """Set what a site declares; what isn't given stays as it is.

    \b
    aipolicy set blog.example --preset no-training --host www.blog.example
    aipolicy set blog.example --licensed GPTBot
    aipolicy set blog.example --clear licensed
    """
    # Imported where it is used: the other commands need no database.
    from aipolicy.registry import Registry

    fields = {name: _CLEARED[name] for name in given["clear"] if name != "hosts"} | policy_fields(given)
    if not (fields or given["hosts"] or given["clear"]):
        raise PolicyError(f"nothing to set for {host!r}: give --preset, --licensed, --host ...")
    SitePolicy(site=host, **fields)  # bad input is told before a registry is made
    hosts = given["hosts"] or (() if "hosts" in given["clear"] else None)

    def changed(current: SitePolicy) -> SitePolicy:
        return dataclasses.replace(current, **fields)

    with Registry(given["registry"]) as registry:
        change = registry.change(host, changed, by=given["by"], hosts=hosts)
    if given["as_json"]:
        print_json(change.to_dict())
    else:
        click.echo(f"{change.site}: {_summary(change.policy)} (change {change.seq})", err=True)


@click.command()
@click.argument("host", required=False)
@click.option("--status", is_flag=True, help="How the registry is, or the replica, instead of a site.")
@click.option(
    "--at", "when", metavar="TIME", help="As it was then: 2026-10-01 or 2026-10-01T12:00:00Z (UTC)."
)
@registry_option
@json_option
def show(host: str | None, status: bool, when: str | None, registry: str, as_json: bool) -> None:
    """Show what a site declares, now or at a time in the past; or how the registry is.

    \b
    aipolicy show www.blog.example
    aipolicy show blog.example --at 2026-10-01T12:00:00Z --json
    aipolicy show --status --registry sqlite:////var/lib/aipolicy/replica.db
    """
    if status == (host is not None) or (status and when is not None):
        raise click.UsageError("give a HOST, or --status alone")
    if host is None:
        _show_status(registry, as_json)
        return
    from aipolicy.registry import Registry
    from aipolicy.registry.database import masked

    then = None if when is None else time_given("--at", when)
    with Registry(registry, create=False) as opened:
        if then is not None:
            _refuse_future(opened, then, f"--at {when!r}")
        change = opened.change_in_force(host, then)
    if change is None:
        at_that_time = f" at {when}" if when else ""
        raise UnknownSiteError(f"no site in {masked(registry)} has the host {host!r}{at_that_time}")
    policy = change.policy
    document = policy.to_dict() | {"opted_out": policy.opted_out, "hosts": list(change.hosts)}
    if as_json:
        print_json(document)
    else:
        print_rows(((name, _shown(value)) for name, value in document.items()), ("field", "value"))


@click.command()
@click.argument("host")
@registry_option
@json_option
def history(host: str, registry: str, as_json: bool) -> None:
    """List every change of a site's policy: when, by whom, and what it has said since.

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
        print_rows(rows, ("change", "at", "by", "says", "hosts"))


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
        print_rows(((name, _shown(value)) for name, value in document.items()), ("field", "value"))


def _refuse_future(registry: "Registry", when: datetime, given: str) -> None:
    if when <= datetime.now(UTC):
        return
    latest = next(registry.changes(after=registry.seq - 1), None)
    if latest is None or when > latest.at:  # the clock of whoever made that may be ahead of this one
        fix = "leave it out for what is declared now"
        raise PolicyError(f"{given} is in the future, of which nothing is known: {fix}")


def _summary(policy: SitePolicy) -> str:
    said = [policy.preset or str(policy.preferences)]
    if policy.visibility != "public":
        said.append(str(policy.visibility))
    if policy.scope != "documented":
        said.append(f"scope {policy.scope}")
    if policy.licensed:
        said.append(f"licensed to {', '.join(policy.licensed)}")
    if policy.path_preferences:
        said.append(f"{len(policy.path_preferences)} path preferences")
    return ", ".join(said)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(value) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
