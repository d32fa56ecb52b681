"""The file of address lists that ``aipolicy crawlers update`` writes.

Its path comes from ``--ranges FILE`` or the variable AIPOLICY_RANGES. By default it is ``ranges.json`` in
the user's data directory (``~/.local/share/aipolicy``, or below XDG_DATA_HOME), if it exists. It is data and
not a cache: the earlier contents of lists can't be fetched again.
"""

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aipolicy.errors import MissingExtraError, RangesError
from aipolicy.forks import fork_safe_lock
from aipolicy.identity.list_history import merged
from aipolicy.identity.operator_lists import Ranges, packaged_ranges

logger = logging.getLogger("aipolicy.identity")

VARIABLE = "AIPOLICY_RANGES"
_CHECK_INTERVAL = 60.0  # seconds between two looks at the file
_MAX_VALIDATOR = 1024  # characters


@dataclass(frozen=True, slots=True)
class Validators:
    """A server's validators of a version, sent with the next request (RFC 9110 §8.8)."""

    etag: str | None
    last_modified: str | None


@dataclass(frozen=True, slots=True)
class RangesFile:
    """The contents of the file: the lists, and the validators of those that were fetched, by URL."""

    ranges: Ranges
    validators: dict[str, Validators] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            RangesError: It is missing or invalid; the message names it.
        """
        try:
            document: Any = json.loads(path.read_bytes())
            validators = {url: _validators(*pair) for url, pair in document.get("validators", {}).items()}
            return cls(Ranges.from_dict(document), validators)
        except OSError as error:
            fix = "`aipolicy crawlers update --to FILE` creates one"
            raise RangesError(f"'{path}' can't be read ({error.strerror}): {fix}") from None
        except (ValueError, RecursionError, AttributeError, TypeError) as error:
            fix = "remove it, and `aipolicy crawlers update` creates another"
            raise RangesError(f"'{path}' is not a valid file of address lists ({error}): {fix}") from None

    def to_json(self) -> str:
        validators = {url: [each.etag, each.last_modified] for url, each in sorted(self.validators.items())}
        return json.dumps(self.ranges.to_dict() | {"validators": validators}, indent=1) + "\n"


def _validators(etag: Any, last_modified: Any) -> Validators:
    if not all(isinstance(each, str | None) for each in (etag, last_modified)):
        raise ValueError(f"{etag!r} or {last_modified!r} is not a valid validator")
    return Validators(valid_validator(etag), valid_validator(last_modified))


def valid_validator(validator: str | None) -> str | None:
    """Return the validator, or None if it can't be sent in a request."""
    if not validator or len(validator) > _MAX_VALIDATOR:
        return None
    return validator if validator.isascii() and validator.isprintable() else None


def ranges_path() -> Path:
    """Return the path from AIPOLICY_RANGES, or the default path. The file may not exist."""
    return Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else default_path()


def default_path() -> Path:
    """Return the path in the user's data directory.

    Raises:
        MissingExtraError: platformdirs is not installed.
    """
    try:
        import platformdirs
    except ImportError:
        raise MissingExtraError.for_extra("identity needs platformdirs", "identity") from None
    return platformdirs.user_data_path("aipolicy", appauthor=False) / "ranges.json"


def ranges_in_force(file: str | Path | None = None) -> tuple[Ranges, Path | None]:
    """Return the lists that clients are checked against, and their file; None for the packaged lists.

    A file named here or by AIPOLICY_RANGES is used alone. The file in the user's data directory is merged
    with the packaged lists, so that the newer copy of each list counts.

    Raises:
        RangesError: The file is invalid, or was named and doesn't exist.
    """
    if file is not None or os.environ.get(VARIABLE):
        path = Path(file) if file is not None else ranges_path()
        return RangesFile.read(path).ranges, path
    path = default_path()
    if not path.exists():
        return packaged_ranges(), None
    return merged(RangesFile.read(path).ranges, packaged_ranges()), path


class RangesWatcher:
    """A watcher that reads the lists in force again after their file changes, for servers.

    If the file becomes invalid, that is logged once and the last valid lists stay.

    Attributes:
        ranges: The lists in force.

    Raises:
        RangesError: The file is invalid at the start.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._path = ranges_path()
        self._version = _version(self._path)
        self._check_at = clock() + _CHECK_INTERVAL
        self._lock = fork_safe_lock()
        self.ranges: Ranges = ranges_in_force()[0]

    @property
    def due(self) -> bool:
        """True if it is time for ``reload``. Cheap enough for each request."""
        return self._clock() >= self._check_at

    def reload(self) -> Ranges | None:
        """Return the lists if the file has changed, else None. Reads a file: not for the request path."""
        with self._lock:
            self._check_at = self._clock() + _CHECK_INTERVAL
            version = _version(self._path)
            if version == self._version or version is None:
                return None
            self._version = version
            try:
                self.ranges = ranges_in_force()[0]
            except RangesError as error:
                logger.error("the address lists can't be reloaded, and stay as they were: %s", error)
                return None
            return self.ranges


def _version(path: Path) -> tuple[int, int, int] | None:
    """Return values that change with the file; None if it doesn't exist."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
