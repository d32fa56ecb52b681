"""The command itself: its groups, and what every command has in common."""

import errno
import os
import signal
import sys
from typing import Any

import click

from aipolicy.cli.analysis import diff, explain, lint
from aipolicy.cli.check import check
from aipolicy.cli.completion import completion
from aipolicy.cli.crawlers import crawlers
from aipolicy.cli.demo import demo
from aipolicy.cli.export import export
from aipolicy.cli.generate import headers, robots
from aipolicy.cli.import_sites import import_sites
from aipolicy.cli.options import add_crawlers_option, printable
from aipolicy.cli.registry import history, set_policy, show
from aipolicy.cli.replica import replica
from aipolicy.errors import AIPolicyError
from aipolicy.version import __version__

_INTERRUPTED = 128 + signal.SIGINT
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _BadInput(click.ClickException):
    exit_code = 2


class _Commands(click.Group):
    """Errors that we raise on purpose are one line and exit code 2; a closed pipe is no error.

    So is a full disk behind stdout. Interrupted, the exit code is a shell's own: 1 would say that something
    was found.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of this file: the main job first

    def invoke(self, ctx: click.Context) -> Any:
        try:
            try:
                return super().invoke(ctx)
            finally:  # now, where it can be told: commands end by an exception, too
                sys.stdout.flush()
        except BrokenPipeError:  # what reads us has what it wanted
            _drop_stdout()
            ctx.exit(0)
        except AIPolicyError as error:
            raise _BadInput(printable(str(error))) from error
        except KeyboardInterrupt:
            click.echo("Interrupted", err=True)
            ctx.exit(_INTERRUPTED)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            _drop_stdout()
            raise _BadInput(f"stdout can't be written ({error.strerror}): make room for it") from error


def _drop_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, message="%(prog)s %(version)s")
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
    replica,
    lint,
    diff,
    explain,
    check,
    crawlers,
    demo,
    completion,
):
    main.add_command(command)
    add_crawlers_option(command)
