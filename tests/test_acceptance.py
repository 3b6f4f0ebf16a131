"""The session-layer test cases of the FIX standard, from outside, in each version.

FIX 4.4 volume 2, "Session-level test cases and expected behaviours" (the numbers in the names); the
same holds for FIX 4.2 and, but for DefaultApplVerID(1137), for FIXT.1.1.
"""

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance_rig import VERSIONS, Peer, shifted
from tests.fix_peer import Closed, Fields, Terms, framed, stamp
from tests.session_rig import ASK, BID, ISIN
from tests.venue import Engine, running, sample

pytestmark = [pytest.mark.sockets, pytest.mark.slow]

COUNT, STRICT = 150, 20  # sessions, and how many of them are strict


@pytest.fixture(scope="module", params=VERSIONS)
def begin(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, begin: str) -> Iterator[Engine]:
    sessions = [
        {
            "begin_string": begin, "sender_comp_id": "SI", "target_comp_id": f"C{number:03}",
            "client": "client1", "validation": "strict" if number < STRICT else "tolerant",
        }
        for number in range(COUNT)
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("acceptance")
    with running(sample(folder, fix={"port": 0, "sessions": sessions})) as made:
        made.quote(ISIN, BID, ASK)
        yield made
    made.verify()


NUMBERS = {
    (begin, strict): itertools.count(0 if strict else STRICT)
    for begin in VERSIONS for strict in (False, True)
}  # fmt: skip
New = Callable[..., Peer]


@pytest.fixture
def new(engine: Engine, begin: str) -> Iterator[New]:
    made = []

    def make(strict: bool = False, heartbeat: object = 30) -> Peer:
        engine.quote(ISIN, BID, ASK)
        number = next(NUMBERS[begin, strict])
        made.append(Peer(engine, f"C{number:03}", begin, heartbeat))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


@pytest.fixture
def peer(new: New) -> Peer:
    """Logged on, tolerant."""
    client = new()
    client.logon()
    return client


@pytest.fixture
def strict(new: New) -> Peer:
    """Logged on, strict."""
    client = new(strict=True)
    client.logon()
    return client


def refused(peer: Peer, seq: int, reason: int, **more: object) -> Fields:
    """A session-level Reject, with its reason where the version has the value."""
    got = peer.expect("3", t45=seq, **more)
    known = reason <= 11 or peer.begin != "FIX.4.2"
    assert got.get(373) == (str(reason) if known else None), got
    return got


# --- 1: logon ---------------------------------------------------------------------------------


def test_1a_valid_logon(new: New) -> None:
    client = new()
    got = client.logon()
    assert (got[8], got[34], got[98], got[108]) == (client.begin, "1", "0", "30")
    assert got.get(1137) == ("9" if client.begin == "FIXT.1.1" else None)
    client.logout()


def test_1a_logon_with_a_number_too_high(new: New) -> None:
    client = new()
    client.next_out = 5
    client.logon()
    client.expect("2", t7=1, t16=0)
    client.send("4", [(123, "Y"), (36, 6)], seq=1, t43="Y", t122=stamp())
    client.answers("after the gap")


def test_1b_duplicate_identity(new: New) -> None:
    client = new()
    client.logon()
    second = Peer(client.engine, client.comp_id, client.begin)  # type: ignore[arg-type]
    with pytest.raises(Closed):
        second.logon()
    client.answers("first")


@pytest.mark.parametrize("header", [{"t49": "WT"}, {"t56": "DLSI"}])
def test_1c_unknown_counterparty(new: New, header: dict[str, object]) -> None:
    client = new()
    with pytest.raises(Closed):
        client.logon(**header)


@pytest.mark.parametrize("off_s", [-600, 600])
def test_1d_logon_with_bad_sending_time(new: New, off_s: int) -> None:
    client = new()
    client.connect()
    version = [(1137, 9)] if client.begin == "FIXT.1.1" else []
    client.send("A", [(98, 0), (108, 30), *version], t52=shifted(off_s))
    assert "SendingTime" in client.goodbye()[58]


def test_1d_logon_with_another_begin_string(new: New) -> None:
    client = new()
    with pytest.raises(Closed):
        client.logon(t8="FIX.4.1")


def test_1d_logon_with_a_wrong_length_is_garbled(new: New) -> None:
    client = new()
    client.connect()
    raw = client.message("A", [(98, 0), (108, 30)])
    client.raw(raw.replace(b"\x019=", b"\x019=1", 1))
    client.nothing()


def test_1d_fixt_needs_the_application_version(new: New) -> None:
    client = new()
    client.connect()
    client.send("A", [(98, 0), (108, 30), (1137, 7)])
    if client.begin == "FIXT.1.1":
        assert "1137" in client.goodbye()[58]
    else:
        client.expect("A")


@pytest.mark.parametrize("msg_type", ["0", "1", "5"])
def test_1e_first_message_is_no_logon(new: New, msg_type: str) -> None:
    client = new()
    client.connect()
    client.send(msg_type, [(112, "x")] if msg_type == "1" else [])
    client.closed()


# --- 2: receive a message ---------------------------------------------------------------------


def test_2b_number_too_high(peer: Peer) -> None:
    peer.send("1", [(112, "early")], seq=5)
    peer.expect("2", t7=2, t16=0)
    peer.send("0", seq=6)
    peer.nothing(0.2)
    peer.send("4", [(123, "Y"), (36, 5)], seq=2, t43="Y", t122=stamp())
    peer.expect("0", t112="early")  # what came too early waited for the others
    peer.next_out = 7
    peer.answers("now")


def test_2b_an_early_order_is_filled_once(peer: Peer) -> None:
    early, missing = peer.order(), peer.order()
    peer.send("D", early, seq=3)
    peer.expect("2", t7=2, t16=0)
    original = stamp()
    peer.send("D", missing, seq=2, t43="Y", t122=original)
    assert peer.expect("8", t39=2)[11] == dict(missing)[11]
    assert peer.expect("8", t39=2)[11] == dict(early)[11]
    peer.send("D", early, seq=3, t43="Y", t122=original)  # they resend it all the same
    peer.next_out = 4
    peer.answers("once")


def test_2c_number_too_low(peer: Peer) -> None:
    peer.answers(1)
    peer.send("0", seq=2)
    assert "too low" in peer.goodbye()[58]


def test_2c_what_follows_the_end_is_not_read(peer: Peer) -> None:
    peer.answers(1)
    low = peer.message("0", seq=2)
    again = peer.message("A", [(98, 0), (108, 30)], seq=3)
    peer.raw(low + again + peer.message("1", [(112, "x")], seq=4))
    assert "too low" in peer.goodbye()[58]


def test_2d_garbled_is_ignored(peer: Peer) -> None:
    raw = peer.message("1", [(112, "bad")])
    peer.raw(raw[:-4] + b"000\x01" if raw[-4:-1] != b"000" else raw[:-4] + b"001\x01")
    peer.answers("good")


def test_2e_possible_duplicate_seen_before(peer: Peer) -> None:
    peer.answers(1)
    peer.send("1", [(112, "again")], seq=2, t43="Y", t122=stamp())
    peer.answers(2)


def test_2e_possible_duplicate_not_seen_before(peer: Peer) -> None:
    peer.send("D", peer.order(), t43="Y", t122=stamp())
    peer.expect("8", t39=2)
    peer.send("1", [(112, "dup")], t43="Y", t122=stamp())
    peer.expect("0", t112="dup")


@pytest.mark.parametrize("seq", [2, 3])
def test_2f_original_time_after_sending_time(peer: Peer, seq: int) -> None:
    peer.answers(1)
    peer.send("1", [(112, "x")], seq=seq, t43="Y", t122=shifted(20))
    refused(peer, seq, 10, t371=122)
    peer.goodbye()


@pytest.mark.parametrize("seq", [2, 3])
def test_2g_no_original_time(peer: Peer, seq: int) -> None:
    peer.answers(1)
    peer.send("1", [(112, "x")], seq=seq, t43="Y")
    refused(peer, seq, 1, t371=122)
    peer.next_out = max(seq + 1, 3)
    peer.answers(2)


def test_2i_another_begin_string(peer: Peer) -> None:
    peer.send("0", t8="FIX.4.1")
    assert "BeginString" in peer.goodbye()[58]


@pytest.mark.parametrize("header", [{"t49": "WT"}, {"t56": "DLSI"}])
def test_2k_comp_ids_that_do_not_match(peer: Peer, header: dict[str, object]) -> None:
    peer.send("0", **header)
    refused(peer, 2, 9, t372=0)
    peer.goodbye()
    peer.logon()  # the number was used: 3 is next


@pytest.mark.parametrize("change", [-5, -1, 1, 9])
def test_2m_wrong_body_length(peer: Peer, change: int) -> None:
    raw = peer.message("1", [(112, "wrong length")])
    size = int(raw.split(b"\x01")[1][2:])
    peer.raw(raw.replace(b"9=%d\x01" % size, b"9=%d\x01" % (size + change), 1))
    peer.answers("good")


@pytest.mark.parametrize("off_s", [-121, 121])
def test_2o_sending_time_out_of_range(peer: Peer, off_s: int) -> None:
    peer.send("1", [(112, "x")], t52=shifted(off_s))
    refused(peer, 2, 10, t371=52)
    peer.goodbye()
    peer.logon()


def test_2q_message_type_not_valid(peer: Peer) -> None:
    peer.send("*", [(58, "x")])
    refused(peer, 2, 11)
    peer.answers(1)


def test_2r_message_type_valid_but_not_supported(peer: Peer) -> None:
    peer.send("c", [(320, "1"), (321, 0)])
    peer.expect("j", t45=2, t372="c", t380=3)
    peer.answers(1)


@pytest.mark.parametrize("fields", ["9|8|35", "8|35|9", "35|8|9"])
def test_2t_first_three_fields_out_of_order(peer: Peer, fields: str) -> None:
    head = {"8": f"8={peer.begin}|", "35": "35=1|"}
    rest = f"34=2|49={peer.comp_id}|56=SI|52={stamp()}|112=x|"
    size = len(rest) + len(head["35"])
    head["9"] = f"9={size}|"
    data = ("".join(head[tag] for tag in fields.split("|")) + rest).replace("|", "\x01").encode()
    peer.raw(data + b"10=%03d\x01" % (sum(data) % 256))
    peer.answers("good")


def test_2t_type_is_not_the_third(peer: Peer) -> None:
    body = f"34=2|35=1|49={peer.comp_id}|56=SI|52={stamp()}|112=x|"
    peer.raw(framed(body, peer.begin))
    peer.answers("good")


# --- 3, 4, 6: garbled, heartbeats, test requests --------------------------------------------------


def test_3c_bytes_between_messages(peer: Peer) -> None:
    peer.raw(b"\x00\xff8=FIX\x01garbage\x0110=000\x01")
    peer.answers("good")


def test_4_heartbeats_and_test_requests(new: New) -> None:
    client = new(heartbeat=1)
    client.logon()
    kinds = [client.receive(3) for _ in range(2)]
    assert kinds[0][35] == "0" and 112 not in kinds[0]
    asked = next(got for got in [*kinds, client.receive(3)] if got[35] == "1")
    client.send("0", [(112, asked[112])])
    client.send("1", [(112, "mine")])
    while (got := client.receive(3)).get(112) != "mine":
        assert got[35] in "01"


def test_6_no_answer_to_a_test_request(new: New) -> None:
    client = new(heartbeat=1)
    client.logon()
    while (got := client.receive(5))[35] != "5":
        assert got[35] in "01"
    assert "TestRequest" in got[58]
    client.closed()


# --- 7, 8: rejects, resends ---------------------------------------------------------------------


def test_7_their_reject_is_taken(peer: Peer) -> None:
    peer.send("3", [(45, 1), (58, "no")])
    peer.answers(1)


def test_8_admin_messages_are_gap_filled(peer: Peer) -> None:
    peer.answers(1)
    peer.answers(2)
    peer.send("2", [(7, 1), (16, 0)])
    peer.expect("4", t34=1, t36=4, t123="Y", t43="Y")
    peer.answers(3)


def test_8_application_messages_are_sent_again(peer: Peer) -> None:
    first, second = peer.trade(), peer.trade()
    for last in (0, 3, 9999):
        peer.send("2", [(7, 2), (16, last)])
        for original in (first, second):
            again = peer.expect("8", t34=original[34], t43="Y", t122=original[52])
            moving = (9, 10, 43, 52, 122)
            assert {t: v for t, v in again.items() if t not in moving} == {
                t: v for t, v in original.items() if t not in moving
            }
    peer.answers(1)


def test_8_both_kinds(peer: Peer) -> None:
    peer.answers(1)  # 2
    peer.trade()  # 3
    peer.answers(2)  # 4
    peer.answers(3)  # 5
    peer.trade()  # 6
    peer.send("2", [(7, 1), (16, 0)])
    peer.expect("4", t34=1, t36=3)
    peer.expect("8", t34=3)
    peer.expect("4", t34=4, t36=6)
    peer.expect("8", t34=6)
    peer.send("2", [(7, 4), (16, 5)])
    peer.expect("4", t34=4, t36=6)


def test_a_resend_of_what_was_never_sent(peer: Peer) -> None:
    peer.send("2", [(7, 90), (16, 0)])
    refused(peer, 2, 5, t371=7)
    peer.answers(1)


# --- 10, 11: sequence reset ---------------------------------------------------------------------


def test_10_gap_fill_in_sequence(peer: Peer) -> None:
    peer.send("4", [(123, "Y"), (36, 20)])
    peer.next_out = 20
    peer.answers(1)


def test_10_gap_fill_with_a_number_too_high(peer: Peer) -> None:
    peer.send("4", [(123, "Y"), (36, 20)], seq=5)
    peer.expect("2", t7=2, t16=0)


def test_10_gap_fill_with_a_number_too_low(peer: Peer) -> None:
    peer.answers(1)
    peer.send("4", [(123, "Y"), (36, 20)], seq=2, t43="Y", t122=stamp())  # a repeat: ignored
    peer.answers(2)
    peer.send("4", [(123, "Y"), (36, 20)], seq=2)
    peer.goodbye()


def test_10_gap_fill_to_a_number_not_above_its_own(peer: Peer) -> None:
    peer.send("4", [(123, "Y"), (36, 2)])
    refused(peer, 2, 5, t371=36)
    peer.answers(1)


@pytest.mark.parametrize("gap_fill", [[], [(123, "N")]])
def test_11_reset_forwards(peer: Peer, gap_fill: Terms) -> None:
    peer.send("4", [*gap_fill, (36, 30)], seq=17)  # its own number is ignored
    peer.next_out = 30
    peer.answers(1)


def test_11_reset_to_the_expected(peer: Peer) -> None:
    peer.send("4", [(36, 2)], seq=2)
    peer.next_out = 2
    peer.answers(1)


def test_11_reset_backwards(peer: Peer) -> None:
    peer.answers(1)
    peer.send("4", [(36, 2)], seq=3)
    refused(peer, 3, 5, t371=36)
    peer.next_out = 3
    peer.answers(1)


def test_reset_by_logon_within_a_session(peer: Peer) -> None:
    peer.answers(1)
    peer.next_out = 1
    got = peer.logon((141, "Y"))
    assert (got[34], got[141]) == ("1", "Y")
    peer.answers(2)


# --- 13: logout ---------------------------------------------------------------------------------


def test_13b_their_logout_is_answered(peer: Peer) -> None:
    peer.send("5")
    peer.expect("5", t34=2)
    peer.closed()
    assert peer.logon()[34] == "3"  # the numbers go on


# --- 14: fields ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", [4999, 5000, 9997])
def test_14a_unknown_tag(peer: Peer, strict: Peer, tag: int) -> None:
    seq = strict.send("D", strict.order(**{f"t{tag}": "HI"}))
    refused(strict, seq, 0, t371=tag, t372="D")
    strict.answers(1)
    peer.send("D", peer.order(**{f"t{tag}": "HI"}))
    peer.expect("8", t39=2)


@pytest.mark.parametrize("tag", ["0", "-1"])
def test_14a_bad_tag(peer: Peer, tag: str) -> None:
    seq = peer.next_out
    body = "".join(f"{t}={v}|" for t, v in peer.order())
    head = f"35=D|34={seq}|49={peer.comp_id}|56=SI|52={stamp()}|"
    peer.raw(framed(f"{head}{body}{tag}=HI|", peer.begin))
    peer.next_out += 1
    refused(peer, seq, 0, t371=tag)
    peer.answers(1)


@pytest.mark.parametrize("tag", ["2\u00b2", "9" * 5000, "x", "-" + "1" * 5000], ids=len)
def test_14a_no_tag_at_all(peer: Peer, tag: str) -> None:
    seq = peer.next_out
    head = f"35=0|34={seq}|49={peer.comp_id}|56=SI|52={stamp()}|"
    peer.raw(framed(f"{head}{tag}=HI|", peer.begin))
    peer.next_out += 1
    refused(peer, seq, 0)
    peer.answers(1)


@pytest.mark.parametrize("tag", [11, 54, 60, 40])
def test_14b_required_tag_missing(peer: Peer, tag: int) -> None:
    seq = peer.send("D", peer.order(**{f"t{tag}": None}))
    refused(peer, seq, 1, t371=tag, t372="D")
    peer.answers(1)


@pytest.mark.parametrize("tag", [49, 56, 52])
def test_14b_header_tag_missing(peer: Peer, tag: int) -> None:
    seq = peer.send("0", **{f"t{tag}": None})
    refused(peer, seq, 1, t371=tag)
    peer.answers(1)


def test_14c_tag_not_of_this_message(peer: Peer, strict: Peer) -> None:
    seq = strict.send("D", strict.order(t41="HI"))
    refused(strict, seq, 2, t371=41, t372="D")
    strict.answers(1)
    peer.send("D", peer.order(t41="HI"))
    peer.expect("8", t39=2)


def test_14d_tag_without_a_value(peer: Peer) -> None:
    seq = peer.send("D", peer.order(t58=""))
    refused(peer, seq, 4, t371=58)
    peer.answers(1)


def test_14e_value_out_of_range(peer: Peer) -> None:
    seq = peer.send("D", peer.order(t21=4))
    refused(peer, seq, 5, t371=21)
    peer.answers(1)


@pytest.mark.parametrize(
    ("tag", "value"),
    [(38, "+200.00"), (38, "two"), (44, "1e3"), (60, "20251301-10:00:00"), (54, "11")],
)
def test_14f_bad_format(peer: Peer, tag: int, value: str) -> None:
    seq = peer.send("D", peer.order(**{f"t{tag}": value}))
    refused(peer, seq, 6, t371=tag)
    peer.answers(1)


def test_14g_header_field_in_the_body(strict: Peer, peer: Peer) -> None:
    seq = strict.send("D", [*strict.order(), (50, "desk")])
    refused(strict, seq, 14, t371=50)
    strict.answers(1)
    peer.send("D", [*peer.order(), (50, "desk")])
    peer.expect("8", t39=2)


def test_14h_repeated_tag(peer: Peer, strict: Peer) -> None:
    for client, twice in ((peer, 40), (strict, 40), (strict, 21)):
        terms = client.order()
        seq = client.send("D", [*terms, (twice, dict(terms)[twice])])
        refused(client, seq, 13, t371=twice)
        client.answers(1)


def test_14i_group_count(peer: Peer) -> None:
    for count, given in ((2, 1), (1, 2)):
        group = [(386, count), *[(336, "1")] * given]
        seq = peer.send("D", [*peer.order(), *group])
        got = peer.expect("3", t45=seq)
        assert got.get(373) in ("16", "13", None), got
    peer.answers(1)


def test_15_fields_in_another_order(peer: Peer, strict: Peer) -> None:
    for client in (peer, strict):
        body = "".join(f"{t}={v}|" for t, v in reversed(client.order()))
        head = f"35=D|56=SI|52={stamp()}|34={client.next_out}|49={client.comp_id}|"
        client.raw(framed(head + body, client.begin))
        client.next_out += 1
        client.expect("8", t39=2)


# --- 19 to 21 -----------------------------------------------------------------------------------


def test_19_possible_resend(peer: Peer) -> None:
    terms = peer.order()
    peer.send("D", terms, t97="Y")  # not seen before: an order
    peer.expect("8", t39=2)
    peer.send("D", terms, t97="Y")  # seen: ignored
    peer.answers(1)


def test_20_simultaneous_resend_requests(peer: Peer) -> None:
    peer.trade()
    peer.send("2", [(7, 1), (16, 0)], seq=7)
    peer.expect("4", t34=1, t36=2)
    peer.expect("8", t34=2, t43="Y")
    peer.expect("2", t7=3, t16=0)
    peer.send("4", [(123, "Y"), (36, 8)], seq=3, t43="Y", t122=stamp())
    peer.next_out = 8
    peer.answers("both served")


def test_21_group_of_none(peer: Peer, strict: Peer) -> None:
    for client in (peer, strict):
        client.send("D", [*client.order(), (386, 0)])
        client.expect("8", t39=2)


def test_rejects_go_back_to_who_was_behind_the_sender(peer: Peer) -> None:
    route: dict[str, object] = {"t115": "JCD", "t116": "CS", "t128": "MG", "t129": "CB"}
    seq = peer.send("D", peer.order(t54=None), **route)
    refused(peer, seq, 1, t371=54, t128="JCD", t129="CS", t115="MG", t116="CB")
