"""`si explain --inputs`: what the policy was given for a price, and its answer to it again.

Records of decisions do not hold all of it: parameters, volatility and mark-outs would be 136 bytes
a price on the hot path. They are state, so that the journal gives them again: its inputs are
replayed up to the one that was priced, every output on the way is compared, and then what the
policy was given still stands in `tables.policy_input`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from threading import Timer
from typing import Any, NamedTuple

import numpy as np
from rich.progress import Progress

from engine import ticks
from engine.enums import Side
from engine.limits import ASSET_CLASSES, SEGMENT_SIZE, TIERS
from engine.outbox import allocate_outbox
from engine.policy import Param, Policy
from engine.schema import unpack
from engine.tables import Tables, allocate
from gateway import config as configuration
from gateway import journal_files, policy_file, pools
from gateway import wire as gateway_wire
from gateway.errors import UserError
from gateway.explain import px
from gateway.explain_quotes import Found, is_quote
from gateway.policy_config import GROUPS
from gateway.policy_file import PolicyError
from gateway.replay import Difference, Replayer

BAR_AFTER_S = 2.0
NO_GROUP = "none"
_GROUP_NAMES = {number: name for name, number in GROUPS.items()}
_WHAT_TO_DO = "pass --policy FILE with the source of that day (without it: the journal's own copy)"


class Rule(NamedTuple):
    """Where the parameters came from, and who set them."""

    pool: str
    tier: int
    group: str
    by: str  # empty: no rule held, it was quoting.policy_param
    approved_by: str


class Pricing(NamedTuple):
    """What a policy was given for one price, and what it answers to that now."""

    of: str  # order, bid or offer
    inputs: Any  # schema.policy_input
    rule: Rule
    params: tuple[Param, ...] | None  # as the policy describes them; None: nobody knows
    horizons_ns: tuple[int, ...]  # of the mark-outs; 0: not measured
    policy_hash: int
    policy_px_e6: int  # as journalled
    again_px_e6: int | None  # None: this policy could not be asked
    problem: str  # empty where it answers what was journalled


class Inputs:
    """Replays a journal from one price to the next; ask in the order of the journal."""

    def __init__(self, directory: Path, source: str, console: Any) -> None:
        """`source`: the policy to be asked again, a file or a name; empty: the journal's copy."""
        self.directory, self.source, self.console = directory, source, console
        self._found: dict[int, Policy] = {}

    @cached_property
    def config(self) -> configuration.Config:
        """Of the journal's folder, as it is today. Raises ConfigError."""
        return configuration.load(self.directory)

    @cached_property
    def replayer(self) -> Replayer:
        """Fresh tables, as large as the engine had them."""
        tables, wire = allocate(self.config.capacity), gateway_wire.allocate()
        return Replayer(tables, allocate_outbox(), wire, self._policy)

    def of(self, found: Found) -> list[Pricing]:
        """A decision's prices, none where no policy was asked.

        Raises UserError where the journal does not replay so far.
        """
        row = found.row
        if row["policy_hash"] == 0:
            return []
        self._replay_to(found)
        code = int(row["policy_hash"])
        replayed_with = self._policy(code)
        asked = self._other if self.source else replayed_with
        problem = _other_policy(asked, code)
        if not problem and replayed_with.source_hash == code:
            problem = self._other_record(found)
        named = [policy for policy in (asked, replayed_with) if policy.source_hash == code]
        params = named[0].params if named else None
        return [self._pricing(each, row, asked, params, problem) for each in _prices(row)]

    def _replay_to(self, found: Found) -> None:
        """Apply the input that made the decision, as the last one."""
        with _late_bar(self.console) as show:
            try:
                self.replayer.run(self.config.journal, show, found.position)
            except Difference as error:
                raise UserError(self._why(error)) from error

    def _why(self, error: Difference) -> str:
        lines = ["the replay does not come to this price, so its inputs are not known"]
        for code, policy in self._found.items():
            if code not in (0, policy.source_hash):
                lines.append(
                    f"policy {code:016x} is not in {self.config.journal / 'policies'}, and policy "
                    f"{policy.name} ({policy.source_hash:016x}) does not price as it did: "
                    + _WHAT_TO_DO
                )
        return "\n".join([*lines, str(error)])

    def _policy(self, code: int) -> Policy:
        """The policy that the journal names, else one that may do as well: outputs are compared."""
        if code not in self._found:
            self._found[code] = self._kept(code) or self._other
        return self._found[code]

    def _kept(self, code: int) -> Policy | None:
        try:
            return policy_file.kept_by_hash(self.config.journal, code)
        except PolicyError:
            return None

    @cached_property
    def _other(self) -> Policy:
        """The policy given, else the one that si.toml names today. Raises PolicyError."""
        if self.source:
            return policy_file.load(self.source, Path())[0]
        return policy_file.load(self.config.quoting.policy, self.config.directory)[0]

    def _other_record(self, found: Found) -> str:
        """What the replay has in another way than the journal, of this decision."""
        shadow, offset, row = self.replayer.shadow, found.position % SEGMENT_SIZE, found.row
        made = shadow.writer[0]["offset"] > offset
        again = journal_files.frame_at(shadow, offset, 0).record if made else None
        if again is None or again.dtype != row.dtype:
            return "the replay makes no such decision of this input"
        names = [name for name in row.dtype.names if np.any(row[name] != again[name])]
        return f"the replay has another {', '.join(names)} in this decision" if names else ""

    def _pricing(
        self, price: tuple[str, int], row: Any, asked: Policy, params: tuple[Param, ...] | None,
        problem: str,
    ) -> Pricing:  # fmt: skip
        of, policy_px_e6 = price
        tables, instrument = self.replayer.tables, int(row["instrument"])
        inputs = tables.policy_input[0].copy()
        if of == "bid" and row["side"] == 0:
            inputs = _of_bid(tables, inputs, instrument)
        code = int(row["policy_hash"])
        again_px_e6 = _ask(asked, inputs) if asked.source_hash == code else None
        if again_px_e6 not in (None, policy_px_e6):
            problem = f"it answers {px(again_px_e6)}, journalled is {px(policy_px_e6)}"
        return Pricing(
            of, inputs, _rule(tables, row, inputs), params, _horizons_ns(tables), code,
            policy_px_e6, again_px_e6, problem,
        )  # fmt: skip


