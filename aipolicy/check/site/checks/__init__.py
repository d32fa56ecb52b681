"""What is wrong with a site, whatever its policy: each check takes a reading and yields findings."""

from aipolicy.check.site.checks import clients, contentusage, contradictions, page, robotsfile, tdmfile

CHECKS = (
    robotsfile.check,
    clients.check,
    contradictions.check,
    page.check,
    contentusage.check,
    tdmfile.check,
)
"""All but the linter's, which need to know the policy."""
