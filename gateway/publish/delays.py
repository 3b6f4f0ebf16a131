"""How long after it was entered a quote was published, in an HdrHistogram."""

from __future__ import annotations

from typing import Any

from hdrh.histogram import HdrHistogram

LOWEST_NS, HIGHEST_NS, DIGITS = 1, 24 * 3600 * 10**9, 3
PERCENTILES = (("p50", 50.0), ("p99", 99.0), ("p999", 99.9))


class Delays:
    """Of the quotes entered since `started_ns`; older ones are caught up, and counted apart."""

    def __init__(self, started_ns: int) -> None:
        self.started_ns = started_ns
        self.caught_up = 0
        self._histogram = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)

    def add(self, entered_ns: list[int], published_ns: int) -> None:
        """Quotes that were all published at one moment."""
        for each in entered_ns:
            if each < self.started_ns:
                self.caught_up += 1
            else:
                delay_ns = min(max(published_ns - each, LOWEST_NS), HIGHEST_NS)
                self._histogram.record_value(delay_ns)

    @property
    def count(self) -> int:
        """Quotes that were measured."""
        return int(self._histogram.get_total_count())

    def as_dict(self) -> dict[str, Any]:
        """Percentiles in ns, None where nothing was measured."""
        made: dict[str, Any] = {"count": self.count, "caught_up": self.caught_up}
        for name, percentile in PERCENTILES:
            value = int(self._histogram.get_value_at_percentile(percentile))
            made[f"{name}_ns"] = value if self.count else None
        made["max_ns"] = int(self._histogram.get_max_value()) if self.count else None
        return made
