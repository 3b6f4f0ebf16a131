"""Our quotes to subscribers: what is said, in which words, how much at once, and to whom."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import journal as jn
from engine.enums import DeskAction, KillScope, QuoteState, Reason
from gateway import fix_message, quote_stream, recorder, stream_report
from gateway.wire import (
    BEGIN_STRINGS,
    MASS_QUOTE_MAX,
    SESSIONS_MAX,
    OutTag,
    SessionState,
    StreamKind,
    Version,
)
from tests.firm import NOW_NS, firm, venue_quote
from tests.fix_text import SHARED_FIX, message, pairs_of
from tests.quote_rig import COUNT, E6, RING, Gateway, isin
from tests.stock_dictionary import problems
from tests.test_oracle import Engine

pytestmark = pytest.mark.heavy

needs_stock = pytest.mark.skipif(not SHARED_FIX.exists(), reason="no stock dictionaries here")
VERSIONS = [*Version]


# --- what is said ---------------------------------------------------------------------------------


def test_settings_bring_each_quote_and_each_change() -> None:
    made = Gateway()
    made.quote(1, 20 * E6)
    made.settings("quote")
    assert made.told() == ["S 117=1 537=1 48=DE000SAMPL01 132=20 133=20.02 134=500 135=400"]
    made.quote(1, 21 * E6)
    made.quote(2, 5 * E6)
    assert [line[:7] for line in made.told()] == ["S 117=2", "S 117=3"]
    assert made.told() == []


def test_the_entry_time_and_the_currency_go_with_a_quote() -> None:
    made = Gateway()
    made.quote(1, 20 * E6)
    made.settings("quote")
    made.settle()
    fields = dict(pairs_of(made.sent()[0]))
    assert fields[60] == fix_message.stamp(NOW_NS - 1_000).encode()
    assert fields[52] == fix_message.stamp(NOW_NS).encode()
    assert (fields[15], fields[55], fields[22]) == (b"EUR", isin(1).encode(), b"4")


def test_a_withdrawn_quote_is_cancelled_by_its_own_number_and_only_once() -> None:
    made = Gateway()
    made.wire.sessions[0]["out_tags"] |= OutTag.CANCEL_TEXT
    made.settings("quote")
    made.quote(1, 20 * E6)
    made.settle()
    made.sent()
    made.quote(1, 0, Reason.BBO_STALE)
    assert made.told() == [
        "Z 117=1 298=1 58=SI-NOQUOTE-STALE market is stale 295=1 48=DE000SAMPL01"
    ]
    made.quote(1, 0, Reason.BBO_EMPTY)
    made.quote(2, 0, Reason.BBO_CROSSED)
    assert made.told() == []
    made.quote(1, 19 * E6)
    assert [line[:7] for line in made.told()] == ["S 117=5"]


def test_a_mass_quote_holds_many() -> None:
    made = Gateway()
    made.settings("mass_quote")
    for row in range(3):
        made.quote(row, (10 + row) * E6)
    [line] = made.told()
    assert line.startswith("i 117=1 537=1 296=1 302=1 304=3 295=3 299=1 48=DE000SAMPL00 132=10")
    made.quote(0, 0, Reason.BBO_ONE_SIDED)
    made.quote(2, 7 * E6)
    first, second = made.told()
    assert first == "Z 117=1 298=1 295=1 48=DE000SAMPL00"
    assert second.startswith("i 117=5 537=1 296=1 302=1 304=1 295=1 299=5")


def test_iois_are_of_one_side_each_and_refer_to_the_one_before() -> None:
    made = Gateway()
    made.settings("ioi")
    made.quote(1, 20 * E6)
    name = "48=DE000SAMPL01"
    assert made.told() == [
        f"6 23=1B 28=N {name} 54=1 38=500 27=M 44=20",
        f"6 23=1S 28=N {name} 54=2 38=400 27=M 44=20.02",
    ]
    made.tables.instruments[1]["sms_e6"] = 400 * 25_000_000
    made.tables.instruments[1]["lis_e6"] = 500 * 24_000_000
    made.quote(1, 24 * E6)
    assert made.told() == [
        f"6 23=2B 28=R 26=1B {name} 54=1 38=500 27=L 44=24",
        f"6 23=2S 28=R 26=1S {name} 54=2 38=400 27=S 44=24.02",
    ]
    made.quote(1, 0, Reason.BBO_STALE)
    why = "58=SI-NOQUOTE-STALE market is stale"
    assert made.told() == [
        f"6 23=2BC 28=C 26=2B {name} 54=1 27=S {why}",
        f"6 23=2SC 28=C 26=2S {name} 54=2 27=S {why}",
    ]
    made.quote(1, 0, Reason.BBO_CROSSED)
    made.subscriptions.renew(0)  # an IOI comes again as it was
    assert made.told() == []


@pytest.mark.parametrize("update", ["0", "1"])
def test_a_request_brings_snapshots_then_updates(update: str) -> None:
    made = Gateway()
    made.quote(1, 20 * E6)
    made.subscribe([1, 2], t265=update)
    bid, offer = "270=20 271=500 299=1", "270=20.02 271=400 299=1"
    none = "276=B 58=SI-NOQUOTE-EMPTY no market"
    assert made.told() == [
        f"W 262=R 48=DE000SAMPL01 268=2 269=0 {bid} 269=1 {offer}",
        f"W 262=R 48=DE000SAMPL02 268=2 269=0 {none} 269=1 {none}",
    ]
    made.quote(1, 0, Reason.BBO_CROSSED)
    made.quote(2, 3 * E6)
    made.settle()
    made.quote(2, 4 * E6)
    why = "58=SI-NOQUOTE-CROSSED market is crossed"
    name, other = "48=DE000SAMPL01", "48=DE000SAMPL02"
    if update == "1":
        assert made.told() == [
            f"X 262=R 268=2 279=2 269=0 {name} {why} 279=2 269=1 {name} {why}",
            f"X 262=R 268=2 279=0 269=0 {other} 270=3 271=500 299=3 "
            f"279=0 269=1 {other} 270=3.02 271=400 299=3",
            f"X 262=R 268=2 279=1 269=0 {other} 270=4 271=500 299=4 "
            f"279=1 269=1 {other} 270=4.02 271=400 299=4",
        ]
    else:
        full = f"W 262=R {name} 268=2 269=0"
        others = [full.replace("L01", "L02")] * 2
        assert [line[: len(full)] for line in made.told()] == [full, *others]


def test_one_side_may_be_asked_for() -> None:
    made = Gateway()
    made.quote(1, 20 * E6)
    made.ask(f"262=B|263=1|264=0|265=1|267=1|269=1|146=1|55={isin(1)}|")
    assert made.told() == ["W 262=B 48=DE000SAMPL01 268=1 269=1 270=20.02 271=400 299=1"]


def test_a_snapshot_leaves_nothing_behind() -> None:
    made = Gateway()
    made.quote(1, 20 * E6)
    made.subscribe([1], t263="0")
    assert [line[:7] for line in made.told()] == ["W 262=R"]
    assert made.wire.loop[0]["streams"] == 0 and not made.wire.wanted.any()
    made.quote(1, 21 * E6)
    assert made.told() == []


def test_an_end_is_an_end() -> None:
    made = Gateway()
    made.subscribe([1, 2], name="A")
    made.subscribe([3], name="B")
    made.told()
    made.ask("262=A|263=2|264=1|267=1|269=0|146=1|55=X|")
    for row in (1, 2, 3):
        made.quote(row, 20 * E6)
    assert [line[:7] for line in made.told()] == ["X 262=B"]
    made.subscriptions.log_off(0)
    made.quote(3, 21 * E6)
    assert made.told() == [] and made.wire.loop[0]["streams"] == 0
    assert (made.wire.requests["session"] == -1).all() and not made.wire.wanted.any()


# --- how much at once -----------------------------------------------------------------------------


def test_changes_of_one_instrument_are_one_message() -> None:
    made = Gateway()
    made.settings("quote")
    made.settle()
    for bid in range(1, 6):
        made.quote(1, bid * E6)
        made.quote(2, bid * E6)
    assert [line[:8] for line in made.told()] == ["S 117=9 ", "S 117=10"]


def test_a_call_writes_no_more_than_its_budget() -> None:
    made = Gateway(sessions=3)
    for session_id in range(3):
        made.settings("quote", session_id=session_id)
    for row in range(COUNT):
        made.quote(row, 20 * E6)
    wrote = []
    while sum(wrote) < 3 * COUNT:
        wrote.append(made.pump(4))
    assert wrote == [4, 4, 4, 4, 2]
    assert [len(made.sent(session_id)) for session_id in range(3)] == [COUNT] * 3


def test_nobody_waits_for_one_who_does_not_read() -> None:
    made = Gateway(sessions=2)
    for session_id in range(2):
        made.settings("quote", session_id=session_id)
    made.settle()
    made.wire.connections[0]["tx_end"] = quote_stream.OWED_MAX + 1
    made.quote(1, 20 * E6)
    made.quote(1, 21 * E6)
    assert made.pump() == 1
    assert len(made.sent(1)) == 1
    made.quote(1, 22 * E6)
    assert made.pump() == 1
    assert made.wire.loop[0]["stream_wake_ns"] == NOW_NS + quote_stream.RETRY_NS
    made.wire.connections[0]["tx_end"] = 0
    assert made.pump() == 0, "not before the time it is looked at again"
    made.clock_ns += quote_stream.RETRY_NS
    assert [line[:7] for line in made.told(0)] == ["S 117=3"]


def test_an_interval_passes_between_two_batches() -> None:
    made = Gateway()
    made.settings("quote", interval_ms=5)
    made.quote(1, 20 * E6)
    assert len(made.told()) == 1
    for bid in (21, 22, 23):
        made.quote(1, bid * E6)
        made.quote(2, bid * E6)
        assert made.told() == []
        made.clock_ns += 1_000_000
    made.clock_ns += 2_000_000
    assert [line[:7] for line in made.told()] == ["S 117=6", "S 117=7"]


def test_one_who_fell_out_of_the_ring_gets_what_changed() -> None:
    made = Gateway()
    made.settings("quote")
    for row in range(COUNT):
        made.quote(row, 20 * E6)
    assert len(made.told()) == COUNT
    for turn in range(RING):
        made.quote(turn % 2, (30 + turn) * E6)
    made.quote(5, 50 * E6)
    told = made.told()
    assert [line.split()[1] for line in told] == ["117=13", "117=14", "117=15"]
    assert made.wire.streams[0]["round_at"] == -1 and made.told() == []


def test_a_session_that_is_not_logged_on_is_told_nothing() -> None:
    made = Gateway()
    made.settings("quote")
    made.wire.sessions[0]["state"] = SessionState.LOGGING_OUT
    made.quote(1, 20 * E6)
    assert made.told() == []


def test_a_full_journal_is_left_to_orders() -> None:
    made = Gateway()
    made.settings("quote")
    made.quote(1, 20 * E6)
    made.journal.writer[0]["offset"] = (8 << 20) - quote_stream.JOURNAL_ROOM // 2
    pump = quote_stream.pump
    assert pump(made.tables, made.wire, made.journal, NOW_NS, 100) == 0
    assert made.pump() == 1


# --- kill switch ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["quote", "mass_quote"])
@pytest.mark.parametrize(
    ("scope", "why"),
    [
        (KillScope.FIRM, "SI-NOQUOTE-KILL all trading is stopped by the kill switch"),
        (KillScope.POOL, "SI-NOQUOTE-KILL trading of this client's pool is stopped"),
        (KillScope.CLIENT, "SI-NOQUOTE-KILL trading of this client is stopped"),
    ],
)
def test_a_kill_cancels_everything_in_one_message(kind: str, scope: KillScope, why: str) -> None:
    made = Gateway(sessions=2)
    made.wire.sessions[0]["out_tags"] |= OutTag.CANCEL_TEXT
    for session_id in range(2):
        made.settings(kind, session_id=session_id)
    for row in range(3):
        made.quote(row, 20 * E6)
    made.settle()
    made.sent(0), made.sent(1)
    made.kill(DeskAction.KILL, scope, 0)
    made.quote(0, 21 * E6)
    assert made.told(0) == [f"Z 117=NONE 298=4 58={why}"]
    others = made.told(1)
    assert [line[0] for line in others] == (["Z"] if scope == KillScope.FIRM else [others[0][0]])
    made.kill(DeskAction.RESUME, scope, 0)
    again = "".join(made.told(0))
    assert again.count("132=") == 3 and "132=21" in again


def test_a_kill_withdraws_market_data_one_by_one() -> None:
    made = Gateway()
    made.subscribe([0, 1, 2])
    made.quote(0, 20 * E6)
    made.quote(1, 20 * E6)
    made.settle()
    made.sent()
    made.kill(DeskAction.KILL, KillScope.FIRM)
    assert [line[:17] for line in made.told()] == ["X 262=R 268=2 279"] * 2
    made.kill(DeskAction.RESUME, KillScope.FIRM)
    assert [line[:19] for line in made.told()] == ["X 262=R 268=2 279=0"] * 2


def test_a_kill_of_one_instrument() -> None:
    made = Gateway()
    made.settings("quote")
    made.quote(0, 20 * E6)
    made.quote(1, 20 * E6)
    made.settle()
    made.sent()
    made.kill(DeskAction.KILL, KillScope.INSTRUMENT, 1)
    assert made.told() == ["Z 117=2 298=1 295=1 48=DE000SAMPL01"]
    made.kill(DeskAction.RESUME, KillScope.INSTRUMENT, 1)
    assert [line[:7] for line in made.told()] == ["S 117=2"]
    made.subscriptions.on_kill_switch(KillScope.INSTRUMENT, 99)
    assert made.told() == []


def test_what_was_filled_as_a_gap_is_told_anew() -> None:
    made = Gateway()
    made.settings("quote")
    made.quote(0, 20 * E6)
    made.quote(1, 20 * E6)
    made.settle()
    made.quote(1, 0, Reason.BBO_EMPTY)
    made.settle()
    made.sent()
    made.subscriptions.renew(0)
    assert [line[:16] for line in made.told()] == ["Z 117=NONE 298=4", "S 117=1 537=1 48"]
    made.subscriptions.log_off(0)
    made.subscriptions.renew(0)
    assert made.told() == []


# --- the whole ------------------------------------------------------------------------------------


def view_of(raws: list[bytes], seen: dict[str, tuple[str, str]]) -> None:
    """A counterparty's picture of our quotes, kept from the messages alone: bid and offer."""
    for raw in raws:
        pairs = [(tag, value.decode()) for tag, value in pairs_of(raw)]
        fields = dict(pairs)
        msg_type = fields[35]
        if msg_type == "Z" and fields[298] == "4":
            seen.clear()
        elif msg_type == "Z":
            seen.pop(fields[48], None)
        elif msg_type == "S":
            seen[fields[48]] = (fields[132], fields[133])
        elif msg_type == "i":
            names = [value for tag, value in pairs if tag == 48]
            bids = [value for tag, value in pairs if tag == 132]
            offers = [value for tag, value in pairs if tag == 133]
            assert len(names) == len(bids) == len(offers) <= MASS_QUOTE_MAX
            seen |= {name: both for name, *both in zip(names, bids, offers)}  # noqa: B905
        elif (msg_type == "X" and fields[279] == "2") or fields[269] == "J" or 276 in fields:
            assert msg_type == "W" or fields[48] in seen, "taken away before it was given"
            seen.pop(fields[48], None)
        else:
            pxs = [value for tag, value in pairs if tag == 270]
            assert msg_type == "W" or (fields[279] == "1") == (fields[48] in seen)
            seen[fields[48]] = (pxs[0], pxs[1])


