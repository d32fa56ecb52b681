"""The bytes of the remembered renderings, each counted once however many sites share it."""

import sys

from aipolicy.rendering import Rendering

_ENTRY = 400  # bytes of one host in the tables, roughly: its name, its place and its times
_RENDERING, _PATH = 3000, 600  # of all but the files; of one path with headers of its own
_LARGE = 16 * 1024


class Weights:
    """Counts what is in several tables together; ``total`` is the sum in bytes."""

    __slots__ = ("_max_bytes", "_uses", "total")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.total = 0
        self._uses: dict[Rendering, tuple[int, int]] = {}  # how often it is used, and what it weighs

    def are_too_heavy(self) -> bool:
        """Return True if all together is over the bound."""
        return self.total > self._max_bytes

    def add(self, rendering: Rendering) -> bool:
        """Count one more use; return True if the rendering is a large one."""
        uses, weight = self._uses.get(rendering) or (0, weigh(rendering))
        self._uses[rendering] = uses + 1, weight
        self.total += _ENTRY + (0 if uses else weight)
        return weight > _LARGE

    def remove(self, rendering: Rendering) -> None:
        """Count one use less."""
        uses, weight = self._uses.pop(rendering)
        self.total -= _ENTRY
        if uses > 1:
            self._uses[rendering] = uses - 1, weight
        else:
            self.total -= weight


def weigh(rendering: Rendering) -> int:
    """Return the bytes that a rendering takes, with its policy; of a large one, with its stand-in, too."""
    policy = rendering.policy
    files = [document.body for document in (rendering.robots, rendering.tdmrep, rendering.ai_txt) if document]
    texts = [
        policy.robots_base,
        policy.tdm_policy_url,
        policy.license_url,
        *policy.sitemaps,
        *policy.licensed,
    ]
    sizes = sum(map(sys.getsizeof, files)) + sum(sys.getsizeof(text) for text in texts if text)
    weight = _RENDERING + sizes + sum(_PATH + 2 * sys.getsizeof(pattern) for pattern, _ in rendering.paths)
    return weight if weight <= _LARGE or policy.opted_out else 2 * weight
