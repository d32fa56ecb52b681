"""Which hosts send which headers: sites with equal headers are one class."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aipolicy.core.policy import SitePolicy, preset_named
from aipolicy.core.validation import Visibility
from aipolicy.errors import AIPolicyError, PolicyError
from aipolicy.lookup.renderer import Renderer
from aipolicy.signals.header_field import Header
from aipolicy.signals.headers import as_text, headers_of
from aipolicy.signals.switches import Signals

Lines = tuple[tuple[str, str], ...]
"""Names, spelt as their specifications do, and values."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One header line that a site may send. ``variable`` is its name for a server's configuration."""

    name: str
    value: str | None
    variable: str

    def of(self, lines: Lines) -> str:
        """The line's value among those of a class; "" where it isn't sent."""
        return next((v for n, v in lines if n == self.name and self.value in (None, v)), "")


class HeaderSets:
    """Numbers the header sets as they are met; 0 is that of hosts that are no site's."""

    def __init__(self, default: str, signals: Signals) -> None:
        self._renderer = Renderer(signals)
        default_policy = SitePolicy.from_preset(preset_named(default))
        self._numbers: dict[Lines, int] = {_lines(self._renderer.rendering(default_policy).site.headers): 0}
        self.slots = _slots(signals)
        self.hosts = self.with_paths = 0
        self.unusable: list[str] = []

    def numbered(self, texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, int]]:
        """Hosts and policies in JSON → each host whose headers are not the default's, and their number.

        A policy that can't be used is left at the default, and its host kept in ``unusable``.
        """
        for host, text in texts:
            self.hosts += 1
            try:
                rendering = self._renderer.read(text.encode())
            except (AIPolicyError, ValueError, TypeError, RecursionError):
                self.unusable.append(host)
                continue
            self.with_paths += bool(rendering.paths)
            lines = _lines(rendering.site.headers)
            number = self._numbers.setdefault(lines, len(self._numbers))
            if number:
                yield host, number

    def __iter__(self) -> Iterator[tuple[int, Lines]]:
        """Every set met so far, by its number."""
        return ((number, lines) for lines, number in self._numbers.items())


def _lines(headers: Iterable[Header]) -> Lines:
    lines = tuple(map(as_text, headers))
    for name, value in lines:
        if not value.isprintable():
            raise PolicyError(f"the header {name} would be {value!r}: it must be printable")
    return lines


def _slots(signals: Signals) -> tuple[Slot, ...]:
    """Every line that any site may send with these signals, in the order in which they are sent."""
    url = "https://blog.example/"
    everything = SitePolicy.from_preset(
        "no-ai", visibility=Visibility.DISCOURAGED, tdm_policy_url=url, license_url=url
    )
    slots: list[Slot] = []
    for name, value in _lines(headers_of(everything, everything.effective, signals)):
        before = sum(slot.name == name for slot in slots)
        variable = "aipolicy_" + name.lower().replace("-", "_") + (f"_{before + 1}" if before else "")
        # Only X-Robots-Tag has several lines, and each of them always the same value.
        slots.append(Slot(name, value if name == "X-Robots-Tag" else None, variable))
    return tuple(slots)
