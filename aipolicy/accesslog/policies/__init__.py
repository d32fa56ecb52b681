"""Judge fetches by the policy that was in force on the host at that moment."""

from aipolicy.accesslog.policies.from_jsonl import policies_from_jsonl
from aipolicy.accesslog.policies.judge import Judge
from aipolicy.accesslog.policies.named_tokens import NamedTokens, best_spelling
from aipolicy.accesslog.policies.paths import reads_robots_txt
from aipolicy.accesslog.policies.versions import ALWAYS, Policies, Timeline, Version, policies_from_robots

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
