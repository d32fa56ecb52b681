"""``aipolicy completion``: what a shell needs to complete our commands."""

import click
from click.shell_completion import CompletionItem, get_completion_class

_VARIABLE = "_AIPOLICY_COMPLETE"  # click's own way: the completed command is asked, through this


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
    if complete is None:  # of click's own three: it has them all
        raise click.UsageError(f"this version of click can't complete in {shell}: upgrade it")
    click.echo(complete(root.command, {}, "aipolicy", _VARIABLE).source())


def product_tokens(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The table's product tokens that begin so, in any case."""
    # Imported where it is used: the other options need no table.
    from aipolicy.core.crawlers import CRAWLERS

    begun = incomplete.lower()
    return [
        CompletionItem(crawler.product_token, help=f"{crawler.operator}, {crawler.purpose}")
        for crawler in CRAWLERS
        if crawler.product_token.lower().startswith(begun)
    ]
