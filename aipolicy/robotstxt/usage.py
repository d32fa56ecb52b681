"""The syntax of Content-Usage lines, and guesses at invalid ones."""

from aipolicy.core.preferences import Category, Preference, Preferences

USE_OF = {"search": Category.SEARCH, "ai-input": Category.AI_USE, "ai-train": Category.TRAIN_AI}
"""The uses that Content-Signal's keys speak of."""

LABELS = USE_OF | {str(use): use for use in Category}
"""Each use by its labels in Content-Signal and in Content-Usage: people take one for the other."""

MEANT = {
    word: said
    for said, words in (
        (Preference.ALLOW, ("y", "yes", "true", "1")),
        (Preference.DISALLOW, ("n", "no", "false", "0")),
    )
    for word in words
}
"""What a word for a value means."""

_PLAIN_NO = frozenset({"n", "no", "none", "noai", "disallow"})


def split_usage(value: str) -> tuple[str, str]:
    """The path ("" where there is none) and the statement of a Content-Usage value (attach-05 §3.1)."""
    if not value.startswith("/"):
        return "", value
    path, _, statement = value.replace("\t", " ").partition(" ")
    return path, statement.strip(" \t")


def usage_meant(statement: str) -> Preferences:
    """What was probably meant, from each member that can be guessed: a yes is only guessed where one stands.

    A plain no is one to training. Of members that disagree the stricter counts.
    """
    words = statement.lower().replace("=", " = ").replace(",", " ").replace(";", " ").split()
    if len(words) == 1 and words[0] in _PLAIN_NO:
        return Preferences(train_ai=Preference.DISALLOW)
    meant: dict[Category, Preference] = {}
    for label, equals, value in zip(words, words[1:], words[2:], strict=False):
        use, said = LABELS.get(label.replace("_", "-")), MEANT.get(value.strip('"?()'))
        if equals == "=" and use and said and meant.get(use) is not Preference.DISALLOW:
            meant[use] = said
    return Preferences(*(meant.get(use, Preference.UNKNOWN) for use in Category))
