"""How far a folder of files is: ``.aipolicy.json`` in it."""

import json
import os
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import product
from pathlib import Path

from aipolicy.bulk.folder_layout import NOTHING_RESERVED
from aipolicy.bulk.host_folder import STATE, UNFINISHED
from aipolicy.core.crawlers import Scope
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.core.validation import Visibility
from aipolicy.errors import AIPolicyError
from aipolicy.rendering import render
from aipolicy.signals.switches import Signals

_LAYOUT = 1


@dataclass(frozen=True, slots=True)
class State:
    """``seq`` is the last change that every file has, or None while the first pass goes on.

    ``after`` is the last host that the pass going on has written, ``since`` the change it began at.
    ``digest`` is of the change ``seq`` or ``since``: see ``core.mark``. Where
    ``registry`` or ``rendering`` is another one, all of the files may be out of date.
    """

    registry: str
    rendering: str
    seq: int | None = None
    since: int | None = None
    after: str = ""
    digest: str = ""  # one that was written without it is of no change
    layout: int = _LAYOUT

    @classmethod
    def read(cls, folder: Path) -> "State | None":
        """The folder's state, None where it is new. Raises AIPolicyError."""
        path = folder / STATE
        try:
            state = cls(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            fix = "remove that file's directory, and write it anew"
            raise AIPolicyError(f"'{path}' can't be read ({error}): {fix}") from error
        if state.layout != _LAYOUT:
            fix = "a newer aipolicy wrote it: upgrade, or give another directory"
            raise AIPolicyError(f"'{path}' has layout {state.layout}, not {_LAYOUT}: {fix}")
        return state

    def save(self, folder: Path) -> None:
        """Keep it, once all that it speaks of is on the disk."""
        os.sync()
        unfinished = folder / f"{STATE}{UNFINISHED}"
        unfinished.write_text(json.dumps(asdict(self), indent=2) + "\n")
        unfinished.replace(folder / STATE)


def rendering_of(signals: Signals) -> str:
    """Changes with the signals, the crawler table and this package: whenever files come out different."""
    digest = blake2b(digest_size=12)
    for preset, visibility, scope in product(PRESETS, Visibility, Scope):
        rendering = render(SitePolicy.from_preset(preset, visibility=visibility, scope=scope), signals)
        digest.update(rendering.robots.body)
        digest.update(rendering.tdmrep.body if rendering.tdmrep else NOTHING_RESERVED)
    return digest.hexdigest()
