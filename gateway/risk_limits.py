"""Limits that may be changed while the engine runs: their names, their units, what si.toml says.

`limit_changes` (`engine.risk_schema`) has a limit by its place in `LIMITS`: new ones come last.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import ValidationError

from engine.enums import LimitScope
from gateway.config import Config
from gateway.errors import UserError
from gateway.risk_config import LimitFields, Risk, limits_of

MILLIONTHS = 10**6
MS_NS = 10**6


class Limit(NamedTuple):
    """A limit as si.toml calls it, and as the engine's row does."""

    name: str
    field: str
    scale: int = 1  # the row's units in one of si.toml's
    smaller_is_looser: bool = False

    def number(self, value: Decimal | int) -> int:
        """A value of si.toml as the row has it."""
        return int(value * self.scale)

    def in_words(self, number: int) -> str | None:
        """The row's number as si.toml would say it; None: no limit."""
        return f"{(Decimal(number) / self.scale).normalize():f}" if number else None

    def loosens(self, old: int, new: int) -> bool:
        """Whether more passes than before."""
        if old == 0 or new == 0:
            return new == 0
        return new < old if self.smaller_is_looser else new > old


FIRM = (
    Limit("loss_max_eur", "loss_max_eur_e6", MILLIONTHS),
    Limit("instrument_loss_max_eur", "instrument_loss_max_eur_e6", MILLIONTHS),
    Limit("gross_max_eur", "gross_max_eur_e6", MILLIONTHS),
    Limit("net_max_eur", "net_max_eur_e6", MILLIONTHS),
    Limit("repeat_max", "repeat_max"),
    Limit("repeat_window_ms", "repeat_window_ns", MS_NS, smaller_is_looser=True),
    Limit("undue_orders_per_second", "undue_fills_max"),
    Limit("undue_notional_eur_per_second", "undue_max_eur_e6", MILLIONTHS),
)
CLIENT = (
    Limit("order_max_eur", "order_max_eur_e6", MILLIONTHS),
    Limit("day_max_eur", "day_max_eur_e6", MILLIONTHS),
    Limit("fills_max", "fills_max"),
    Limit("orders_per_second", "orders_per_second"),
    Limit("credit_eur", "credit_max_eur_e6", MILLIONTHS),
)
LIMITS = {LimitScope.FIRM: FIRM, LimitScope.CLIENT: CLIENT, LimitScope.TIER: CLIENT}


def put_limits(limits: Sequence[Limit], said: object, row: Any) -> None:
    """What si.toml says of these limits into the row that the engine reads."""
    for limit in limits:
        row[limit.field] = limit.number(getattr(said, limit.name))


def parse(scope: LimitScope, name: object, value: object) -> tuple[int, int]:
    """Place of a limit by name, and a value of it as the row has it. Raises UserError.

    What si.toml would not take is refused; `value` None is no limit.
    """
    names = [limit.name for limit in LIMITS[scope]]
    if name not in names:
        raise UserError(f"limit {name!r} is none of {', '.join(names)}")
    fields = Risk if scope == LimitScope.FIRM else LimitFields
    try:
        read = fields.model_validate({name: 0 if value is None else value})
    except ValidationError as error:
        problem = error.errors()[0]
        raise UserError(f"{name} {problem['input']!r}: {problem['msg']}") from error
    place = names.index(str(name))
    given: Decimal | int = getattr(read, names[place])
    number = LIMITS[scope][place].number(given)
    if given and not number:
        raise UserError(f"{name} {given} is less than a millionth: write none for no limit")
    return place, number


def configured(config: Config, scope: LimitScope, subject: str, place: int) -> int | None:
    """What si.toml says of a limit, as the row has it; None: it does not know the client."""
    limit = LIMITS[scope][place]
    said: Any = config.risk
    if scope == LimitScope.CLIENT:
        client = next((client for client in config.clients if client.name == subject), None)
        if client is None:
            return None
        said = limits_of(client, client.tier, config.tiers)
    elif scope == LimitScope.TIER:
        said = next((tier for tier in config.tiers if str(tier.tier) == subject), LimitFields())
    return limit.number(getattr(said, limit.name) or 0)
