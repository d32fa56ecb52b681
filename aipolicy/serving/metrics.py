"""Metrics in Prometheus's text format: the lookup's status and the disallowed fetches."""

import logging
import os
from collections.abc import Iterator
from typing import Any

from aipolicy.errors import MissingExtraError
from aipolicy.forks import survive_forks
from aipolicy.lookup import LookupStatus
from aipolicy.serving.disallowed_fetches import FetchCounts
from aipolicy.serving.exchange import Response

logger = logging.getLogger("aipolicy.serving")

_Sample = tuple[str, str, str, float | None]
"""Kind, name, help text and value; a sample whose value is None is left out."""


class Metrics:
    """The metrics of one process.

    Args:
        lookup: The lookup whose status is reported.
        counts: The counters of disallowed fetches, with enforcement only.

    Raises:
        MissingExtraError: ``asgi-aipolicy[metrics]`` is not installed.
        TypeError: The lookup has no status.
    """

    def __init__(self, lookup: Any, counts: FetchCounts | None = None) -> None:
        if not callable(getattr(lookup, "status", None)):
            raise TypeError(f"status_path needs a lookup with a status method; {lookup!r} has none")
        try:
            from prometheus_client import exposition
        except ImportError:
            raise MissingExtraError.for_extra("status_path needs prometheus-client", "metrics") from None
        self._lookup, self._counts = lookup, counts
        self.after_fork()
        survive_forks(self)
        self._text, self._type = exposition.generate_latest, exposition.CONTENT_TYPE_LATEST

    def after_fork(self) -> None:
        """Make a registry whose lock no other thread holds."""
        from prometheus_client import CollectorRegistry

        self._registry = CollectorRegistry()
        self._registry.register(self)

    def describe(self) -> list[Any]:
        """Return nothing: the registry asks when the collector is registered."""
        return []

    def collect(self) -> Iterator[Any]:
        """Return the metric families; ``prometheus_client`` calls this for each response."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        families = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
        process = str(os.getpid())  # several workers answer in turn: each counts for itself
        for kind, name, about, value in _samples(self._lookup.status()):
            if value is not None:
                family = families[kind](f"aipolicy_{name}", about, labels=["pid"])
                family.add_metric([process], value)
                yield family
        if self._counts is not None:
            yield _fetches(self._counts, process)

    def response(self) -> Response:
        """Return the response to a request for the metrics. Never raises."""
        try:
            body = self._text(self._registry)
        except Exception:
            logger.exception("the metrics can't be collected")
            return Response(500, [(b"content-length", b"0")])
        headers = [
            (b"content-type", self._type.encode("ascii")),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        return Response(200, headers, body)


def _fetches(counts: FetchCounts, process: str) -> Any:
    from prometheus_client.core import CounterMetricFamily

    about = "Fetches that a site's policy disallows, by product token and outcome."
    family = CounterMetricFamily("aipolicy_disallowed_fetches", about, labels=["pid", "crawler", "outcome"])
    for (product_token, outcome), number in counts.items():
        family.add_metric([process, product_token, outcome], number)
    return family


def _samples(status: LookupStatus) -> Iterator[_Sample]:
    yield "gauge", "lookup_sites", "Hosts whose policy is in memory.", status.sites
    yield "gauge", "lookup_sites_max", "Maximum number of hosts in memory.", status.maxsize
    yield "gauge", "lookup_unknown_hosts", "Hosts that are remembered as unknown.", status.unknown_hosts
    yield "gauge", "lookup_memory_bytes", "Memory that the policies take.", status.memory
    yield "counter", "lookup_misses", "Loads that a request waited for.", status.misses
    yield "counter", "lookup_renewals", "Loads in the background.", status.renewals
    yield "gauge", "lookup_loads", "Loads that run now.", status.loads
    yield "counter", "lookup_refused", "Requests of unknown hosts answered without a load.", status.refused
    yield "counter", "lookup_requests", "Look-ups, with count_hits=True only.", status.requests
    yield "gauge", "lookup_seq", "Sequence number of the last change in force.", status.seq
    yield "gauge", "lookup_refresh_age_seconds", "Seconds since the source last answered.", status.refresh_age
    yield "gauge", "lookup_up", "1 if the source can be read, otherwise 0.", float(not status.error)
    if status.replica is not None:
        replica = status.replica
        yield "gauge", "replica_behind_changes", "Changes not in the replica yet.", replica.changes_behind
        yield "gauge", "replica_behind_seconds", "Seconds since it had all changes.", replica.seconds_behind
        yield "gauge", "replica_up", "1 if the follower can follow, otherwise 0.", float(not replica.error)
