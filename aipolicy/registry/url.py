"""A registry's address as people may see it."""

import re

_SECRET_OPTION = re.compile(r"([?&](?:ssl)?password=)[^&]*", re.IGNORECASE)
_LOGIN = re.compile(r"([^:/]*:?/+)?([^:]*)(:.*)?", re.DOTALL)


def masked(url: str) -> str:
    """``url`` with ``***`` for its password; of a malformed one rather too much is hidden than too little."""
    login, at, rest = url.rpartition("@")
    if at:
        found = _LOGIN.fullmatch(login)
        if found and found[3]:
            login = f"{found[1] or ''}{found[2]}:***"
    return _SECRET_OPTION.sub(r"\1***", f"{login}{at}{rest}")