def iois_of(raws: list[bytes], live: dict[tuple[str, str], tuple[str, str]]) -> None:
    """The same of IOIs: number and price by ISIN and side; a reference must be to what we have."""
    for raw in raws:
        fields = {tag: value.decode() for tag, value in pairs_of(raw)}
        key = (fields[48], fields[54])
        if fields[28] == "N":
            assert key not in live, "new, but there is one"
        else:
            assert live.pop(key, ("",))[0] in ("", fields[26])
        if fields[28] != "C":
            live[key] = (fields[23], fields[44])


def truth(made: Gateway, session_id: int, wants: set[int]) -> dict[str, tuple[str, str]]:
    client = int(made.wire.sessions[session_id]["client"])
    live = [
        row for row in wants
        if made.tables.quotes[row]["state"] == QuoteState.LIVE
        and not made.tables.counters[0]["kill_firm"]
        and not made.tables.pools[client % 2]["killed"]
        and not made.tables.client_use[client]["killed"]
        and not made.tables.positions[row]["killed"]
    ]  # fmt: skip
    both = ("bid_px_e6", "ask_px_e6")
    return {
        isin(row): tuple(f"{made.tables.quotes[row][name] / E6:g}" for name in both) for row in live
    }  # type: ignore[misc]


ROWS = st.integers(0, COUNT - 1)
STEPS = st.one_of(
    st.tuples(st.just("quote"), ROWS, st.integers(0, 4)),
    st.tuples(st.just("pump"), st.integers(1, 5), st.just(0)),
    st.tuples(st.just("wait"), st.integers(1, 9), st.just(0)),
    st.tuples(st.just("read"), st.integers(0, 4), st.just(0)),
    st.tuples(st.just("kill"), st.sampled_from([*KillScope]), ROWS),
    st.tuples(st.just("resume"), st.sampled_from([*KillScope]), ROWS),
    st.tuples(st.just("renew"), st.integers(0, 4), st.just(0)),
)
KINDS = ["quote", "mass_quote", "market_data", "ioi", "request"]


