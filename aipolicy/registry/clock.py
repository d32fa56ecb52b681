"""The time of a change, which never falls; and a warning where a clock ran far ahead."""

import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from aipolicy.registry.changes import microseconds, moment
from aipolicy.registry.schema import change

_FAR = 3_600_000_000  # microseconds
_TIME_OF = select(change.c.at).where(change.c.seq == bindparam("seq"))
_AHEAD = (
    "the latest change, %d, is of %s, but this machine's clock says %s: changes get that time, too, and a "
    "question about a time before it is answered without them; set the clocks of all machines that write, "
    "and where that change's was wrong, import the sites into a new registry"
)
logger = logging.getLogger("aipolicy.registry")


class Times:
    """What ``clock`` tells, with its zone, as far as the history lets it."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._warned = False

    def after(self, connection: Connection, last: int) -> int:
        """The time of what follows the change ``last``, in microseconds since the epoch.

        The clock may have been set back, the history never is.
        One that is far ahead is logged, once: an owner's no isn't refused for another machine's clock.
        """
        now = microseconds(self._clock())
        at = connection.execute(_TIME_OF, {"seq": last}).scalar() or 0
        if at > now + _FAR and not self._warned:
            self._warned = True
            logger.warning(
                _AHEAD,
                last,
                moment(at).isoformat(timespec="seconds"),
                moment(now).isoformat(timespec="seconds"),
            )
        return max(now, at)
