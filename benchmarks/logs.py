"""``aipolicy check logs`` against grep, GoAccess and zcat: ``python benchmarks/logs.py [LINES]``.

    pip install -e '.[check]' && apt-get install -y goaccess && python benchmarks/logs.py

Whole commands are timed on a synthetic log (vhost and combined, 300 sites, 8 % of the lines by AI crawlers),
with the policies of all sites. A ratio is the median over interleaved rounds. Peers do less: ``grep`` only
counts the lines that contain a crawler's token, GoAccess only counts crawlers. Exits with 1 if a limit is
exceeded.
"""

import gzip
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aipolicy.core.crawlers import CRAWLERS

LINES, SITES, ROUNDS = 2_000_000, 300, 5
MOST_TO_GREP, MOST_TO_GOACCESS, MOST_TO_ZCAT, MOST_MEGABYTES = 2.5, 0.2, 1.5, 1000
START = datetime(2026, 10, 1, tzinfo=UTC)
CRAWLER_AGENTS = [
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
    "CCBot/2.0 (https://commoncrawl.org/faq/)",
    "Mozilla/5.0 (compatible; Bytespider; spider-feedback@bytedance.com)",
    "Mozilla/5.0 (compatible; Amazonbot/0.1; +https://developer.amazon.com/support/amazonbot)",
    "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; OAI-SearchBot/1.0)",
    "Mozilla/5.0 (compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)",
]
WORDS = ("about", "archive", "code", "feed", "garden", "image", "music", "note", "post", "tag", "travel")


def host(number: int) -> str:
    return f"blog-{number}.platform.example"


def log_lines(count: int) -> Iterator[str]:
    chance = random.Random(1)
    versions = [f"{chance.randint(90, 140)}.0.{chance.randint(1000, 7000)}.{n % 200}" for n in range(3000)]
    browser = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/"
    browsers = [f"{browser}{version} Safari/537.36" for version in versions]
    for number in range(count):
        when = f"{START + timedelta(seconds=number * 0.4):%d/%b/%Y:%H:%M:%S +0000}"
        agent = chance.choice(CRAWLER_AGENTS if chance.random() < 0.08 else browsers)
        site = host(min(int(chance.paretovariate(0.6)) - 1, SITES - 1))
        word, other = chance.choice(WORDS), chance.choice(WORDS)
        path = f"/{word}/{chance.randint(1, 20_000)}/{other}" if chance.random() < 0.99 else "/robots.txt"
        referrer = f"https://{site}/{other}" if chance.random() < 0.6 else "-"
        address = ".".join(str(chance.randint(1, 223)) for _ in range(4))
        if agent in CRAWLER_AGENTS:  # each comes from a few hundred machines
            address = f"20.171.{CRAWLER_AGENTS.index(agent)}.{chance.randint(1, 250)}"
        size, status = chance.randint(200, 99_999), chance.choice((200, 200, 200, 304, 404, 403))
        yield f'{site} {address} - - [{when}] "GET {path} HTTP/1.1" {status} {size} "{referrer}" "{agent}"\n'


def policies() -> Iterator[str]:
    """Yield policies in which each site opts out at some moment of the log; some have rules of their own."""
    own = "User-agent: *\nDisallow: /tag/\nDisallow: /*/image$\nAllow: /tag/1\n"
    for number in range(SITES):
        site = {"site": host(number)}
        yield json.dumps(site | {"preset": "unset", "robots_base": own})
        at = (START + timedelta(minutes=number)).isoformat()
        rest = {"robots_base": own} if number % 2 else {}
        yield json.dumps(site | {"at": at, "preset": ("no-training", "no-ai")[number % 2]} | rest)


def seconds(
    command: list[str], *, env: dict[str, str] | None = None, ok: tuple[int, ...] = (0,)
) -> tuple[float, float]:
    """Run a command; return its seconds and its peak resident memory in MB."""
    # Not /dev/null: grep stops at the first line where nobody sees the count.
    with Path(os.devnull).open("rb") as source, tempfile.TemporaryFile() as sink:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdin=source, stdout=sink, stderr=subprocess.DEVNULL, env=env)
        _, status, usage = os.wait4(child.pid, 0)
        took = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    child.returncode = code
    if code not in ok:
        raise SystemExit(f"{command[0]} ended with {code}")
    return took, usage.ru_maxrss / 1024


