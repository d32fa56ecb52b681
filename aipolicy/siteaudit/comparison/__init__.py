"""A site against its policy: every signal by its meaning. Spelling, order and comments make no difference."""

from aipolicy.siteaudit.comparison.all import differences

__all__ = ["differences"]
