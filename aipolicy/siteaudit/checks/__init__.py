"""What is wrong with a site, whatever its policy: each check takes a reading and yields findings."""

from aipolicy.siteaudit.checks import (
    ai_txt,
    clients,
    content_usage,
    contradictions,
    page,
    robots_file,
    tdmrep,
)

CHECKS = (
    robots_file.check,
    clients.check,
    contradictions.check,
    page.check,
    content_usage.check,
    tdmrep.check,
    ai_txt.check,
)
"""All but the linter's, which need to know the policy."""
