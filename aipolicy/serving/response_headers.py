"""The headers of a response: chosen by the policy, and merged with those of the application."""

import logging
from collections.abc import Sequence
from functools import cache

from aipolicy.core.policy import SitePolicy
from aipolicy.rendering import HeaderSet, Rendering, most_restrictive, render
from aipolicy.serving.exchange import Request
from aipolicy.serving.request_target import RequestTarget, has_plain_path, target_of
from aipolicy.signals.header_field import Header, field_name
from aipolicy.signals.headers import FIELD_NAMES, REPEATABLE, merge_headers

logger = logging.getLogger("aipolicy.serving")

_MAX_NAMES = 1024

# Field names, in the application's spelling, that are not ours. A look-up here costs less than lowering each
# name of each response.
_other_names: set[bytes] = set()


def with_headers(response: list[Header], header_set: HeaderSet) -> list[Header]:
    """Return the headers of a response with the policy's.

    Args:
        response: The application's headers in a list that may be changed.
        header_set: The policy's headers.
    """
    try:
        for name, _ in response:
            if name not in _other_names and _is_one_of(header_set.names, name):
                return merged(response, header_set.headers)
    except Exception:
        return merged(response, header_set.headers)
    response += header_set.headers
    return response


def merged(response: list[Header], policy: tuple[Header, ...]) -> list[Header]:
    """Return the headers of a response merged with a policy's.

    If that fails, the policy's headers replace those of the same name.
    """
    try:
        return merge_headers(response, policy)
    except Exception:
        logger.exception("the response's headers can't be merged; the policy's headers replace them")
        replaced = {name for name, _ in policy} - REPEATABLE
        return [*(header for header in response if _name_of(header) not in replaced), *policy]


def header_set_of(
    rendering: Rendering, path: str, raw_path: bytes | None, root_path: str | None, query: bytes | None
) -> HeaderSet:
    """Return the headers for a request's path, the most restrictive if it has several readings."""
    if not rendering.paths:
        return rendering.site
    try:
        if has_plain_path(path, raw_path, root_path):
            return rendering.headers_at(target_of(path, raw_path, query).decode("utf-8", "surrogateescape"))
        return RequestTarget.of(path, raw_path, root_path, query).header_set(rendering)
    except Exception:
        logger.exception("a request's path can't be read; the site's most restrictive headers are sent")
        return rendering.headers_over([None])


def combined(request: Request, renderings: Sequence[Rendering]) -> Rendering:
    """Return the most restrictive rendering for a page that may belong to any of several sites."""
    if len(renderings) == 1:
        return renderings[0]
    try:
        return most_restrictive(
            [(rendering, header_set_of(rendering, *request.target)) for rendering in renderings]
        )
    except Exception:
        logger.exception("the policies of several sites can't be combined; no-ai is sent")
        return any_site()


@cache
def any_site() -> Rendering:
    """Return the rendering for a path with so many readings that any site may be meant."""
    return render(SitePolicy.from_preset("no-ai"))


def _is_one_of(names: frozenset[bytes], name: bytes) -> bool:
    known = field_name(name)
    if known in names:
        return True
    if known not in FIELD_NAMES:
        if len(_other_names) >= _MAX_NAMES:
            _other_names.clear()
        _other_names.add(name)
    return False


def _name_of(header: Header) -> bytes | None:
    try:
        return field_name(header[0])
    except Exception:
        return None  # not a header: the server will report it
