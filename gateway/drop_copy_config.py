"""What `si.toml` says of the drop copy: `[drop_copy]` and `[[drop_copy.sessions]]`."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.wire import COMP_ID_SIZE_MAX

CompId = Annotated[str, Field(min_length=1, max_length=COMP_ID_SIZE_MAX, pattern=r"^[!-~]+$")]
BeginString = Literal["FIX.4.2", "FIX.4.4", "FIXT.1.1"]


class _Section(BaseModel):
    """A typo is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DropCopySession(_Section):
    """One consumer, in QuickFIX's words; `clients`: whose reports it gets, empty: everybody's."""

    begin_string: BeginString = "FIX.4.4"
    sender_comp_id: CompId
    target_comp_id: CompId
    clients: list[str] = []

    @property
    def key(self) -> tuple[str, str, str]:
        """BeginString, our CompID and theirs."""
        return self.begin_string, self.sender_comp_id, self.target_comp_id

    @property
    def folder(self) -> str:
        """Name of the store's folder: the CompID, with what a path cannot have as %XX."""
        name = quote(self.target_comp_id, safe="")
        return "%2E" + name[1:] if name.startswith(".") else name


class DropCopy(_Section):
    """The drop copy's own acceptor."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 9880
    sessions: Annotated[list[DropCopySession], Field(min_length=1, max_length=64)]

    @model_validator(mode="after")
    def _one_store_each(self) -> DropCopy:
        targets = [session.target_comp_id for session in self.sessions]
        for target in targets:
            if targets.count(target) > 1:
                raise ValueError(
                    f"drop_copy.sessions: target_comp_id {target!r} is there twice: each consumer "
                    "has one session and one store"
                )
        return self
