"""The use that one site's policy leaves to one partner, and the event that a change of it is.

A partner is known by the product tokens of its crawlers. The owner's *no* to training closes a site to it,
unless the owner licenses one of its training or data set tokens. Silence (``unset``) closes nothing and
grants nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from aipolicy.core.crawlers import Purpose, crawler_named
from aipolicy.core.patterns import path_matches
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.core.validation import Visibility

_GATHERS = (Purpose.TRAINING, Purpose.DATASET)
"""The purposes whose licence counts for exports."""


class Use(StrEnum):
    """The use of a site's content that its owner doesn't object to."""

    NONE = "none"
    TRAIN = "train"
    AI_USE = "ai-use"
    ALL = "all"


class EventType(StrEnum):
    """The kind of change that an event reports. A later event of the same site replaces an earlier one."""

    OPTED_OUT = "opted-out"
    OPTED_IN = "opted-in"
    LICENSED = "licensed"
    LICENCE_WITHDRAWN = "licence-withdrawn"
    MADE_PRIVATE = "made-private"
    MADE_PUBLIC = "made-public"
    DELETED = "deleted"
    HOSTS_CHANGED = "hosts-changed"


class Action(StrEnum):
    """The action that an event asks of a partner."""

    STOP_AND_REMOVE = "stop-and-remove"
    STOP = "stop"
    MAY_USE = "may-use"
    UPDATE_HOSTS = "update-hosts"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Entitlement:
    """The use that a policy leaves to a partner.

    Attributes:
        use: The use that isn't objected to.
        content_usage: The AIPREF statement for this partner; empty where the owner says nothing.
        opted_out: Training is disallowed for this partner.
        granted: Training is allowed explicitly, or by a licence of a training or data set token.
        licensed: The partner's product tokens that the owner licenses, sorted.
        private: The site is private.
    """

    use: Use
    content_usage: str
    opted_out: bool
    granted: bool
    licensed: tuple[str, ...] = ()
    private: bool = False


_PRIVATE = Entitlement(
    Use.NONE,
    str(Preferences(*(Preference.DISALLOW for _ in Category))),
    opted_out=True,
    granted=False,
    private=True,
)


def entitlement(policy: SitePolicy, crawlers: Collection[str], path: str | None = None) -> Entitlement:
    """Return the use that ``policy`` leaves to a partner with the product tokens ``crawlers``.

    A licence takes away what the site says, but not a *no* that is stated for the path itself.

    Args:
        policy: The policy of the site.
        crawlers: The partner's product tokens, in any case.
        path: A path of the site, for which its path preferences count.
    """
    if policy.visibility is Visibility.PRIVATE:
        return _PRIVATE
    stated, own = policy.effective, Preferences()
    if path is not None:
        full = dict(policy.effective_paths)
        matching = (pattern for pattern, _ in policy.effective_paths if path_matches(pattern, path))
        if longest := next(matching, None):
            stated, own = full[longest], dict(policy.path_preferences)[longest]
    wanted = {token.lower() for token in crawlers}
    licensed = tuple(sorted(token for token in policy.licensed if token.lower() in wanted))
    return _left(_with_licence(stated, own, licensed), licensed)


def event_type(
    before: Entitlement | None, after: Entitlement | None, *, hosts_changed: bool
) -> EventType | None:
    """Return the kind of event that a change is for a partner, or None where nothing changes for it.

    Args:
        before: The partner's entitlement before the change; None for a site that didn't exist.
        after: The entitlement since; None for a site that was deleted.
        hosts_changed: The hosts of the site changed.
    """
    if after is None:
        return None if before is None else EventType.DELETED
    was_private = before is not None and before.private
    if after.private or was_private:
        if after.private and (was_private or before is None):
            return None  # partners don't learn of a site that was never public
        return EventType.MADE_PRIVATE if after.private else EventType.MADE_PUBLIC
    before_licences = set(before.licensed) if before else set()
    if set(after.licensed) - before_licences:
        return EventType.LICENSED
    if before_licences - set(after.licensed):
        return EventType.LICENCE_WITHDRAWN
    left, leaves = (before.content_usage if before else ""), after.content_usage
    if left != leaves:
        return EventType.OPTED_OUT if _says_more_no(left, leaves) else EventType.OPTED_IN
    return EventType.HOSTS_CHANGED if hosts_changed or before is None else None


def action(event: EventType, before: Entitlement | None, after: Entitlement | None) -> Action:
    """Return the action that an event asks of a partner."""
    if after is None or after.private:
        return Action.STOP_AND_REMOVE
    if event is EventType.HOSTS_CHANGED:
        return Action.UPDATE_HOSTS
    if after.opted_out:
        return Action.STOP_AND_REMOVE
    if _uses(before) - _uses(after):
        return Action.STOP
    return Action.MAY_USE if after.granted else Action.NONE


def _with_licence(stated: Preferences, own: Preferences, licensed: Collection[str]) -> Preferences:
    found = [crawler for token in licensed if (crawler := crawler_named(token))]
    gathers = any(crawler.purpose in _GATHERS for crawler in found)
    answers = any(Category.AI_USE in crawler.purpose.categories for crawler in found)
    return Preferences(
        Preference.ALLOW if gathers and not own.disallows(Category.TRAIN_AI) else stated.train_ai,
        Preference.ALLOW if answers and not own.disallows(Category.AI_USE) else stated.ai_use,
        stated.search,
    )


def _left(preferences: Preferences, licensed: tuple[str, ...]) -> Entitlement:
    return Entitlement(
        _use(preferences),
        str(preferences),
        opted_out=preferences.disallows(Category.TRAIN_AI),
        granted=preferences.train_ai is Preference.ALLOW,
        licensed=licensed,
    )


def _use(left: Preferences) -> Use:
    train, ai_use = not left.disallows(Category.TRAIN_AI), not left.disallows(Category.AI_USE)
    if train:
        return Use.ALL if ai_use else Use.TRAIN
    return Use.AI_USE if ai_use else Use.NONE


def _uses(entitlement: Entitlement | None) -> set[str]:
    use = Use.NONE if entitlement is None else entitlement.use
    return {Use.NONE: set[str](), Use.TRAIN: {"train"}, Use.AI_USE: {"ai"}, Use.ALL: {"train", "ai"}}[use]


def _says_more_no(before: str, after: str) -> bool:
    was, now = Preferences.parse(before), Preferences.parse(after)
    return any(now.disallows(category) and not was.disallows(category) for category in Category)
