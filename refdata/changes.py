"""What moved between two snapshots, and which moves a person has to approve.

Amounts are compared in EUR, so that a new year's exchange rate alone is no change of a threshold.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from engine import schema
from engine.enums import AssetClass
from refdata.snapshot import Snapshot, eur, mrm_of

FLAGS = {0: "no", 1: "yes"}
ISINS_SHOWN_MAX = 10


class Change(NamedTuple):
    """One field of one instrument; `what` is "added" or "removed" where it is all of it."""

    isin: str
    name: str
    what: str
    before: str
    after: str


class Breach(NamedTuple):
    """A guard rail that a build went over: which, by how much, where."""

    guard: str
    value: str
    limit: str
    isins: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(self.isins[:ISINS_SHOWN_MAX])
        more = len(self.isins) - ISINS_SHOWN_MAX
        where = f": {shown}" + (f" and {more} more" if more > 0 else "") if shown else ""
        return f"{self.guard}: {self.value}, the limit is {self.limit}{where}"


class Limits(NamedTuple):
    """What may pass without a person: see `[guards]` of the firm's file."""

    threshold_factor: Decimal
    missing_share_max: Decimal
    age_days_max: int


def amount(value: Decimal) -> str:
    """EUR for reading: grouped, without empty cents."""
    return f"{value:,.2f}".removesuffix(".00")


def compare(old: Snapshot, new: Snapshot) -> list[Change]:
    """Every change, by ISIN."""
    before, after = _by_isin(old), _by_isin(new)
    changes: list[Change] = []
    for isin in sorted(before.keys() | after.keys()):
        if isin not in before:
            row, name, _ = after[isin]
            changes.append(Change(isin, name, "added", "", _in_short(row)))
        elif isin not in after:
            row, name, _ = before[isin]
            changes.append(Change(isin, name, "removed", _in_short(row), ""))
        else:
            name = after[isin][1]
            pair = zip(_fields(*before[isin]), _fields(*after[isin]), strict=True)
            changes += [
                Change(isin, name, what, was, now) for (what, was), (_, now) in pair if was != now
            ]
    return changes


def breaches(
    old: Snapshot | None, new: Snapshot, newest_file: date | None, limits: Limits
) -> list[Breach]:
    """Guard rails that `new` goes over, against the snapshot before if there is one."""
    found = list(_of_age(new.as_of, newest_file, limits))
    if old is not None:
        found += _of_moves(old, new, limits)
        found += _of_missing(old, new, limits)
    return found


def _of_age(as_of: date, newest: date | None, limits: Limits) -> Iterator[Breach]:
    if newest is None:
        yield Breach("age of the newest FITRS file", "its day is unknown", "a day", ())
        return
    days = (as_of - newest).days
    if days > limits.age_days_max:
        yield Breach("age of the newest FITRS file", f"{days} days", str(limits.age_days_max), ())
    if days < 0:
        yield Breach("a FITRS file of the future", newest.isoformat(), as_of.isoformat(), ())


def _of_moves(old: Snapshot, new: Snapshot, limits: Limits) -> Iterator[Breach]:
    before, after = _by_isin(old), _by_isin(new)
    for field, name in (("sms_e6", "SMS"), ("lis_e6", "LIS")):
        factors: dict[str, Decimal] = {}
        for isin in before.keys() & after.keys():
            was = eur(before[isin][0][field], before[isin][0]["eur_per_unit_e9"])
            now = eur(after[isin][0][field], after[isin][0]["eur_per_unit_e9"])
            if was and now and max(was / now, now / was) > limits.threshold_factor:
                factors[isin] = max(was / now, now / was)
        if factors:
            worst = sorted(factors, key=lambda isin: (-factors[isin], isin))
            value = f"moved by a factor of up to {factors[worst[0]]:.2f}"
            yield Breach(name, value, str(limits.threshold_factor), tuple(worst))


def _of_missing(old: Snapshot, new: Snapshot, limits: Limits) -> Iterator[Breach]:
    """Instruments that could be traded before and cannot now."""
    usable = {isin for isin, entry in _by_isin(old).items() if _is_usable(entry[0])}
    now = {isin for isin, entry in _by_isin(new).items() if _is_usable(entry[0])}
    gone = sorted(usable - now)
    if usable and Decimal(len(gone)) / len(usable) > limits.missing_share_max:
        value = f"{len(gone)} of {len(usable)} no longer have what trading needs"
        yield Breach("missing share", value, str(limits.missing_share_max), tuple(gone))


def _is_usable(row: Any) -> bool:
    return bool(row["si"] and row["lis_e6"] and (row["sms_e6"] or not row["liquid"]))


def _by_isin(read: Snapshot) -> dict[str, tuple[Any, str, Sequence[str]]]:
    return {
        schema.unpack(row["isin"]): (row, name, read.venues)
        for row, name in zip(read.instruments, read.names, strict=True)
    }


def _fields(row: Any, name: str, venues: Sequence[str]) -> list[tuple[str, str]]:
    """What a reader of a diff cares about, as text."""
    rate = int(row["eur_per_unit_e9"])
    return [
        ("SMS", amount(eur(row["sms_e6"], rate))),
        ("LIS", amount(eur(row["lis_e6"], rate))),
        ("tick band", str(int(row["tick_band"]))),
        ("liquid", FLAGS[int(row["liquid"])]),
        ("SI", FLAGS[int(row["si"])]),
        ("MRM", mrm_of(row, venues)),
        ("class", AssetClass(int(row["asset_class"])).name.lower()),
        ("currency", schema.unpack(row["currency"])),
        ("lot", str(int(row["lot"]))),
        ("largest order", amount(eur(row["order_max_e6"], rate))),
        ("largest position", amount(eur(row["position_max_e6"], rate))),
    ]


def _in_short(row: Any) -> str:
    rate = int(row["eur_per_unit_e9"])
    sms, lis = amount(eur(row["sms_e6"], rate)), amount(eur(row["lis_e6"], rate))
    return f"SMS {sms}, LIS {lis}, band {int(row['tick_band'])}"
