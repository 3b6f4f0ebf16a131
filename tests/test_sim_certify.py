"""The certification pack against a counterparty that behaves, and against ones that do not."""

import json
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from gateway import sim_certify
from gateway.cli_sim import sim
from gateway.sim_certify import BY_ID, Outcome, Pack
from gateway.sim_line import Numbers
from gateway.sim_orders import coarse_tick, near
from gateway.sim_trial import Terms
from gateway.sim_wire import Account
from tests.sim_peer import DESK_QTY, ISIN, Change, Peer

pytestmark = pytest.mark.pure

TERMS = Terms(ISIN, 10, DESK_QTY)
WAIT_S = 3.0
SILENT_S = 0.25  # of counterparties that stay silent: every case waits for it once


def certify(
    peer: Peer, only: str = "", *, wait_s: float = WAIT_S, terms: Terms = TERMS,
    numbers: Numbers | None = None, **more: str,
) -> Pack:  # fmt: skip
    account = Account("127.0.0.1", peer.port, "CLIENT1", "SI", peer.begin)._replace(**more)
    cases = sim_certify.chosen(only, "")
    return sim_certify.run(account, terms, cases, numbers=numbers, wait_s=wait_s)


def outcomes(pack: Pack) -> dict[str, str]:
    return {
        result.case.id: f"{result.outcome.value} {result.reason}".strip() for result in pack.results
    }


@pytest.mark.parametrize("begin", ["FIX.4.2", "FIX.4.4", "FIXT.1.1"])
def test_who_behaves_passes_every_case(begin: str) -> None:
    with Peer(begin=begin) as peer:
        pack = certify(peer)
    expected = dict.fromkeys(BY_ID, "pass")
    expected["sending-time"] = "not offered SendingTime(52) is not compared with the clock"
    if begin == "FIX.4.2":
        expected["mass-cancel"] = "skipped FIX.4.2 has no such message"
    assert outcomes(pack) == expected
    assert pack.is_passed
    assert all(result.decisive for result in pack.results if result.outcome is Outcome.PASS)


def change(msg_type: str, tag: int = 0, value: str | None = None, with_: str = "") -> Change:
    return Change(msg_type, tag, value, with_)