@given(st.lists(STEPS, max_size=60), st.sampled_from(VERSIONS), st.sampled_from("01"))
@settings(max_examples=100, deadline=None)
def test_in_the_end_everybody_knows_what_is_true(
    steps: list[tuple[str, Any, int]], version: Version, update: str
) -> None:
    """Any changes, kills, budgets and slow readers; no number is left out or used twice."""
    made = Gateway(sessions=5, version=version)
    for session_id, kind in enumerate(KINDS[:4]):
        made.settings(
            kind, isin(1), isin(2), isin(4), interval_ms=session_id, session_id=session_id
        )
    made.subscribe([0, 1, 2], session_id=4, t265=update)
    wants = [{1, 2, 4}, {1, 2, 4}, {1, 2, 4}, {1, 2, 4}, {0, 1, 2}]
    seen: list[dict[str, tuple[str, str]]] = [{} for _ in range(5)]
    raws: list[list[bytes]] = [[] for _ in range(5)]
    iois: dict[tuple[str, str], tuple[str, str]] = {}

    def read(session_id: int) -> None:
        fresh = made.sent(session_id)
        raws[session_id] += fresh
        if KINDS[session_id] != "ioi":
            view_of(fresh, seen[session_id])
            return
        iois_of(fresh, iois)
        pxs: dict[str, list[str]] = {}
        for (name, _), (_, px) in sorted(iois.items()):
            pxs.setdefault(name, []).append(px)
        seen[session_id] = {name: (bid, offer) for name, (bid, offer) in pxs.items()}

    for name, one, other in steps:
        if name == "quote":
            made.quote(one, other * E6, Reason.NONE if other else Reason.BBO_EMPTY)
        elif name == "pump":
            assert made.pump(one) <= one + 1, "what was begun is finished"
        elif name == "wait":
            made.clock_ns += one * 250_000
        elif name == "read":
            read(one)
        elif name == "renew":
            made.subscriptions.renew(one)
        else:
            action = DeskAction.KILL if name == "kill" else DeskAction.RESUME
            made.kill(action, one, other if one == KillScope.INSTRUMENT else other % 2)
    for _ in range(3):
        made.clock_ns += 10**9
        made.settle()
    for session_id in range(5):
        read(session_id)
        expected = {
            name: tuple(f"{float(px):g}" for px in both) for name, both in seen[session_id].items()
        }
        assert expected == truth(made, session_id, wants[session_id])
        numbers = [int(dict(pairs_of(raw))[34]) for raw in raws[session_id]]
        assert all(b == a + 1 for a, b in pairwise(numbers)) and (not numbers or numbers[0] == 1)


