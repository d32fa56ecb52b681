"""Which policy was in force on a host at a moment, and what it said of each fetch."""

from aipolicy.check.policies.fromjsonl import policies_from_jsonl
from aipolicy.check.policies.fromrobots import policies_from_robots
from aipolicy.check.policies.judge import Judge
from aipolicy.check.policies.named import NamedTokens, best_spelling
from aipolicy.check.policies.paths import reads_robots_txt
from aipolicy.check.policies.versions import ALWAYS, Policies, Timeline, Version

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