#: Case -> ways to behave that must make it fail: a change of what is sent, or a fault's name.
WRONG: dict[str, list[Change | str]] = {
    "logon": [change("A", 108, "31"), change("A", 98, "1"), change("A", 34, "2"), change("A")],
    "logon-low": ["takes-low-logon", "no-reason", "stays"],
    "logon-high": [change("2"), change("2", 7, "1"), change("2", 7, "9")],
    "reset-logon": [change("A", 141), change("A", 34, "2"), change("A", 141, "N")],
    "heartbeat": [change("0"), change("0", 112, "X"), change("0", 34, "9")],
    "test-request": [change("0", 112, "X"), change("0", 112), change("0")],
    "logout": [change("5"), change("5", 34, "9")],
    "gap-detected": [change("2"), change("2", 7, "1"), change("2", 16, "2"), change("2", 16)],
    "gap-fill": ["ignores-gap-fills"],
    "gap-fill-lower": [change("3", 373, "6"), change("3", 371, "34"), change("3")],
    "sequence-reset": ["ignores-resets", change("3", 373, "1"), change("3")],
    "resend": [
        "resends-admin", "resends-otherwise", change("4"), change("4", 123), change("4", 43),
        change("4", 36, "1"), change("4", 36, "99"), change("8", 43, None, "43=Y"),
        change("8", 122), change("8", 122, "20200101-00:00:00.000", "43=Y"),
        change("8", 31, "1.0", "43=Y"), change("8", 34, "9", "43=Y"), change("8", 0, None, "43=Y"),
    ],
    "too-low": ["takes-low", "stays", change("5")],
    "duplicate": ["answers-duplicates"],
    "bad-checksum": ["takes-garbled"],
    "bad-length": ["takes-garbled"],
    "begin-string": ["stays", change("5")],
    "comp-id": ["stays", change("5")],
    "required-tag": [change("3", 373, "5"), change("3", 371), change("3", 45, "1"), change("3")],
    "bad-format": [change("3", 373, "5"), change("3", 372), change("3", 371, "40")],
    "no-value": [change("3", 373, "5"), change("3", 371, "1"), change("3")],
    "invalid-type": [change("3", 373, "5"), change("3", 45), change("3")],
    "unsupported-type": [change("j", 380, "0"), change("j", 45), change("j", 372), change("j")],
    "fill": [
        change("8", 29, "1"), change("8", 29), change("8", 30), change("8", 14, "9"),
        change("8", 151, "1"), change("8", 6, "1"), change("8", 6), change("8", 31, "0"),
        change("8", 31), change("8", 32, "9"), change("8", 17), change("8", 37), change("8", 54),
        change("8", 54, "5"), change("8", 39, "8"), change("8", 39, "1"), change("8", 150),
        change("8", 11, "other"), change("8", 20, "0"), change("8"), "same-exec-id", "no-D",
    ],
    "limit": ["fills-worse", change("8", 31, "999"), change("8", 39, "4")],
    "not-marketable": ["rests-nothing", change("8", 150, "8", "39=4"), change("8", 39, "C")],
    "unknown-instrument": [change("8", 103, "0"), change("8", 58), change("8", 150, "4")],
    "duplicate-clordid": ["takes-duplicates", change("8", 103, "0"), change("8", 103)],
    "off-tick": ["any-tick", change("8", 58), change("8", 103)],
    "custom-tag": [change("8", 39, "8")],
    "status": [
        change("8", 150, "F", "150=I"), change("8", 39, "0", "150=I"),
        change("8", 37, "0", "150=I"), change("8", 0, None, "150=I"),
    ],
    "large": [
        change("8", 39, "2", "150=0"), change("8", 150, "4"), change("8", 151, "0", "150=0"),
        change("8", 41, "other"), change("8", 151, "9", "150=4"), change("8", 0, None, "150=4"),
    ],
    "cancel-filled": [
        change("9", 434, "2"), change("9", 41, "x"), change("9", 39, "0"), change("9", 102, "9"),
        change("9"),
    ],
    "replace": [
        change("8", 38, "1", "150=5"), change("8", 151, "1", "150=5"), change("8", 41, "x"),
        change("8", 150, "0", "150=5"), change("8", 0, None, "150=5"),
    ],
    "mass-cancel": [
        "cancels-nothing", change("r", 531, "0"), change("r", 11), change("r", 37), change("r"),
    ],
    "rfq": [
        change("S", 131), change("S", 117), change("S", 133, "x"), change("S", 537),
        change("S", 537, "0"), change("S"), change("8", 31, "1"), change("8", 29), "no-AJ",
    ],
    "market-data": [
        change("S", 132, "999"), change("S", 133), change("S", 117), change("S", 537),
        change("S", 55, "other"), change("S"),
    ],
}  # fmt: skip

PAIRS = [(case, wrong) for case, ways in WRONG.items() for wrong in ways]


def test_every_case_can_fail() -> None:
    assert set(WRONG) | {"sending-time"} == set(BY_ID)


@pytest.mark.parametrize(("case", "wrong"), PAIRS, ids=[f"{c}-{w}" for c, w in PAIRS])
def test_who_behaves_wrongly_fails(case: str, wrong: Change | str) -> None:
    ways = {"faults": [wrong]} if isinstance(wrong, str) else {"changes": [wrong]}
    with Peer(**ways) as peer:  # type: ignore[arg-type]
        pack = certify(peer, case, wait_s=1.5 if "heartbeat" in case else SILENT_S)
    result = pack.results[0]
    assert result.outcome is Outcome.FAIL, outcomes(pack)
    assert result.reason
    assert not pack.is_passed


def test_reasons_say_what_came_and_what_is_due() -> None:
    with Peer(faults=["fills-worse"]) as peer:
        pack = certify(peer, "limit")
    assert outcomes(pack) == {"limit": "FAIL LastPx(31)=294.40 is worse than Price(44)=334"}
    with Peer(changes=[Change("2")]) as peer:
        pack = certify(peer, "logon-high", wait_s=SILENT_S)
    assert outcomes(pack) == {
        "logon-high": "FAIL nothing came within 0.25 s; ResendRequest(2) is due"
    }