def everything_said(version: Version, precision: int) -> list[bytes]:
    """Each message there is, in one version."""
    said: list[bytes] = []
    for kind in KINDS:
        for update in "01":
            made = Gateway(version=version)
            made.wire.sessions[0]["precision"] = precision
            made.quote(0, 20 * E6)
            if kind == "request":
                made.subscribe([0, 1, 2], t265=update)
            else:
                made.settings(kind)
            made.settle()
            for row in range(COUNT):
                made.quote(row, 21_123_456)
            made.settle()
            for row, reason in enumerate(
                (Reason.BBO_EMPTY, Reason.BBO_STALE, Reason.BBO_CROSSED, Reason.NO_QUOTE)
            ):
                made.quote(row, 0, reason)
            made.settle()
            made.quote(1, 5 * E6)
            made.kill(DeskAction.KILL, KillScope.INSTRUMENT, 1)
            made.settle()
            made.kill(DeskAction.KILL, KillScope.FIRM)
            made.settle()
            made.kill(DeskAction.RESUME, KillScope.FIRM)
            made.settle()
            made.subscribe([5], name="NOW", t263="0")
            made.subscribe([5], t263="9")
            said += made.sent()
    return said


@needs_stock
@pytest.mark.parametrize("precision", [0, 3, 6, 9])
@pytest.mark.parametrize("version", VERSIONS)
def test_the_stock_dictionary_knows_all_of_it(version: Version, precision: int) -> None:
    said = everything_said(version, precision)
    assert {ord(dict(pairs_of(raw))[35]) for raw in said} == {*b"SiZWXY6"}
    for raw in said:
        assert raw.startswith(f"8={BEGIN_STRINGS[version]}\x01".encode())
        assert int(raw[-4:-1]) == sum(raw[:-7]) % 256
        assert problems(raw) == [], raw


