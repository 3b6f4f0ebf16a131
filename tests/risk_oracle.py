"""What the firm has won, lost and holds, in fractions: from reports, quotes and nothing else."""

from fractions import Fraction
from typing import Any, NamedTuple

from tests.oracle import Oracle

NORMAL, LOCKED = 0, 1
BUY = 1
E6, E9 = 10**6, 10**9


class Held(NamedTuple):
    """One instrument, amounts in the price's currency."""

    qty: int = 0
    cash: Fraction = Fraction(0)
    mark: Fraction = Fraction(0)


class Ledger:
    """Balances by instrument; `books` knows the market, `rates` EUR for one unit of currency."""

    def __init__(self, books: Oracle, rates: list[Fraction]) -> None:
        self.books, self.rates = books, rates
        self.held = [Held() for _ in rates]

    def mid(self, instrument: int, ts_ns: int) -> Fraction | None:
        bbo = self.books._bbo(instrument, ts_ns)
        if bbo["state"] not in (NORMAL, LOCKED):
            return None
        return (Fraction(bbo["bid"]) + Fraction(bbo["ask"])) / 2

    def on_quote(self, instrument: int, ts_ns: int) -> None:
        held, mid = self.held[instrument], self.mid(instrument, ts_ns)
        if held.qty and mid is not None:
            self.held[instrument] = held._replace(mark=mid)

    def on_fill(self, fill: Any, ts_ns: int) -> None:
        row = int(fill["instrument"])
        held, px = self.held[row], Fraction(int(fill["last_px_e6"]), E6)
        bought = int(fill["last_qty"]) * (-1 if fill["side"] == BUY else 1)
        mark = self.mid(row, ts_ns)
        if mark is None:
            mark = held.mark if held.qty else px
        self.held[row] = Held(held.qty + bought, held.cash - bought * px, mark)

    def value_eur_e6(self, row: int) -> int:
        """A position's value: each step rounded to zero, to the millionth."""
        held = self.held[row]
        return int(int(held.qty * held.mark * E6) * self.rates[row])

    def pnl_eur_e6(self, row: int) -> int:
        held = self.held[row]
        return int((held.cash * E6 + int(held.qty * held.mark * E6)) * self.rates[row])

    def sums(self) -> tuple[int, int, int]:
        """P&L, gross and net in EUR, `_e6`."""
        rows = range(len(self.held))
        values = [self.value_eur_e6(row) for row in rows]
        pnl = sum(self.pnl_eur_e6(row) for row in rows)
        return pnl, sum(map(abs, values)), sum(values)
