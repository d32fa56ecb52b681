"""Checks that don't depend on the site's policy: each takes a parsed site and yields findings."""

from aipolicy.siteaudit.checks import clients, contradictions, files, page, page_signals, robots_file

CHECKS = (
    robots_file.check,
    clients.check,
    contradictions.check,
    page.check,
    page_signals.check,
    files.check,
)
"""All but ``robots_lines``, which needs to know the policy."""
