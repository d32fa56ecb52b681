"""What is wrong with a site, whatever its policy: each check takes a reading and yields findings."""

from aipolicy.check.site.checks import (
    aitxtfile,
    clients,
    contentusage,
    contradictions,
    page,
    robotsfile,
    tdmfile,
)

CHECKS = (
    robotsfile.check,
    clients.check,
    contradictions.check,
    page.check,
    contentusage.check,
    tdmfile.check,
    aitxtfile.check,
)
"""All but the linter's, which need to know the policy."""
