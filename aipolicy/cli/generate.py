"""``aipolicy robots`` and ``aipolicy headers``: the signals of a preset or of sites in the registry."""

import dataclasses
from pathlib import Path
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
from aipolicy.cli.progress import progress
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.errors import AIPolicyError, PolicyError, UnknownSiteError
from aipolicy.rendering import Rendering, render
from aipolicy.robotstxt.policy_effects import effects_of
from aipolicy.signals.headers import as_text


@click.command()
@click.option("--site", metavar="HOST", help="Any host of a site in the registry.")
@click.option("--all", "every", is_flag=True, help="Write files for every site in the registry into --out.")
@click.option("--out", type=click.Path(file_okay=False), metavar="DIR", help="Directory for --all.")
@click.option(
    "--default",
    type=click.Choice(list(PRESETS)),
    show_default="no-training",
    help="With --all: preferences of unknown hosts, in DIR/default.txt and DIR/default.tdmrep.json.",
)
@click.option("--full", is_flag=True, help="With --all: check every file, not only those of changed sites.")
@registry_option
@policy_options
@signal_options
@json_option
def robots(**options: Any) -> None:
    """Write a robots.txt.

    \b
    aipolicy robots --preset no-training --sitemap https://blog.example/sitemap.xml
    aipolicy robots --preset no-training --base robots.txt > merged.txt
    aipolicy robots --site blog.example --registry sqlite:///blogs.db
    aipolicy robots --all --out /srv/aipolicy

    The rules of a --base are kept, and those of the policy are written between markers. Merging the result
    again changes nothing.

    With --all, each host of each site gets DIR/robots/XX/HOST, where XX is the last two characters of its
    first label without a leading "www.": DIR/robots/og/blog.example. DIR/tdmrep/XX/HOST is its
    /.well-known/tdmrep.json, "[]" if it reserves nothing. The first run writes all files, later runs those
    that changed, and they remove the files of hosts that are gone. Equal files are hard links: replace them,
    don't edit them. A server sends DIR/default.txt to unknown hosts. 'aipolicy export' writes its
    configuration; give both commands the same --default.
    """
    if options["every"] or options["out"] or options["full"] or options["default"]:
        if not (options["every"] and options["out"]):
            raise PolicyError("--all, --out, --full and --default belong together; use --all --out DIR")
        if options["site"] or policy_fields(options):
            raise PolicyError(
                "--all takes the policies from the registry; leave out --site and policy options"
            )
        _write_all(options)
        return
    rendering = _rendering(options, complete=True)  # a file that is too large is an error
    if options["as_json"]:
        document = {
            "site": rendering.policy.site,
            "etag": rendering.robots.etag.decode().strip('"'),
            "blocked": sorted(effects_of(rendering.policy)[0], key=str.lower),
            "robots_txt": rendering.robots.body.decode("utf-8", "replace"),
        }
        print_json(document)
    else:
        click.echo(rendering.robots.body, nl=False)


def _write_all(options: dict[str, Any]) -> None:
    """Bring the files in DIR up to date; exit with 1 if a site's policy is invalid."""
    # Imported where they are used: one robots.txt needs no database.
    from aipolicy.bulk.generator import Generator
    from aipolicy.bulk.host_folder import HostFolder
    from aipolicy.registry import Registry

    try:
        with (
            Registry(options["registry"], create=False) as registry,
            HostFolder(Path(options["out"])) as folder,
            progress("writing", None) as advance,
        ):
            generator = Generator(
                registry,
                folder,
                signals=signals_of(options),
                default=options["default"] or "no-training",
                advance=advance,
            )
            summary = generator.run(full=options["full"])
    except OSError as error:
        where = error.filename or options["out"]
        fix = "check the path, its permissions and the free space; finished files stay"
        raise AIPolicyError(f"'{where}' can't be written ({error.strerror}); {fix}") from error
    if options["as_json"]:
        print_json({"out": options["out"], **dataclasses.asdict(summary)})
    else:
        for error_of_site in summary.errors:
            click.echo(error_of_site, err=True)
        if summary.failed > len(summary.errors):
            click.echo(f"... and {summary.failed - len(summary.errors)} more", err=True)
        click.echo(
            f"{options['out']}: {summary.written} written, {summary.unchanged} unchanged, "
            f"{summary.removed} removed (change {summary.seq})",
            err=True,
        )
    if summary.failed:
        click.get_current_context().exit(1)


@click.command()
@click.option("--site", metavar="HOST", help="Any host of a site in the registry.")
@click.option("--at", "path", default="/", show_default=True, metavar="PATH", help="Path of the response.")
@registry_option
@policy_options
@signal_options
@json_option
def headers(**options: Any) -> None:
    """Write the response headers, one per line.

    \b
    aipolicy headers --preset no-ai
    aipolicy headers --site blog.example --at /press/kit
    """
    lines = list(map(as_text, _rendering(options).headers_at(options["path"]).headers))
    if options["as_json"]:
        print_json([{"name": name, "value": value} for name, value in lines])
    else:
        for name, value in lines:
            click.echo(f"{name}: {value}")


def _rendering(options: dict[str, Any], *, complete: bool = False) -> Rendering:
    fields = policy_fields(options)
    if not options["site"]:
        if not {"preferences", "visibility", "path_preferences"} & set(fields):
            raise PolicyError(
                "there is no policy to write; add --preset, or --site HOST to read the registry"
            )
        return render(SitePolicy(**fields), signals_of(options), complete=complete)
    if set(fields) - {"robots_base"}:
        raise PolicyError("--site takes the policy from the registry; only --base can be combined with it")
    # Imported where it is used: a preset needs no database.
    from aipolicy.registry import Registry
    from aipolicy.registry.database import masked

    with Registry(options["registry"], create=False) as registry:
        policy = registry.get(options["site"])
    if policy is None:
        raise UnknownSiteError(f"no site in {masked(options['registry'])} has the host {options['site']!r}")
    return render(dataclasses.replace(policy, **fields), signals_of(options), complete=complete)