@needs_stock
def test_the_reader_of_dictionaries_sees_what_is_wrong() -> None:
    [raw] = [one for one in everything_said(Version.FIX_4_4, 6) if b"\x0135=X\x01" in one][:1]
    text = raw.decode("latin-1").replace("\x01", "|")
    body = text[text.index("35=") : text.index("|10=") + 1]
    for old, new, what in (
        ("279=1", "279=7", "no value"), ("268=2", "268=3", "268=3, 2 entries"),
        ("268=2|", "117=1|268=2|", "117 is not of X"), ("52=2", "57=2", "52 missing"),
        ("279=1|269=0", "269=0|279=1", "begins with 269"),
    ):  # fmt: skip
        assert old in body
        assert any(what in line for line in problems(message(body.replace(old, new, 1)))), what


def test_every_withdrawal_has_its_words() -> None:
    for reason in (Reason.BBO_EMPTY, Reason.BBO_STALE, Reason.BBO_ONE_SIDED, Reason.BBO_CROSSED,
                   Reason.NO_QUOTE, Reason.KILLED_FIRM, Reason.KILLED_POOL, Reason.KILLED_CLIENT,
                   Reason.KILLED_INSTRUMENT):  # fmt: skip
        size = stream_report._TEXT_SIZES[reason]
        text = stream_report._TEXTS[reason, :size].tobytes().decode()
        assert text.startswith("SI-NOQUOTE") and not text.endswith((",", " ")) and size < 64


