"""Which policy was in force on a host at a moment, and what it said of each fetch."""

from aipolicy.accesslog.policies.from_jsonl import policies_from_jsonl
from aipolicy.accesslog.policies.from_robots import policies_from_robots
from aipolicy.accesslog.policies.judge import Judge
from aipolicy.accesslog.policies.named_tokens import NamedTokens, best_spelling
from aipolicy.accesslog.policies.paths import reads_robots_txt
from aipolicy.accesslog.policies.versions import ALWAYS, Policies, Timeline, Version

__all__ = [
    "ALWAYS",
    "Judge",
    "NamedTokens",
    "Policies",
    "Timeline",
    "Version",
    "best_spelling",
    "policies_from_jsonl",
    "policies_from_robots",
    "reads_robots_txt",
]
