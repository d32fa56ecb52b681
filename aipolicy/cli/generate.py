"""``aipolicy robots`` and ``aipolicy headers``: the signals of a preset, or of a site in the registry."""

import dataclasses
from typing import Any

import click

from aipolicy.cli.options import (
    json_option,
    policy_fields,
    policy_options,
    print_json,
    registry_option,
    signal_options,
    signals_of,
)
from aipolicy.cli.robots_files import write_all
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import PolicyError, UnknownSiteError
from aipolicy.rendering import Rendering, render
from aipolicy.robotstxt.policy_effects import effects_of
from aipolicy.signals.headers import as_text


@click.command()
@click.option("--site", metavar="HOST", help="A site in the registry, by any of its hosts.")
@click.option("--all", "every", is_flag=True, help="Every site in the registry, into files in --out.")
@click.option("--out", type=click.Path(file_okay=False), metavar="DIR", help="Where --all writes.")
@click.option("--full", is_flag=True, help="With --all: look at every file, not only at what changed.")
@registry_option
@policy_options
@signal_options
@json_option
def robots(**given: Any) -> None:
    """Write a robots.txt.

    \b
    aipolicy robots --preset no-training --sitemap https://blog.example/sitemap.xml
    aipolicy robots --preset no-training --base robots.txt > merged.txt
    aipolicy robots --site blog.example --registry sqlite:///blogs.db
    aipolicy robots --all --out /srv/aipolicy

    Given a --base, its rules are kept and ours stand between markers; merging the result again changes
    nothing.

    With --all, each host of each site gets DIR/robots/XX/HOST, where XX is the last two characters of its
    first label without a leading "www.": DIR/robots/og/blog.example. DIR/tdmrep/XX/HOST is its
    /.well-known/tdmrep.json, "[]" where it reserves nothing. A first run writes all of them, a later
    one what has changed since; a file of a host that is gone is removed. Equal files are hard links: replace
    one, don't edit it. 'aipolicy export' writes the server's side.
    """
    if given["every"] or given["out"] or given["full"]:
        if not (given["every"] and given["out"]):
            raise PolicyError("--all, --out and --full belong together: give --all --out DIR")
        if given["site"] or policy_fields(given):
            raise PolicyError("--all takes every policy from the registry: leave --site and the others out")
        write_all(given)
        return
    rendering = _rendering(given, whole=True)  # a generator's file is whole, or an error
    if given["as_json"]:
        document = {
            "site": rendering.policy.site,
            "etag": rendering.robots.etag.decode().strip('"'),
            "blocked": sorted(effects_of(rendering.policy)[0], key=str.lower),
            "robots_txt": rendering.robots.body.decode("utf-8", "replace"),
        }
        print_json(document)
    else:
        click.echo(rendering.robots.body, nl=False)


@click.command()
@click.option("--site", metavar="HOST", help="A site in the registry, by any of its hosts.")
@click.option(
    "--at", "path", default="/", show_default=True, metavar="PATH", help="The path of the response."
)
@registry_option
@policy_options
@signal_options
@json_option
def headers(**given: Any) -> None:
    """Write the response headers, one a line.

    \b
    aipolicy headers --preset no-ai
    aipolicy headers --site blog.example --at /press/kit
    """
    ours = list(map(as_text, _rendering(given).headers_at(given["path"]).headers))
    if given["as_json"]:
        print_json([{"name": name, "value": value} for name, value in ours])
    else:
        for name, value in ours:
            click.echo(f"{name}: {value}")


def _rendering(given: dict[str, Any], *, whole: bool = False) -> Rendering:
    fields = policy_fields(given)
    if not given["site"]:
        if not {"preferences", "visibility", "path_preferences"} & set(fields):
            raise PolicyError("nothing says what to write: give --preset, or --site for one in the registry")
        return render(SitePolicy(**fields), signals_of(given), whole=whole)
    if set(fields) - {"robots_base"}:
        raise PolicyError("--site takes its policy from the registry: only --base can be given beside it")
    # Imported where it is used: the generator alone needs no database.
    from aipolicy.registry import Registry
    from aipolicy.registry.database import masked

    with Registry(given["registry"], create=False) as registry:
        policy = registry.get(given["site"])
    if policy is None:
        raise UnknownSiteError(f"no site in {masked(given['registry'])} has the host {given['site']!r}")
    return render(dataclasses.replace(policy, **fields), signals_of(given), whole=whole)