def test_sending_time_passes_and_fails() -> None:
    with Peer(faults=["checks-clock"]) as peer:
        assert outcomes(certify(peer, "sending-time")) == {"sending-time": "pass"}
    with Peer(faults=["checks-clock"], changes=[change("3", 373, "5")]) as peer:
        assert certify(peer, "sending-time").results[0].outcome is Outcome.FAIL


# --- what is not offered, skipped, or cannot be -----------------------------------------------


@pytest.mark.parametrize(
    ("case", "msg_type"),
    [
        ("status", "H"), ("large", "F"), ("replace", "G"), ("mass-cancel", "q"), ("rfq", "R"),
        ("market-data", "V"),
    ],
)  # fmt: skip
def test_a_proper_refusal_is_no_failure(case: str, msg_type: str) -> None:
    with Peer(faults=[f"no-{msg_type}"]) as peer:
        result = certify(peer, case).results[0]
    assert result.outcome is Outcome.NOT_OFFERED
    assert result.decisive is not None and result.decisive.type == "j"


@pytest.mark.parametrize(
    ("case", "reason"), [("rfq", 658), ("market-data", 281), ("mass-cancel", 532)]
)
def test_a_refusal_in_the_flows_own_words_is_no_failure(case: str, reason: int) -> None:
    with Peer(faults=["refuses"]) as peer:
        assert certify(peer, case).results[0].outcome is Outcome.NOT_OFFERED
    wrong = [Change(kind, reason, "1") for kind in ("AG", "Y", "r")]
    with Peer(faults=["refuses"], changes=wrong) as peer:
        assert certify(peer, case).results[0].outcome is Outcome.FAIL


@pytest.mark.parametrize("wrong", [Change("j", 45, "1"), Change("j", 372, "D"), Change("j", 380)])
def test_an_improper_refusal_is_a_failure(wrong: Change) -> None:
    with Peer(faults=["no-V"], changes=[wrong]) as peer:
        assert certify(peer, "market-data").results[0].outcome is Outcome.FAIL


def test_what_is_not_given_is_skipped() -> None:
    with Peer() as peer:
        pack = certify(peer, "fill,large,resend", terms=Terms())
    assert outcomes(pack) == {
        "resend": "pass",
        "fill": "skipped needs --isin",
        "large": "skipped needs --isin and --lis-qty",
    }


def test_without_resets_the_numbers_go_on() -> None:
    with Peer(faults=["no-resets"]) as peer:
        peer.next_in, peer.next_out = 51, 31
        pack = certify(peer, numbers=Numbers(51, 31))
    assert pack.is_passed, outcomes(pack)
    assert pack.count(Outcome.FAIL) == 0
    assert outcomes(pack)["reset-logon"] == "skipped resets are not allowed: --next-out was given"
    assert min(int(m[34]) for m in peer.received if m[35] == "D") > 51


@pytest.mark.parametrize("ours", [7, 90])
def test_a_number_that_is_off_is_settled(ours: int) -> None:
    with Peer() as peer:
        peer.next_in, peer.next_out = 51, 31
        pack = certify(peer, "test-request", numbers=Numbers(ours, 1))
    assert outcomes(pack) == {"test-request": "pass"}


def test_refused_resets_name_the_options() -> None:
    with Peer(faults=["no-resets"]) as peer:
        result = certify(peer, "logon").results[0]
    assert result.outcome is Outcome.FAIL
    assert "ResetSeqNumFlag is not allowed" in result.reason
    assert "give --next-out and --next-in" in result.reason


def test_nobody_listening_is_an_error_of_the_user() -> None:
    with Peer() as peer:
        port = peer.port
    done = run("certify", f"127.0.0.1:{port}", "--sender", "CLIENT1")
    assert done.exit_code == 1
    assert "error" in done.output and "refused" in done.output


