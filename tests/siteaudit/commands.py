"""Run ``aipolicy check site`` in tests."""

from click.testing import CliRunner, Result

from aipolicy.cli import main
from tests.siteaudit.servers import HEADERS, NO_TRAINING

PAGE = b"<!doctype html><title>A post</title>"
TEXT = "Content-Type: text/plain; charset=utf-8"
SENT = [f"{name}: {value}" for name, value in HEADERS]
TDMREP = NO_TRAINING.tdmrep.body if NO_TRAINING.tdmrep else b""


def check(*arguments: str, stdin: str = "", **environment: str) -> Result:
    given = ["check", "site", "--delay", "0", *arguments]
    return CliRunner().invoke(main, given, input=stdin, env={"AIPOLICY_REGISTRY": "", **environment})
