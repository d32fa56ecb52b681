"""``aipolicy demo``: a blog platform on this machine, to try aipolicy with."""

import contextlib
import socket
import sys
import tempfile
from pathlib import Path

import click

from aipolicy.errors import AIPolicyError, MissingExtraError


@click.command()
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="0 for any free one.",
)
def demo(port: int) -> None:
    """Serve a demo platform with seven blogs on this machine, until Ctrl-C.

    \b
    aipolicy demo --port 8080
    """
    try:
        import uvicorn
    except ImportError:
        raise MissingExtraError.for_extra("the demo needs a server", "server") from None
    from aipolicy.demo import app, fill
    from aipolicy.registry import Registry

    with tempfile.TemporaryDirectory(prefix="aipolicy-demo-") as folder, _listening(port) as listener:
        url = f"sqlite:///{Path(folder) / 'demo.db'}"
        with Registry(url) as registry:
            fill(registry)
        click.echo(_welcome(listener.getsockname()[1], url))
        with contextlib.suppress(KeyboardInterrupt):  # raised again once the server has shut down
            uvicorn.Server(uvicorn.Config(app(url), log_level="warning")).run(sockets=[listener])


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        fix = "use another one with --port, or --port 0 for any free one (PORT=0 make demo)"
        raise AIPolicyError(f"port {port} can't be used ({error.strerror}); {fix}") from None


def _welcome(port: int, url: str) -> str:
    from aipolicy.demo import BLOGS

    width = max(len(blog.host) for blog in BLOGS)
    blogs = "\n".join(f"  http://{blog.host}:{port}/".ljust(width + 18) + blog.about for blog in BLOGS)
    curl = f"curl -s http://127.0.0.1:{port}"
    command = sys.argv[0] if sys.argv[0].endswith("aipolicy") else "aipolicy"  # it may not be on the PATH
    return f"""
A blog platform with {len(BLOGS)} blogs, each answering crawlers as its owner chose:

{blogs}

Each page shows its headers and its robots.txt, and has a button that changes the owner's choice.
Or try, in another terminal:

  {curl}/robots.txt -H 'Host: opted-out.localhost'
  {curl}/ -H 'Host: no-ai.localhost' -o /dev/null -D -
  {curl}/robots.txt -H 'Host: own-rules.localhost'

And opt a blog out; the change is in force within a quarter of a second:

  {command} set silent.localhost --preset no-training --registry {url}

Press Ctrl-C to stop.
"""
