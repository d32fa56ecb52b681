"""Spawning's ``/ai.txt``: robots.txt's grammar, for data sets. Only a no to the whole site is read."""

from aipolicy.core.preferences import Category, Preference
from aipolicy.robotstxt.matching import binding_group
from aipolicy.siteaudit.parsed_site import Reading
from aipolicy.siteaudit.statements import Carrier, Place, Signal, Statement


def ai_txt_statements(reading: Reading, token: str) -> list[Statement]:
    group = binding_group(reading.ai_txt, token) if reading.ai_txt else None
    if group is None or not group.blocks_everything:
        return []
    rule = next(rule for rule in group.rules if rule.pattern in ("/", "/*", "*"))
    place = Place(Carrier.AI_TXT, rule.line, str(rule))
    return [Statement(Signal.AI_TXT, Category.TRAIN_AI, Preference.DISALLOW, place)]
