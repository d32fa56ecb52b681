"""A site against its policy: every signal by its meaning. Spelling, order and comments make no difference."""

from aipolicy.check.site.comparing.all import differences

__all__ = ["differences"]
