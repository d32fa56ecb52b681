"""The command itself: its groups, and what every command has in common."""

import os
import sys
from typing import Any

import click

from aipolicy.cli.analysis import diff, explain, lint
from aipolicy.cli.checking import check
from aipolicy.cli.completion import completion
from aipolicy.cli.crawlers import crawlers
from aipolicy.cli.demo import demo
from aipolicy.cli.exporting import export
from aipolicy.cli.generate import headers, robots
from aipolicy.cli.importing import import_sites
from aipolicy.cli.registry import history, set_policy, show
from aipolicy.errors import AIPolicyError


class _BadInput(click.ClickException):
    exit_code = 2


class _Commands(click.Group):
    """Errors that we raise on purpose are one line and exit code 2; a closed pipe is no error."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of this file: the main job first

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:  # what reads us has what it wanted
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        except AIPolicyError as error:
            raise _BadInput(str(error)) from error
        return result


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="aipolicy", message="%(prog)s %(version)s")
def main() -> None:
    """Turn each blog's AI opt-out into every signal that crawlers read.

    \b
    aipolicy robots --preset no-training                  a robots.txt on stdout
    aipolicy set blog.example --preset no-training        an opt-out, kept in the registry
    aipolicy robots --site blog.example                   that blog's robots.txt
    aipolicy check logs access.log --robots robots.txt    which crawlers obeyed it

    The registry is --registry, or AIPOLICY_REGISTRY, or sqlite:///aipolicy.db. Data goes to stdout, notes to
    stderr. Exit codes: 0 done; 1 findings, or done but for what stderr names;
    2 bad input.
    """


for command in (
    robots,
    headers,
    set_policy,
    import_sites,
    export,
    show,
    history,
    lint,
    diff,
    explain,
    check,
    crawlers,
    demo,
    completion,
):
    main.add_command(command)
