"""What a policy was given, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine.enums import ExecKind, OrdType, Side, Zone
from engine.limits import POLICY_PARAMS
from engine.schema import unpack
from gateway import explain_quotes
from gateway.explain import clock, money, px, venue_names
from gateway.explain_quotes import Found

if TYPE_CHECKING:
    from gateway.explain_inputs import Inputs, Pricing, Rule
    from gateway.pools import Members

DEFAULT = "quoting.policy_param"

_SIDES: dict[int, str] = {
    Side.BUY: "the client buys",
    Side.SELL: "the client sells",
    Side.SELL_SHORT: "the client sells short",
}


def show(
    found: list[Found], members: Members, inputs: Inputs | None, journal: Path, out: Console
) -> bool:
    """Print decisions and, where `inputs` are asked for, what was given for each price.

    Answers whether each policy could be asked again and said the same.
    """
    same = True
    venues = venue_names(journal)
    for each in found:
        first, *rest = explain_quotes.in_words(each.row, venues)
        out.print(f"[bold]{first}[/]")
        if pool := members.pool_of(each.row):
            out.print(f"  client's pool: {pool}", markup=False)
        for line in rest:
            out.print(f"  {line}", markup=False)
        if inputs is None:
            continue
        pricings = inputs.of(each)
        for pricing in pricings:
            _show(pricing, unpack([each.row["currency"]]), out)
            same &= not pricing.problem
        if not pricings:
            out.print(f"  inputs: no policy was asked, {_without_policy(each.row)}")
    return same


def _show(pricing: Pricing, currency: str, out: Console) -> None:
    of = "" if pricing.of == "order" else f" for the {pricing.of}"
    out.print(f"  inputs of policy {pricing.policy_hash:016x}{of}:")
    made = Table("field", "value", box=box.SIMPLE)
    for name, words in _fields(pricing, currency):
        made.add_row(escape(name), escape(words))
    out.print(made)
    out.print(f"  {_rule(pricing.rule)}", markup=False)
    out.print(f"  {_verdict(pricing)}", markup=False)


def as_document(found: Found, members: Members, inputs: Inputs | None) -> dict[str, Any]:
    """A decision with every field and, where `inputs` are asked for, its prices."""
    plain = explain_quotes.as_dict(found.row) | {"pool": members.pool_of(found.row) or None}
    if inputs is not None:
        plain["pricings"] = [_as_dict(pricing) for pricing in inputs.of(found)]
        if not plain["pricings"]:
            plain["no_policy"] = _without_policy(found.row)
    return plain


def _without_policy(row: Any) -> str:
    """Why no policy was asked for the price of a decision, which has no `policy_hash`."""
    if row["trader"]:
        return "a trader gave the price"
    if row["ord_type"] == OrdType.PREVIOUSLY_QUOTED or row["kind"] == ExecKind.QUOTE_TAKEN:
        return "the price is the one quoted on request: ask for the quote's inputs"
    if row["policy_px_e6"] and row["ord_type"] == OrdType.PEGGED:
        return "the order is pegged to the midpoint"
    if row["policy_px_e6"]:
        return "there was no market to improve on, the public quote was given"
    return "nothing was priced"


def _as_dict(pricing: Pricing) -> dict[str, Any]:
    """With plain numbers; `same` is null where the policy could not be asked."""
    inputs = pricing.inputs
    return {
        "of": pricing.of,
        "inputs": {name: inputs[name].tolist() for name in inputs.dtype.names},
        "rule": pricing.rule._asdict() | {"by": pricing.rule.by or DEFAULT},
        "policy_hash": f"{pricing.policy_hash:016x}",
        "policy_px_e6": pricing.policy_px_e6,
        "again_px_e6": pricing.again_px_e6,
        "same": None if pricing.again_px_e6 is None else not pricing.problem,
        "problem": pricing.problem,
    }


def is_same(documents: list[dict[str, Any]]) -> bool:
    """Whether each policy could be asked again and said the same."""
    return all(not each["problem"] for plain in documents for each in plain.get("pricings", ()))


def _rule(rule: Rule) -> str:
    place = f"pool {rule.pool}, tier {rule.tier}, group {rule.group}"
    if not rule.by:
        return f"param: {DEFAULT} of si.toml, no rule for {place}"
    approved = f", approved by {rule.approved_by}" if rule.approved_by else ""
    return f"param: rule for {place}, set by {rule.by}{approved}"


def _verdict(pricing: Pricing) -> str:
    if not pricing.problem:
        return f"asked again: the same price, {px(pricing.policy_px_e6)}"
    if pricing.again_px_e6 is None:
        return f"not asked again: {pricing.problem}"
    return f"asked again: NOT THE SAME, {pricing.problem}"


def _fields(pricing: Pricing, currency: str) -> Iterator[tuple[str, str]]:
    """Name and words, in the order of the record."""
    inputs = pricing.inputs
    for name in inputs.dtype.names:
        if name == "param":
            yield from _params(pricing)
        elif name == "markout_e9":
            for place, horizon_ns in enumerate(pricing.horizons_ns):
                fills = int(inputs["markout_fills"][place])
                words = _markout(int(inputs[name][place]), fills, horizon_ns)
                yield f"markout_e9[{place}]", words
        elif name != "markout_fills":  # said with the mark-outs
            yield name, _in_words(name, int(inputs[name]), currency)


def _params(pricing: Pricing) -> Iterator[tuple[str, str]]:
    """Those that the policy says it has, and any other that is not 0."""
    for place in range(POLICY_PARAMS):
        value = int(pricing.inputs["param"][place])
        if pricing.params is not None and place < len(pricing.params):
            param = pricing.params[place]
            yield f"param[{place}] {param.name}", f"{value:,}: {param.meaning}"
        elif value:
            yield f"param[{place}]", f"{value:,}"


def _markout(markout_e9: int, fills: int, horizon_ns: int) -> str:
    if horizon_ns == 0:
        return "not measured"
    after = f"{Decimal(horizon_ns).scaleb(-9).normalize():f} s after"
    if fills == 0:
        return f"no fill yet, {after}"
    return f"{_bp(markout_e9):+,.3f} bp over {fills:,} fill{'s' * (fills > 1)}, {after}"


def _bp(value_e9: int) -> Decimal:
    return Decimal(value_e9).scaleb(-5)


def _in_words(name: str, value: int, currency: str) -> str:
    if name == "side":
        return _SIDES.get(value, str(value))
    if name == "zone":
        return Zone(value).name
    if name == "mid_x2_e6":
        return f"midpoint {Decimal(5 * value).scaleb(-7).normalize():f}"
    if name == "vol_e9":
        return f"{_bp(value):,.3f} bp per square root of a second" if value else "none yet"
    if name == "position_max_e6":
        return f"{money(value)} {currency}" if value else "no limit"
    if name.startswith("mrm_") and value == 0:
        return "the most relevant market did not count"
    if name.endswith("_px_e6") or name == "tick_e6":
        return px(value)
    if name.endswith("_e6"):
        return f"{money(value)} {currency}"
    return clock(value) if name.endswith("_ns") else f"{value:,}"
