"""What `si.toml` says of price improvement in `[policy]` and `[[policy.rule]]`."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.enums import AssetClass
from engine.limits import (
    MARKOUT_NS_MAX,
    POLICY_PARAMS,
    TIERS,
    VOL_HALF_LIFE_NS_MAX,
    VOL_HALF_LIFE_NS_MIN,
)

MS_NS = 10**6
ALL = "*"
GROUPS = {kind.name.lower(): int(kind) for kind in AssetClass}

Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Param = Annotated[list[Int64], Field(max_length=POLICY_PARAMS)]
Tier = Annotated[int, Field(ge=0, le=TIERS - 1)]
HorizonMs = Annotated[int, Field(gt=0, le=MARKOUT_NS_MAX // MS_NS)]


class _Section(BaseModel):
    """A typo is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PolicyRule(_Section):
    """Parameters for a pool and tier of clients and a group of instruments; `"*"`: for all."""

    pool: str = "*"
    tier: Tier | Literal["*"] = "*"
    group: Literal["*", "share", "depositary_receipt", "etf", "certificate", "other"] = "*"
    param: Param


class PolicySettings(_Section):
    """Rules, who may change them, and what is measured for the policy."""

    rule: list[PolicyRule] = []
    approvals: Literal[1, 2] = 1
    horizons_ms: Annotated[list[HorizonMs], Field(min_length=4, max_length=4)] = [
        100, 1_000, 10_000, 60_000,
    ]  # fmt: skip
    markout_weight: Annotated[Decimal, Field(ge=0, le=1)] = Decimal("0.05")
    vol_half_life_ms: Annotated[
        int, Field(ge=VOL_HALF_LIFE_NS_MIN // MS_NS, le=VOL_HALF_LIFE_NS_MAX // MS_NS)
    ] = 60_000

    @model_validator(mode="after")
    def _ascending(self) -> PolicySettings:
        if self.horizons_ms != sorted(set(self.horizons_ms)):
            raise ValueError(f"horizons_ms {self.horizons_ms} must ascend")
        return self
