"""What is to be put, as callers give it: checked, and as it is written down."""

from collections.abc import Iterable, Iterator

from aipolicy.core.hosts import site_name
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import RegistryError
from aipolicy.registry.changes import PolicyTexts, hosts_text
from aipolicy.registry.staging import Put
from aipolicy.robotstxt.merge import check_fits

LONGEST_NAME = 200
"""Characters in the name of who made a change."""


def check_actor(by: str) -> None:
    """Raises RegistryError where ``by`` is no name for the history."""
    if not (isinstance(by, str) and by.strip() and by.isprintable() and len(by) <= LONGEST_NAME):
        fix = f"say who makes the change in 1 to {LONGEST_NAME} printable characters"
        raise RegistryError(f"by is {by!r}: {fix}")


def written(puts: Iterable[SitePolicy | tuple[SitePolicy, Iterable[str] | None]]) -> Iterator[Put]:
    """Each, checked, as it is written down."""
    texts = PolicyTexts()
    for put in puts:
        policy, hosts = checked(*(put if isinstance(put, tuple) else (put, None)))
        yield Put(policy.site, texts.of(policy), None if hosts is None else hosts_text(policy.site, hosts))


def checked(policy: SitePolicy, hosts: Iterable[str] | None) -> tuple[SitePolicy, frozenset[str] | None]:
    """The policy, and its hosts canonical.

    Raises RegistryError, HostError, and RobotsTooLargeError: what can't be served whole must not be stored.
    """
    if not policy.site:
        fix = "policy.for_site('blog.example') gives it one"
        raise RegistryError(f"the policy has no site: {fix}")
    if isinstance(hosts, str):
        raise RegistryError(f"hosts is {hosts!r}: give a list, like [{hosts!r}]")
    check_fits(policy)
    return policy, None if hosts is None else frozenset(map(site_name, hosts))
