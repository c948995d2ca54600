"""What is measured: how long requests and providers take, in Prometheus' form.

Labels are names of ours (operations, providers, calls, outcomes), so there are never more series
than the shop has routes and providers; nothing of a request or a person is in them.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST

_REQUESTS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_PROVIDERS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)


class Meters:
    """The measurements of one server process since it started."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "checkstand_request_seconds",
            "Time from a request to its answer, by operation and class of status.",
            ("operation", "status"),
            buckets=_REQUESTS,
            registry=self._registry,
        )
        self._providers = Histogram(
            "checkstand_provider_seconds",
            "Time that payment and address providers took to answer, by call and outcome.",
            ("provider", "call", "outcome"),
            buckets=_PROVIDERS,
            registry=self._registry,
        )
        self._children: dict[tuple[str, int], Histogram] = {}

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """A request was answered. `operation` is the name of its route's function."""
        key = (operation, status // 100)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._requests.labels(operation, f"{status // 100}xx")
        child.observe(seconds)

    def asked(self, provider: str, call: str, outcome: str, seconds: float) -> None:
        """A payment or address provider answered, or did not in time."""
        self._providers.labels(provider, call, outcome).observe(seconds)

    def text(self) -> bytes:
        """Everything measured, as Prometheus reads it."""
        return generate_latest(self._registry)