# --- reports ----------------------------------------------------------------------------------


def run(*words: object) -> Result:
    return CliRunner().invoke(sim, [*map(str, words)], env={"COLUMNS": "220"})


class Page(HTMLParser):
    """The text of a page, and whether every element is closed in order."""

    VOID = frozenset(("meta", "br", "link"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.ids: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.add(str(value))
            if name == "href":
                self.links.add(str(value))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_command_reports_in_three_forms(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    with Peer(changes=[Change("8", 29, "1<b>")]) as peer:
        words = [
            "certify", f"127.0.0.1:{peer.port}", "--sender", "CLIENT1", "--isin", ISIN,
            "--only", "logon,fill,large", "--username", "desk", "--password-file", secret,
        ]  # fmt: skip
        shown = run(*words, "--html", page)
        document = json.loads(run(*words, "--json").stdout)
    assert shown.exit_code == 1
    for words_of in ("logon", "pass", "FAIL", "skipped", "LastCapacity(29) is 1<b>, expected 4"):
        assert words_of in shown.output
    assert "3 cases: 1 pass, 1 FAIL, 1 skipped, 0 not offered" in shown.output
    assert [case["result"] for case in document["cases"]] == ["pass", "FAIL", "skipped"]
    assert document["passed"] is False
    first = document["cases"][0]["log"][0]
    assert (first["direction"], first["message"][2]) == (">", [35, "A"])
    assert [554, "***"] in first["message"]
    parsed = Page()
    parsed.feed(page.read_text(encoding="utf-8"))
    text = " ".join(" ".join(parsed.text).split())
    assert parsed.open == []
    assert {link[1:] for link in parsed.links} >= {"logon", "fill"} <= parsed.ids
    assert "LastCapacity(29)= 1<b>" in text and "not passed" in text
    assert "hunter2" not in page.read_text() + shown.output + json.dumps(document)


def test_a_pack_that_passes_ends_with_0() -> None:
    with Peer() as peer:
        done = run("certify", f"127.0.0.1:{peer.port}", "--sender", "CLIENT1", "--only", "logon")
    assert done.exit_code == 0, done.output


def test_cases_are_listed() -> None:
    listed = json.loads(run("certify", "--list", "--json").stdout)
    assert [row["id"] for row in listed] == list(BY_ID)
    assert all(row["citation"] and row["expected"] for row in listed)
    shown = run("certify", "--list", "--only", "fill").output
    assert "fill" in shown and "gap-fill" not in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "HOST:PORT and --sender are needed"),
        (["a:1", "--sender", "A", "--only", "logon,dance"], "case 'dance' is none of logon"),
        (["a:1", "--sender", "A", "--begin-string", "FIX.5.0"], "none of FIX.4.2, FIX.4.4"),
        (["a:0", "--sender", "A"], "'a:0' is no HOST:PORT"),
        (["a:1", "--sender", "A", "--password-file", "x"], "--password-file needs --username"),
    ],
)
def test_wrong_words_are_refused(words: list[str], said: str) -> None:
    done = run("certify", *words)
    assert done.exit_code == 1
    assert said in " ".join(done.output.split())


# --- prices -----------------------------------------------------------------------------------


@given(st.integers(1, 10**9), st.sampled_from([-3, 3]))
def test_a_near_price_is_near_and_on_the_coarsest_tick(px_e4: int, percent: int) -> None:
    px = Decimal(px_e4).scaleb(-4)
    found = near(px, percent)
    tick = coarse_tick(px * (100 + percent) / 100)
    assert found % tick == 0
    assert (found < px) if percent < 0 else (found > px)
    assert abs(found - px) <= px * Decimal("0.05")


@pytest.mark.parametrize(
    ("px", "tick"),
    [("100", "1"), ("199.99", "1"), ("200", "2"), ("344.5", "2"), ("500", "5"), ("1000", "10"),
     ("0.15", "0.001"), ("9.99", "0.05")],
)  # fmt: skip
def test_the_coarsest_tick(px: str, tick: str) -> None:
    assert coarse_tick(Decimal(px)) == Decimal(tick)
