"""The lookup's status as Prometheus reads it, at a path of our own."""

import os
from collections.abc import Iterator
from typing import Any

from aipolicy.errors import MissingExtraError
from aipolicy.forks import survive_forks
from aipolicy.lookup import LookupStatus
from aipolicy.signals.header_field import Header

Figure = tuple[str, str, str, float | None]
"""Kind, name, help and value; None: there is none now, and nothing is told."""


class Metrics:
    """Raises MissingExtraError; TypeError for a lookup that has no status."""

    def __init__(self, lookup: Any) -> None:
        if not callable(getattr(lookup, "status", None)):
            raise TypeError(f"status_path needs a lookup that has a status, and {lookup!r} has none")
        try:
            from prometheus_client import exposition
        except ImportError:
            raise MissingExtraError.for_extra("status_path needs prometheus-client", "metrics") from None
        self._lookup = lookup
        self.after_fork()
        survive_forks(self)
        self._text, self._type = exposition.generate_latest, exposition.CONTENT_TYPE_LATEST

    def after_fork(self) -> None:
        """Make a registry whose lock nobody holds."""
        from prometheus_client import CollectorRegistry

        self._registry = CollectorRegistry()
        self._registry.register(self)

    def describe(self) -> list[Any]:
        """Nothing yet: the registry asks when it takes us in."""
        return []

    def collect(self) -> Iterator[Any]:
        """What ``prometheus_client`` calls for each answer."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        families = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
        process = [str(os.getpid())]  # several workers answer in turn: each counts for itself
        for kind, name, about, value in _figures(self._lookup.status()):
            if value is not None:
                family = families[kind](f"aipolicy_{name}", about, labels=["pid"])
                family.add_metric(process, value)
                yield family

    def answer(self) -> tuple[list[Header], bytes]:
        """Headers and body of a response."""
        body = self._text(self._registry)
        headers = [
            (b"content-type", self._type.encode("ascii")),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        return headers, body


def _figures(status: LookupStatus) -> Iterator[Figure]:
    yield "gauge", "lookup_sites", "Hosts whose answer is in memory.", status.sites
    yield "gauge", "lookup_sites_max", "Hosts whose answer may be in memory.", status.maxsize
    yield "gauge", "lookup_strangers", "Hosts that are remembered as no site's.", status.unknown_hosts
    yield "gauge", "lookup_memory_bytes", "Bytes of the answers in memory.", status.memory
    yield "counter", "lookup_misses", "Answers that a request waited for.", status.misses
    yield "counter", "lookup_renewals", "Answers that were loaded in the background.", status.renewals
    yield "gauge", "lookup_loads", "Hosts that are being loaded now.", status.loads
    yield "counter", "lookup_refused", "Unknown hosts that got the default without a load.", status.refused
    yield "counter", "lookup_requests", "Answers, where they are counted.", status.requests
    yield "gauge", "lookup_seq", "The last change that is in force.", status.seq
    yield "gauge", "lookup_refresh_age_seconds", "Since the source last answered.", status.refresh_age
    yield "gauge", "lookup_up", "Whether the source can be read now.", float(not status.error)
    if status.replica is not None:
        replica = status.replica
        yield "gauge", "replica_behind_changes", "That the registry has more.", replica.changes_behind
        yield "gauge", "replica_behind_seconds", "Since the replica had all changes.", replica.seconds_behind
        yield "gauge", "replica_up", "Whether the follower can follow now.", float(not replica.error)
