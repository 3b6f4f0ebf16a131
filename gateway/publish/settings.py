"""What `si.toml` says of the publication of our quotes: `[publication]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from refdata import lei

HINT = '[publication] with lei = "your LEI" and name = "your firm\'s name"'


class Publication(BaseModel):
    """Who publishes and where; a typo is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lei: str
    name: Annotated[str, Field(min_length=1, max_length=200)]
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 9881
    folder: Path = Path("published")
    delayed_minutes: Annotated[int, Field(ge=1, le=15)] = 15  # DR 2025/1156 Art 23: free after 15

    @field_validator("lei")
    @classmethod
    def _is_lei(cls, value: str) -> str:
        if not lei.is_valid(value):
            raise ValueError(
                "no LEI (ISO 17442): eighteen capitals or digits, then two check digits: "
                "take it from your firm's entry at gleif.org"
            )
        return value
