"""``aipolicy completion``: the lines that make a shell complete aipolicy's commands."""

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_AIPOLICY_COMPLETE"  # click asks the command for completions through it


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Write the lines that make a shell complete commands, options and product tokens.

    \b
    echo 'eval "$(aipolicy completion bash)"' >> ~/.bashrc
    echo 'eval "$(aipolicy completion zsh)"' >> ~/.zshrc
    aipolicy completion fish > ~/.config/fish/completions/aipolicy.fish
    """
    complete = get_completion_class(shell)
    root = ctx.find_root()
    if complete is None:  # click has all three
        raise click.UsageError(f"this version of click has no completion for {shell}; upgrade click")
    click.echo(complete(root.command, {}, "aipolicy", _VARIABLE).source())
