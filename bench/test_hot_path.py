"""Pieces of the hot path in process, with everything on; `make bench` times them."""

import numpy as np
import pytest
import simplefix

from bench.hot_path import HotPath, orders_through

ORDERS = 2_000


@pytest.fixture(scope="module")
def path() -> HotPath:
    return HotPath()


def test_order_to_fill(benchmark, path: HotPath) -> None:  # type: ignore[no-untyped-def]
    """FIX bytes in -> journalled fill, FIX bytes out: ORDERS of them a round."""
    filled = benchmark.pedantic(
        orders_through, args=(path, ORDERS), rounds=20, iterations=1, warmup_rounds=2
    )
    assert filled == ORDERS
    benchmark.extra_info["orders"] = ORDERS


def test_baseline_simplefix(benchmark, path: HotPath) -> None:  # type: ignore[no-untyped-def]
    """The same parsing and encoding with simplefix, decision and journal left out."""
    order, report = path.message.tobytes(), path.last_report()

    def both() -> int:
        for _ in range(ORDERS // 20):
            parser = simplefix.FixParser()
            parser.append_buffer(order)
            assert parser.get_message() is not None
            message = simplefix.FixMessage()
            for tag, value in report:
                message.append_pair(tag, value)
            message.encode()
        return ORDERS // 20

    assert benchmark.pedantic(both, rounds=5, iterations=1, warmup_rounds=1) == ORDERS // 20


def test_venue_quotes(benchmark, path: HotPath) -> None:  # type: ignore[no-untyped-def]
    """BBO updates: consolidate and requote, in process."""
    count = benchmark.pedantic(path.venue_quotes, args=(20_000,), rounds=10, warmup_rounds=1)
    assert count == 20_000 and np.all(path.tables.quotes["state"][:1] == 1)
