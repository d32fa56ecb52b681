"""A format string compiled to regular expressions without look-around or backtracking (Rust's).

A hostile client writes parts of a line. So each field ends where its place says: a quoted one at a quote
that is not escaped, any other one before the character that stands behind it. A line that can be read in
two ways is thereby rare, and one with a quote that its server didn't escape isn't read at all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from aipolicy.accesslog.formats import timestamps
from aipolicy.accesslog.formats.elements import WHOLE, Element, Field, Role
from aipolicy.accesslog.formats.field_regex import Place, Way, escaped
from aipolicy.errors import LogFormatError


@dataclass(frozen=True, slots=True)
class Layout:
    """The regular expressions of a format. Groups are named after roles, and ``time0``, ``time1`` ..."""

    usual: str
    """Reads lines as they mostly are, several times faster: at each character only one way leads on."""
    full: str
    """Reads every line of the format: spaces in a path or a user's name, any method."""
    shape: str
    """Matches lines whose request and time may be anything; these two have no groups."""
    times: tuple[str, ...]
    """Codes of the times, to be read together."""
    roles: frozenset[Role]


def layout(elements: Sequence[Element], tail: str = "") -> Layout:
    """Compile; ``tail`` is a regular expression for what may follow.

    Raises LogFormatError where the time or the request lacks.
    """
    elements = _merged(elements)
    chosen = _chosen(elements)
    roles = {element.role for element in chosen.values()}
    if not roles & {Role.REQUEST, Role.TARGET}:
        raise LogFormatError('the format has no request: add it in quotes, like "%r" or "$request"')
    times = tuple(field.code for field in chosen.values() if field.role is Role.TIME)
    if not times or not timestamps.is_complete("|".join(times)):
        raise LogFormatError("the format has no time with its date: add it, like %t or [$time_local]")
    if f"(?P<{Role.FORWARDED}>" in tail:
        roles.add(Role.FORWARDED)
    usual, full, shape = (
        rf"(?s)\A{''.join(_patterns(elements, chosen, way))}{tail}\z" for way in get_args(Way)
    )
    return Layout(usual, full, shape, times, frozenset(roles))


def _merged(elements: Sequence[Element]) -> list[Element]:
    """With texts that stand side by side as one."""
    merged: list[Element] = []
    for element in elements:
        if merged and isinstance(element, str) and isinstance(merged[-1], str):
            merged[-1] += element
        else:
            merged.append(element)
    return merged


def _chosen(elements: Sequence[Element]) -> dict[int, Field]:
    """The fields whose text is wanted, by their place."""
    best: dict[Role, int] = {}
    fields = {at: element for at, element in enumerate(elements) if isinstance(element, Field)}
    for at, field in fields.items():
        slot = Role.TARGET if field.role is Role.REQUEST else field.role
        if slot not in best or field.rank < fields[best[slot]].rank:
            best[slot] = at
    target = best.get(Role.TARGET)
    if target is None or fields[target].role is Role.REQUEST or fields[target].rank == WHOLE:
        best.pop(Role.QUERY, None)
    for unwanted in (Role.TIME, Role.USER, Role.OTHER):
        best.pop(unwanted, None)
    return {at: fields[at] for at in sorted([*best.values(), *_times(fields)])}


def _times(fields: dict[int, Field]) -> list[int]:
    """The first time that is whole by itself, else all of them: they are parts of one."""
    every = [at for at, field in fields.items() if field.role is Role.TIME]
    best = min((fields[at].rank for at in every), default=0)
    times = [at for at in every if fields[at].rank == best]
    for at in times:
        if timestamps.is_complete(fields[at].code) and timestamps.has_offset(fields[at].code):
            return [at]
    return times


def _patterns(elements: Sequence[Element], chosen: dict[int, Field], way: Way) -> Iterator[str]:
    times = 0
    for at, element in enumerate(elements):
        if isinstance(element, str):
            yield escaped(element)
            continue
        pattern = Place.among(elements, at).pattern(element, way, at in chosen)
        loose = way == "shape" and element.role is Role.TIME
        if loose or at not in chosen or element.role is Role.REQUEST:
            yield pattern
        elif element.role is Role.TIME:
            yield f"(?P<time{times}>{pattern})"
            times += 1
        else:
            yield f"(?P<{element.role}>{pattern})"
