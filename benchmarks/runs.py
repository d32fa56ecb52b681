"""The spread of a benchmark over several runs: ``python benchmarks/runs.py [--runs N] NAME [ARGUMENT ...]``.

    python benchmarks/runs.py --runs 5 lookup

Each run is a new process. Lines that differ only in their figures are printed once, each figure as its
median, with minimum and maximum if they differ. Exits with 1 if a run did.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

_FIGURE = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\d.])")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("name", help="a benchmark in this folder, without .py")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what it is given")
    options = parser.parse_args()
    here = Path(__file__).parent
    script = here / options.name if (here / options.name).is_dir() else here / f"{options.name}.py"
    if not script.exists():
        names = ", ".join(sorted(path.stem for path in here.glob("*.py")))
        parser.error(f"{script} is missing: choose one of {names}")
    lines: dict[str, list[list[str]]] = {}
    failed = 0
    for number in range(options.runs):
        print(f"run {number + 1} of {options.runs}", file=sys.stderr, flush=True)
        done = subprocess.run(
            [sys.executable, str(script), *options.arguments], stdout=subprocess.PIPE, text=True, check=False
        )
        failed += done.returncode != 0
        for line in done.stdout.splitlines():
            form = re.sub(r" +", " ", _FIGURE.sub("{}", line.replace("{", "(").replace("}", ")")).strip())
            lines.setdefault(form, []).append(_FIGURE.findall(line))
    for form, runs in lines.items():
        print(form.format(*map(_spread, zip(*runs, strict=True))))
    print(f"{options.runs} runs, {failed} of them out of a bound")
    return 1 if failed else 0


def _spread(figures: tuple[str, ...]) -> str:
    """Return the median, formatted as in the run that had it, and the range."""
    ordered = sorted(figures, key=lambda figure: float(figure.replace(",", "")))
    least, middle, most = ordered[0], ordered[len(ordered) // 2], ordered[-1]
    return middle if least == most else f"{middle} ({least} to {most})"


if __name__ == "__main__":
    sys.exit(main())
