"""The file of lists that ``aipolicy crawlers update`` keeps, and where it is.

``--ranges FILE`` or the variable AIPOLICY_RANGES name it; without either it is ``ranges.json`` in the user's
data directory for aipolicy (``~/.local/share/aipolicy``, or as XDG_DATA_HOME says), where there is one. It is
data and no cache: what lists had before can't be fetched again.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aipolicy.errors import MissingExtraError, RangesError
from aipolicy.identity.list_history import merged
from aipolicy.identity.operator_lists import Ranges, packaged_ranges

VARIABLE = "AIPOLICY_RANGES"
_LONGEST_VALIDATOR = 1024


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server says of a version, to be asked with the next time (RFC 9110 §8.8)."""

    etag: str | None
    last_modified: str | None


@dataclass(frozen=True, slots=True)
class RangesFile:
    """What the file holds: the lists, and the validators of those that were fetched, by URL."""

    ranges: Ranges
    validators: dict[str, Validators] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises RangesError naming the file."""
        try:
            given: Any = json.loads(path.read_bytes())
            validators = {url: _validators(*pair) for url, pair in given.get("validators", {}).items()}
            return cls(Ranges.from_dict(given), validators)
        except OSError as error:
            fix = "aipolicy crawlers update --to FILE makes one"
            raise RangesError(f"'{path}' can't be read ({error.strerror}): {fix}") from None
        except (ValueError, RecursionError, AttributeError, TypeError) as error:
            fix = "take it away, and aipolicy crawlers update makes another"
            raise RangesError(f"'{path}' is no file of address lists ({error}): {fix}") from None

    def to_json(self) -> str:
        validators = {url: [each.etag, each.last_modified] for url, each in sorted(self.validators.items())}
        return json.dumps(self.ranges.to_dict() | {"validators": validators}, indent=1) + "\n"


def _validators(etag: Any, last_modified: Any) -> Validators:
    if not all(isinstance(each, str | None) for each in (etag, last_modified)):
        raise ValueError(f"{etag!r} or {last_modified!r} is no validator")
    return Validators(sendable(etag), sendable(last_modified))


def sendable(validator: str | None) -> str | None:
    """The validator, or None where it is none that can be asked with."""
    if not validator or len(validator) > _LONGEST_VALIDATOR:
        return None
    return validator if validator.isascii() and validator.isprintable() else None


def kept_path() -> Path:
    """Where the file is unless a command says otherwise; it need not be there."""
    return Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else default_path()


def default_path() -> Path:
    """The file in the user's data directory. Raises MissingExtraError."""
    try:
        import platformdirs
    except ImportError:
        raise MissingExtraError.for_extra("identity needs platformdirs", "identity") from None
    return platformdirs.user_data_path("aipolicy", appauthor=False) / "ranges.json"


def ranges_in_force(file: str | Path | None = None) -> tuple[Ranges, Path | None]:
    """The lists that clients are checked against, and the file that they are from; None: the package's.

    A file that is named, here or by AIPOLICY_RANGES, is taken as it is. Beside that of the user's data
    directory, the package counts where its copy of a list is newer. Raises RangesError naming a file that is
    damaged, or named and not there.
    """
    if file is not None or os.environ.get(VARIABLE):
        path = Path(file) if file is not None else kept_path()
        return RangesFile.read(path).ranges, path
    path = default_path()
    if not path.exists():
        return packaged_ranges(), None
    return merged(RangesFile.read(path).ranges, packaged_ranges()), path
