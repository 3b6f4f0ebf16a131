"""What `si.toml` says of the firm's protection: `[risk]`, `[[tiers]]`, the limits of a client."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from engine.limits import INT64_MAX, REPEATS_MAX, TIERS

Eur = Annotated[Decimal, Field(ge=0, le=Decimal(10) ** 12)]
Count = Annotated[int, Field(ge=0, le=INT64_MAX)]
PerSecond = Annotated[int, Field(ge=0, le=1_000_000)]
TierNumber = Annotated[int, Field(ge=0, lt=TIERS)]


class _Section(BaseModel):
    """A typo is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Risk(_Section):
    """Limits of the firm as a whole, 0 or absent: none; and how many people loosen a limit."""

    approvals: Literal[1, 2] = 1
    loss_max_eur: Eur = Decimal(0)
    instrument_loss_max_eur: Eur = Decimal(0)
    gross_max_eur: Eur = Decimal(0)
    net_max_eur: Eur = Decimal(0)
    repeat_max: Annotated[int, Field(ge=0, le=REPEATS_MAX)] = 0
    repeat_window_ms: Annotated[int, Field(gt=0, le=86_400_000)] = 1_000
    undue_orders_per_second: Count = 0
    undue_notional_eur_per_second: Eur = Decimal(0)


class LimitFields(_Section):
    """Limits that a client or a tier may name; absent: the tier's, 0: none."""

    order_max_eur: Eur | None = None
    day_max_eur: Eur | None = None
    fills_max: Count | None = None
    orders_per_second: PerSecond | None = None
    credit_eur: Eur | None = None


class Tier(LimitFields):
    """A group of clients by published criteria (MiFIR Art 17(1)), with the limits it has."""

    tier: TierNumber
    name: Annotated[str, Field(min_length=1, max_length=64)]
    criteria: Annotated[str, Field(min_length=1, max_length=2_000)]


class Limits(NamedTuple):
    """What holds for a client: 0 is none."""

    order_max_eur: Decimal
    day_max_eur: Decimal
    fills_max: int
    orders_per_second: int
    credit_eur: Decimal


def check_tiers(tiers: Sequence[Tier], members: Sequence[tuple[str, int]]) -> None:
    """Raise ValueError for a tier given twice, or a client in one that is not there.

    `members`: each client's name and tier. Without `[[tiers]]` a tier is a number without limits.
    """
    numbers = [tier.tier for tier in tiers]
    for number in numbers:
        if numbers.count(number) > 1:
            raise ValueError(f"tiers: tier {number} is there twice: give each a number of its own")
    names = [tier.name for tier in tiers]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"tiers: name {name!r} is there twice: give each a name of its own")
    for client, number in members:
        if tiers and number not in numbers:
            raise ValueError(
                f"clients: {client!r} is in tier {number}, which is none of "
                f"{', '.join(map(str, sorted(numbers)))}: add [[tiers]] with tier = {number}"
            )


def limits_of(fields: LimitFields, number: int, tiers: Sequence[Tier]) -> Limits:
    """A client's own limits where it has them, else those of its tier, else none."""
    tier = next((tier for tier in tiers if tier.tier == number), LimitFields())

    def pick(name: str) -> Decimal | int:
        own, shared = getattr(fields, name), getattr(tier, name)
        found: Decimal | int = own if own is not None else shared if shared is not None else 0
        return found

    return Limits(
        order_max_eur=Decimal(pick("order_max_eur")),
        day_max_eur=Decimal(pick("day_max_eur")),
        fills_max=int(pick("fills_max")),
        orders_per_second=int(pick("orders_per_second")),
        credit_eur=Decimal(pick("credit_eur")),
    )