def _prices(row: Any) -> list[tuple[str, int]]:
    """Each side that a policy priced, and the price it asked for."""
    if not is_quote(row):
        return [("order", int(row["policy_px_e6"]))]
    sides = [side for side in ("bid", "offer") if row[f"{side}_qty"]]
    return [(side, int(row[f"{side}_policy_px_e6"])) for side in sides]


def _of_bid(tables: Tables, inputs: Any, instrument: int) -> Any:
    """Of a quote for both sides the bid is priced first: this is what differed then."""
    band = int(tables.instruments[instrument]["tick_band"])
    bid_px_e6 = int(inputs["bid_px_e6"])
    inputs["side"] = Side.SELL
    inputs["quote_px_e6"] = bid_px_e6
    inputs["tick_e6"] = ticks.tick_e6(tables.ticks, band, bid_px_e6)
    return inputs


def _rule(tables: Tables, decision: Any, inputs: Any) -> Rule:
    pool = int(tables.clients[int(decision["client"])]["pool"])
    tier = int(inputs["tier"])
    group = int(tables.instruments[int(decision["instrument"])]["asset_class"])
    row = tables.policy_rules[(pool * TIERS + tier) * ASSET_CLASSES + group]
    names = (pools.names(tables)[pool], tier, _GROUP_NAMES.get(group, NO_GROUP))
    if not row["given"]:
        return Rule(*names, "", "")
    return Rule(*names, unpack(row["by"]), unpack(row["approved_by"]))


def _horizons_ns(tables: Tables) -> tuple[int, ...]:
    """After which mark-outs are taken; 0 where none are."""
    params = tables.params[0]
    measured = bool(params["markout_weight_e6"])
    return tuple(int(horizon_ns) if measured else 0 for horizon_ns in params["markout_ns"])


def _other_policy(asked: Policy, code: int) -> str:
    if asked.source_hash == code:
        return ""
    return (
        f"policy {asked.name} is {asked.source_hash:016x}, the price was asked of {code:016x}: "
        + _WHAT_TO_DO
    )


def _ask(policy: Policy, inputs: Any) -> int:
    """What the policy answers, interpreted; 0 where it raises, as compiled."""
    try:
        with np.errstate(all="ignore"):  # compiled integers wrap without a word
            return int(policy.improve(inputs.copy()))
    except Exception:  # whatever a user's policy does
        return 0


@contextmanager
def _late_bar(console: Any) -> Iterator[Callable[[int, int], None]]:
    """A progress bar, if it takes long enough for one."""
    progress = Progress(console=console, transient=True)
    task = progress.add_task("replaying segments", total=None)
    late = Timer(BAR_AFTER_S, progress.start)
    late.daemon = True
    late.start()
    try:
        yield lambda done, count: progress.update(task, completed=done, total=count)
    finally:
        late.cancel()
        late.join()
        if progress.live.is_started:
            progress.stop()