def test_a_change_of_the_engine_is_noted_and_told() -> None:
    """From a venue's quote through the engine and the journal to a subscriber."""
    engine = Engine(firm(), "none")
    made = Gateway()
    made.tables = engine.tables
    made.settings("market_data")
    assert [line[0] for line in made.told()] == ["W"]
    engine.apply("venue_quote", venue_quote(19_990_000, 20_010_000), NOW_NS)
    recorder.emit(engine.tables, engine.outbox, made.wire, made.journal, NOW_NS)
    [line] = made.told()
    assert "279=0 269=0 48=DE0007164600 270=19.99" in line
    last = int(made.journal.writer[0]["last"]) >> 3
    assert made.journal.words[last + jn.KIND] == jn.FIX_OUT


def test_memory_is_taken_by_subscribers_only() -> None:
    made = Gateway()
    assert made.wire.streaming.shape == (SESSIONS_MAX,)
    made.settings("none")
    assert made.wire.loop[0]["streams"] == 0 and not np.any(made.wire.wanted)
    made.settings("quote", "XX0000000000", isin(1))
    assert np.flatnonzero(made.wire.wanted[0]).tolist() == [1]
    assert made.wire.requests[1]["kind"] == StreamKind.QUOTE


def test_a_change_of_an_instrument_beyond_the_streamed_ones_is_not_noted() -> None:
    made = Gateway()
    recorder.note_change(made.wire, 16)
    assert made.wire.loop[0]["changes"] == 0