def main(lines: int) -> int:
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        log, packed, tokens = here / "access.log", here / "access.log.gz", here / "tokens.txt"
        with log.open("w") as file:
            file.writelines(log_lines(lines))
        with log.open("rb") as source, gzip.open(packed, "wb", 6) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        tokens.write_text("".join(f"{crawler.product_token}\n" for crawler in CRAWLERS))
        (here / "policies.jsonl").write_text("".join(f"{line}\n" for line in policies()))
        print(
            f"{lines:,} lines, {log.stat().st_size / 1e6:.0f} MB, {packed.stat().st_size / 1e6:.0f} MB packed"
        )
        check = [
            sys.executable,
            "-m",
            "aipolicy",
            "check",
            "logs",
            "--json",
            "--policies",
            str(here / "policies.jsonl"),
        ]
        plain_c = {**os.environ, "LC_ALL": "C"}
        commands: dict[str, tuple[list[str], dict[str, str] | None]] = {
            "aipolicy": ([*check, str(log)], None),
            "grep -c -F -f": (["grep", "-c", "-F", "-f", str(tokens), str(log)], plain_c),
            "aipolicy, gzip": ([*check, str(packed)], None),
            "zcat | wc -l": (["sh", "-c", f"zcat {packed} | wc -l"], None),
        }
        took: dict[str, list[float]] = {name: [] for name in commands}
        memory: dict[str, float] = {}
        for _ in range(ROUNDS):
            for name, (command, env) in commands.items():
                its, memory[name] = seconds(command, env=env, ok=(0, 1))
                took[name].append(its)
        goaccess = _goaccess(log)
        few = here / "few.log"
        with log.open("rb") as source:
            few.write_bytes(source.read(log.stat().st_size // 4))
        _, memory_of_few = seconds([*check, str(few)], ok=(0, 1))
    return _told(took, memory, memory_of_few, goaccess)


def _goaccess(log: Path) -> float | None:
    """Run GoAccess once, because it takes long; return None if it isn't installed."""
    if shutil.which("goaccess") is None:
        print("goaccess is not installed: apt-get install -y goaccess")
        return None
    form = '%v %h %^[%d:%t %^] "%r" %s %b "%R" "%u"'
    command = ["goaccess", str(log), f"--log-format={form}", "--date-format=%d/%b/%Y", "--time-format=%T"]
    command += ["--crawlers-only", "--no-global-config", "-o", str(log.with_name("report.json"))]
    return seconds(command)[0]


def _told(
    took: dict[str, list[float]], memory: dict[str, float], memory_of_few: float, goaccess: float | None
) -> int:
    for name, times in took.items():
        print(f"{name:16} {statistics.median(times):6.2f} s {memory[name]:6.0f} MB")
    ours = statistics.median(took["aipolicy"])
    bounds = [
        ("to grep -c -F -f", _ratio(took, "aipolicy", "grep -c -F -f"), MOST_TO_GREP),
        ("gzip, to zcat | wc -l", _ratio(took, "aipolicy, gzip", "zcat | wc -l"), MOST_TO_ZCAT),
        ("memory, MB", max(memory["aipolicy"], memory["aipolicy, gzip"]), MOST_MEGABYTES),
    ]
    if goaccess is not None:
        print(f"{'goaccess':16} {goaccess:6.2f} s")
        bounds.append(("to goaccess", ours / goaccess, MOST_TO_GOACCESS))
    for name, figure, most in bounds:
        print(f"{name:24} {figure:8.2f} (at most {most:g})")
    print(f"memory for a quarter of the log: {memory_of_few:.0f} MB")
    return 0 if all(figure <= most for _, figure, most in bounds) else 1


def _ratio(took: dict[str, list[float]], ours: str, peer: str) -> float:
    return statistics.median(mine / its for mine, its in zip(took[ours], took[peer], strict=True))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else LINES))
