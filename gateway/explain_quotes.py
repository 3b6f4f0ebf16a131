"""`si explain` for quotes on request: what was asked, what was quoted and why, how it ended."""

from pathlib import Path
from typing import Any, NamedTuple

from engine import journal as jn
from engine.enums import Clamp, ExecKind, GivenState, Reason, Side
from engine.reasons import Unit, words_inside
from engine.schema import unpack
from gateway import explain
from gateway.explain import CLAMP_WORDS, clock, px, show
from gateway.journal_files import Reader

_STATE_WORDS = {
    ExecKind.QUOTE_PENDING: "with the desk",
    ExecKind.QUOTE_REFUSED: "request refused",
    ExecKind.QUOTE_ENDED: "ended",
    ExecKind.QUOTE_WITHDRAWN: "withdrawn",
    ExecKind.QUOTE_STATUS: "status asked for",
    ExecKind.QUOTE_NOT_TAKEN: "not taken",
}


class Found(NamedTuple):
    """A decision, and where its frame lies in the journal."""

    row: Any
    position: int


def find_frames(journal: Path, wanted: str) -> list[Found]:
    """Every decision about an order or a quote, oldest first.

    `wanted` is an OrderID(37), a ClOrdID(11), a QuoteID(117) or a QuoteReqID(131).
    """
    found = []
    for frame in Reader(journal, kinds=(jn.EXECUTION, jn.QUOTE_REPORT)).poll():
        row = frame.record
        if wanted in _names(row):
            found.append(Found(row.copy(), frame.position))
    return sorted(found, key=lambda each: int(each.row["exec_id"]))


def _names(row: Any) -> list[str]:
    if is_quote(row):
        texts = [unpack(row[name]) for name in ("quote_ref", "quote_req_id", "clordid")]
        return [*texts, str(int(row["order_id"]) or "")]
    return [str(int(row["order_id"])), unpack(row["clordid"]), unpack(row["orig_clordid"])]


def is_quote(row: Any) -> bool:
    """Whether a row of `find` is about a quote, not about an order."""
    return "quote_ref" in row.dtype.names


def in_words(row: Any, venues: list[str]) -> list[str]:
    """One decision as lines of text."""
    if not is_quote(row):
        return explain.in_words(row, venues)
    kind = ExecKind(int(row["kind"]))
    name = unpack(row["quote_ref"]) or "none"
    lines = [f"{clock(row['ts_ns'])}  quote {name}, QuoteReqID {unpack(row['quote_req_id'])}"]
    lines.append(f"asked: {_side(row)} {row['qty']:,} {unpack(row['isin'])}")
    if row["counter"]:
        lines[-1] += f", the client named {px(row['limit_px_e6'])}"
    lines += explain.market_and_size(row, venues)
    if kind == ExecKind.QUOTE_GIVEN:
        lines += _prices(row)
    lines.append(_outcome(row, kind))
    return lines


def _side(row: Any) -> str:
    known = {int(side): side.name.replace("_", " ") for side in Side} | {0: "both sides of"}
    return known.get(int(row["side"]), "?")


def _prices(row: Any) -> list[str]:
    """The price of each side that was quoted, and where it came from."""
    lines = []
    for side, public in (("bid", "quote_bid_px_e6"), ("offer", "quote_ask_px_e6")):
        if not row[f"{side}_qty"]:
            continue
        line = f"{side}: {row[f'{side}_qty']:,} at {px(row[f'{side}_px_e6'])}"
        if row["trader"]:
            lines.append(f"{line}, given by trader {unpack([row['trader']])}")
            continue
        asked = f"policy {int(row['policy_hash']):016x} asked {px(row[f'{side}_policy_px_e6'])}"
        lines.append(f"{line}, public {px(row[public])}, {asked}")
        clamp = Clamp(int(row[f"{side}_clamp"]))
        if clamp != Clamp.NONE:
            lines.append(f"gate: {clamp.name}, {CLAMP_WORDS[clamp]}")
    return lines


def _outcome(row: Any, kind: ExecKind) -> str:
    state = GivenState(int(row["given_state"])).name
    if kind == ExecKind.QUOTE_GIVEN:
        line = f"outcome: firm until {clock(row['valid_until_ns'])}"
        return line if row["trader"] else f"{line} after {row['checks']} checks"
    if kind == ExecKind.QUOTE_TAKEN:
        return (
            f"outcome: taken, {row['last_qty']:,} at {px(row['last_px_e6'])}, "
            f"by order {row['order_id']}"
        )
    line = f"outcome: {_STATE_WORDS[kind]} ({state})"
    if kind == ExecKind.QUOTE_PENDING:
        line += f", desk item {row['desk_item']}"
    reason = Reason(int(row["reason"]))
    if reason == Reason.NONE:
        return line
    words = words_inside(reason)
    line += f": {words.prefix} {words.sentence}"
    if words.unit == Unit.ISIN:
        return f"{line} {unpack(row['isin'])}"
    if words.unit not in (Unit.NONE, Unit.CLORDID, Unit.ORIG):
        line += f": {show(words.unit, int(row['reason_value']))}"
        if words.limit:
            line += f", {words.limit} {show(words.unit, int(row['reason_limit']))}"
    return line


def as_dict(row: Any) -> dict[str, Any]:
    """A decision with every field, names spelled out beside their numbers."""
    plain = explain.as_dict(row)
    if is_quote(row):
        plain["given_state"] = GivenState(plain["given_state"]).name
        for side in ("bid", "offer"):
            plain[f"{side}_clamp"] = Clamp(plain[f"{side}_clamp"]).name
    return plain
