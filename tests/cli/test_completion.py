"""Shell completion, and suggestions for misspelt commands."""

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.cli.conftest import Run

# What readline does for `aipolicy WORDS<Tab>`, with the function that the script defines.
COMPLETE = """
eval "$(aipolicy completion bash)"
COMP_WORDS=(aipolicy {words}) COMP_CWORD={last}
_aipolicy_completion aipolicy
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(words: str, folder: Path) -> list[str]:
    script = COMPLETE.format(words=words, last=len(words.split()))
    path = f"{sysconfig.get_path('scripts')}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env={"PATH": path}, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_bash_completes_commands_options_and_product_tokens(tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed: apt install bash")
    assert completed("rob", tmp_path) == ["robots"]
    assert "--preset" in completed("robots --pre", tmp_path)
    assert completed("robots --preset no-t", tmp_path) == ["no-training"]
    assert completed("set blog.example --licensed gptb", tmp_path) == ["GPTBot"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(aipolicy: Run, shell: str) -> None:
    done = aipolicy("completion", shell)
    assert done.returncode == 0
    assert f"{shell}_complete" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["robtos"], "Did you mean 'robots'?"),
        (["robots", "--presett", "no-ai"], "Did you mean one of: '--preset'"),
        (["robots", "--preset", "no-trainign"], "'no-training'"),
        (["robots", "--preset", "no-ai", "--licensed", "GTPBot"], "did you mean 'GPTBot'?"),
    ],
)
def test_a_misspelt_command_is_reported_with_a_suggestion(
    aipolicy: Run, arguments: list[str], message: str
) -> None:
    done = aipolicy(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
