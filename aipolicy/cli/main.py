"""The ``aipolicy`` command: its subcommands, and the errors of all of them."""

import errno
import os
import signal
import sys
from typing import Any

import click

from aipolicy.cli.check import check
from aipolicy.cli.completion import completion
from aipolicy.cli.crawlers import crawlers
from aipolicy.cli.demo import demo
from aipolicy.cli.diff import diff
from aipolicy.cli.explain import explain
from aipolicy.cli.export import export
from aipolicy.cli.generate import headers, robots
from aipolicy.cli.import_sites import import_sites
from aipolicy.cli.lint import lint
from aipolicy.cli.options import add_crawlers_option, printable
from aipolicy.cli.partners import partners
from aipolicy.cli.registry import history, set_policy, show
from aipolicy.cli.removals import removals
from aipolicy.cli.replica import replica
from aipolicy.errors import AIPolicyError
from aipolicy.version import __version__

_INTERRUPTED = 128 + signal.SIGINT
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _BadInput(click.ClickException):
    exit_code = 2


class _Commands(click.Group):
    """A group of commands that turns errors into exit codes.

    An AIPolicyError or a full disk behind stdout is one line on stderr and exit code 2; a closed pipe is no
    error. An interrupt exits as a shell does, because 1 would mean that something was found.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of this file, not of the alphabet

    def invoke(self, ctx: click.Context) -> Any:
        try:
            try:
                return super().invoke(ctx)
            finally:  # now, while errors can be reported; commands end with an exception, too
                sys.stdout.flush()
        except BrokenPipeError:  # the reader, like head, needs no more
            _drop_stdout()
            ctx.exit(0)
        except AIPolicyError as error:
            raise _BadInput(printable(str(error))) from error
        except KeyboardInterrupt:
            click.echo("Interrupted", err=True)
            ctx.exit(_INTERRUPTED)
        except OSError as error:
            if error.errno not in _DISK_FULL:
                raise
            _drop_stdout()
            raise _BadInput(f"stdout can't be written ({error.strerror}); free some space") from error


def _drop_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Turn each blog's AI opt-out into every signal that crawlers read.

    \b
    aipolicy robots --preset no-training                  write a robots.txt to stdout
    aipolicy set blog.example --preset no-training        store an opt-out in the registry
    aipolicy robots --site blog.example                   write that blog's robots.txt
    aipolicy check logs access.log --robots robots.txt    find the crawlers that disobeyed it

    The registry is --registry, or AIPOLICY_REGISTRY, or sqlite:///aipolicy.db. Data goes to stdout, notes
    and errors to stderr. Exit codes: 0 success; 1 findings, or success except for what stderr names; 2 bad
    input.
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
    partners,
    removals,
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
