"""Reports in every FIX version and style, against the stock dictionary of that version."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from engine import schema
from engine.enums import ExecKind, OrderState, Reason
from gateway import execution_report
from gateway.fix_check import UNKNOWN_TYPE
from gateway.fix_read import VALUE_INCORRECT
from gateway.wire import BEGIN_STRINGS, OutTag, Version
from tests import rig
from tests.firm import firm
from tests.fix_text import SHARED_FIX, pairs_of
from tests.order_rig import (
    ALL_TAGS,
    AT_ONCE,
    CLAIM,
    DECLINE,
    FILL,
    ISIN,
    QUOTE,
    Orders,
    Report,
    as_report,
)
from tests.stock_dictionary import problems
from tests.test_fix_write import execution

pytestmark = pytest.mark.heavy

needs_stock = pytest.mark.skipif(
    not SHARED_FIX.is_dir(), reason="../shared/data/fix is not here: no dictionary to check with"
)
#: What a session whose counterparty has the stock dictionary gets.
TAGS = {
    Version.FIX_4_2: OutTag.ECHO,
    Version.FIX_4_4: OutTag.ECHO | OutTag.PRICE_IMPROVEMENT,
    Version.FIX_5_0_SP2: ALL_TAGS,
}
STYLES = [(version, style) for version in Version for style in (0, 1)]
IDS = [f"{version.name} style {style}" for version, style in STYLES]
SAID = (
    "1=ACC|207=XETR|18=6|47=A|528=P|529=2 3|581=3|847=1|1724=5|2704=3|2593=1|2594=4|2595=Y|"
    "453=2|448=a|447=D|452=3|2376=22|802=1|523=s|803=4|448=b|447=D|452=12|2376=24|21=1|63=0|"
)
PX = 20_010_000


def day(version: Version, style: int, policy: str = "midpoint") -> Orders:
    """A session that has seen everything once; its messages are in `log`."""
    world = firm()._replace(orders_max=256)
    orders = Orders(version, TAGS[version], world, policy=policy, fill_style=style)
    answers_at_once(orders)
    life_at_the_desk(orders)
    refusals(orders)
    if version != Version.FIX_4_2:
        mass_requests(orders)
    return orders


def answers_at_once(orders: Orders) -> None:
    for n, side in enumerate(("1", "2", "5")):
        orders.order(f"F{n}", SAID, t38=AT_ONCE, t54=side, t40="1", t44=None)
    orders.order("F3", SAID, t38=AT_ONCE, t40="P", t44=None, t18="M")
    orders.order("F4", SAID, t38=AT_ONCE, t44="19.00", t59="3", t110="5")
    orders.order("F5", SAID, t38=AT_ONCE, t59="6", t432="20251231")


def life_at_the_desk(orders: Orders) -> None:
    orders.order("A", SAID, t59="6", t126="20251231-10:00:00")
    orders.replace("B", "A", SAID)
    orders.desk(CLAIM, 1)
    orders.desk(QUOTE, 1, px_e6=PX)
    orders.send("H", {11: "A", 54: "1", 48: ISIN, 790: "ask"})
    orders.desk(FILL, 1, qty=500, px_e6=PX)
    orders.desk(QUOTE, 1, px_e6=PX)
    orders.replace("C", "B", SAID, t38=1_500)
    orders.send("H", {11: "C", 54: "1", 48: ISIN})
    orders.cancel("D", "C")
    for n in range(2, 6):
        orders.order(f"A{n}", SAID)
    orders.desk(FILL, 2, px_e6=PX)
    orders.desk(DECLINE, 3)
    orders.at(10**12)
    orders.market(19_990_000, PX)
    for name in ("A", "A2", "A3", "A4", "F4", "never"):
        orders.send("H", {11: name, 54: "1", 48: ISIN})


def refusals(orders: Orders) -> None:
    flaws: list[dict[str, Any]] = [
        {"t40": "3"}, {"t40": "z"}, {"t40": "D"}, {"t40": "P"}, {"t59": "7"}, {"t59": "z"},
        {"t59": "6"}, {"t38": "0"}, {"t44": "20.015"}, {"t44": "99"}, {"t48": "XX"},
        {"t22": "2"}, {"t15": "USD"}, {"t2704": "1"}, {"t110": "99999"}, {"t11": "A" * 65},
        {"t11": "F0"},
    ]  # fmt: skip
    for n, flaw in enumerate(flaws):
        name, changes = flaw.get("t11", f"R{n}"), {"t2704": None} | flaw
        if not_listed(orders.version, flaw):
            [tag] = (int(each[1:]) for each in flaw)
            assert orders.refused_order(name, SAID, **changes) == (VALUE_INCORRECT, tag)
        else:
            orders.order(name, SAID, **changes)
    orders.cancel("X1", "never")
    orders.cancel("X2", "F0")
    orders.replace("X3", "never")
    orders.replace("X4", "F0")
    orders.order("open")
    for n, flaw in enumerate(flaws):
        if not not_listed(orders.version, flaw):
            orders.replace(flaw.get("t11", f"S{n}"), "open", **flaw)


def not_listed(version: Version, flaw: dict[str, Any]) -> bool:
    """Whether the session layer catches it: the version has no such value."""
    return "z" in flaw.values() or (version == Version.FIX_4_2 and flaw == {"t59": "7"})


def mass_requests(orders: Orders) -> None:
    for n in range(3):
        orders.order(f"M{n}", SAID)
    for scope, more in (("7", {}), ("1", {48: ISIN}), ("1", {48: "XX"}), ("2", {})):
        orders.send("AF", {584: "all", 585: scope} | more)
        orders.send("q", {11: f"Q{scope}{len(more)}", 530: scope} | more)
    orders.order("last")
    orders.send("q", {11: "Q1", 530: "1", 48: ISIN, 54: "1"})


@cache
def everything(version: Version, style: int) -> list[bytes]:
    orders = day(version, style)
    orders.check_replay()
    return orders.log


def reports_of(version: Version, style: int) -> list[Report]:
    return [as_report(pairs_of(data)) for data in everything(version, style)]


def invented(version: Version) -> Iterator[bytes]:
    """Every kind with every reason, though the engine would not put them together."""
    wires = rig.allocate()
    session = rig.log_on(wires, 0, "CLIENT")
    session["version"] = session["rules"] = version
    session["out_tags"] = TAGS[version]
    kinds = [kind for kind in ExecKind if kind <= ExecKind.MASS_STATUS]
    if version == Version.FIX_4_2:
        kinds.remove(ExecKind.MASS_CANCEL)
    for kind in kinds:
        rejects = kind in (ExecKind.CANCEL_REJECTED, ExecKind.REPLACE_REJECTED)
        for reason in list(Reason)[1:] if rejects else Reason:
            for state in OrderState:
                row = execution(
                    kind, reason=reason, order_state=state, scope=7,
                    orig_clordid=schema.pack("A-0", 8),
                )  # fmt: skip
                start, size = execution_report.write_report(wires.scratch, wires, row, 7)
                yield wires.scratch[start : start + size].tobytes()


def objections(data: bytes, style: int) -> list[str]:
    """Style 1 is ExecType(150) as it was before FIX 4.3."""
    usual = ["150=1 is no value of it", "150=2 is no value of it"] if style else []
    return [problem for problem in problems(data) if problem not in usual]


@needs_stock
@pytest.mark.parametrize(("version", "style"), STYLES, ids=IDS)
def test_a_day_of_reports_keeps_to_the_stock_dictionary(version: Version, style: int) -> None:
    messages = everything(version, style)
    assert len(messages) > 60
    for data in messages:
        assert data.startswith(f"8={BEGIN_STRINGS[version]}\x01".encode())
        assert objections(data, style) == [], data


@needs_stock
@pytest.mark.parametrize("version", Version)
def test_every_kind_with_every_reason_keeps_to_it(version: Version) -> None:
    for data in invented(version):
        assert objections(data, 0) == [], data


@needs_stock
def test_the_reader_of_the_dictionary_objects() -> None:
    """The check itself is checked: each damage is seen."""
    data = next(d for d in everything(Version.FIX_4_4, 0) if b"\x01453=2\x01" in d)
    assert objections(data, 0) == []
    for old, new, expected in (
        (b"\x01453=2\x01", b"\x01453=3\x01", "453=3, 2 entries found"),
        (b"\x01453=2\x01", b"\x01453=1\x01", "453=1, 2 entries found"),
        (b"\x0139=2", b"\x0139=z", "39=z is no value of it"),
        (b"\x0117=", b"\x019999=", "9999 is not of 8"),
        (b"\x0154=1", b"\x01581=3", "54 missing"),
        (b"\x011=ACC", b"\x0155=ACC", "55 twice"),
    ):
        assert old in data
        assert expected in objections(data.replace(old, new, 1), 0), expected


@pytest.mark.parametrize(("version", "style"), STYLES, ids=IDS)
def test_exec_type_by_version_and_style(version: Version, style: int) -> None:
    reports = [report for report in reports_of(version, style) if report[35] == "8"]
    fills = {(report[150], report[39]) for report in reports if 32 in report}
    old = version == Version.FIX_4_2
    plain = {("1", "1"), ("2", "2")} if old or style else {("F", "1"), ("F", "2")}
    assert fills == plain
    types = {report[150] for report in reports}
    assert types == ({"0", "1", "2", "4", "5", "8", "C"} if old else
                     {"0", "4", "5", "8", "C", "I"} | {kind for kind, _ in plain})  # fmt: skip
    assert {report.get(20) for report in reports} == ({"0", "3"} if old else {None})


def test_fix_42_says_what_a_report_is_by_its_transaction() -> None:
    for report in reports_of(Version.FIX_4_2, 0):
        if report.get(20) == "3":
            assert report[150] == report[39] and 32 not in report
        if report[35] == "8" and report[150] == "5":
            assert report[39] in ("1", "2", "5")


REJECTED = {
    "SI-TICK": ("0", "99", "18"), "SI-COLLAR": ("0", "99", "16"), "SI-INST": ("1", "1", "1"),
    "SI-TYPE": ("0", "11", "11"), "SI-QTY": ("0", "13", "13"), "SI-DUP": ("6", "6", "6"),
    "SI-QUOTE": ("0", "99", "99"),
}  # fmt: skip


@pytest.mark.parametrize("version", Version)
def test_reject_codes_by_version(version: Version) -> None:
    seen = {}
    for report in reports_of(version, 0):
        if report.get(150) == "8" and 103 in report:
            seen[report[58].split(" ")[0]] = report[103]
    assert seen == {prefix: codes[version] for prefix, codes in REJECTED.items()}


@pytest.mark.parametrize("version", Version)
def test_cancel_reject_codes_by_version(version: Version) -> None:
    codes = {"SI-DUP": ("2", "6", "6"), "SI-TICK": ("2", "2", "18"), "SI-COLLAR": ("2", "2", "8")}
    found = {}
    for report in reports_of(version, 0):
        if report[35] == "9":
            found.setdefault(report[58].split(" ")[0], set()).add(report[102])
    assert {name: found[name] for name in codes} == {
        name: {values[version]} for name, values in codes.items()
    }
    assert found["SI-ORDER"] == {"0", "1", "2"}  # too late, unknown, another instrument


def test_a_type_that_fix_42_lacks_is_left_to_python() -> None:
    orders = Orders(Version.FIX_4_2)
    for msg_type, fields in (("q", {11: "M", 530: "7"}), ("AF", {584: "S", 585: "7"})):
        assert orders.refused(msg_type, fields) == (UNKNOWN_TYPE, 35)
        wide = Orders(Version.FIX_4_2, rules=rig.NO_FIELDS)  # a dictionary that has them
        assert wide.refused(msg_type, fields) == (-1, 0)
