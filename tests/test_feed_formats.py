"""Formats of market data files: a good file of each, and each kind of bad line."""

import gzip
import json
import random
from pathlib import Path

import pytest

from engine.enums import Phase
from gateway.feed_files import FORMATS, FeedError, Quote, encode, quotes
from tests.market_files import GETTEX, GOING, ISIN, OTHER, SEMICOLON, write

pytestmark = pytest.mark.pure

DAY_NS = 1_780_876_800 * 10**9  # 2026-06-08, UTC
LOBSTER = "AMZN_2012-06-21_34200000_57600000_orderbook_1.csv"
FEEDOS = f"feedos_{ISIN}_20180507.txt"

FEEDOS_TEXT = f"""\
instr # 238/1022 = 499123198
    Symbol                   \tstring{{SAN}}
    SegmentMIC               \tstring{{XMAD}}
    ISIN                     \tstring{{{ISIN}}}
OF 238/1022
OF 238/1022 L(0) bid(2) ask(2) TimesUTC(Market=null,Server=2018-05-07 13:54:41:208) MVD=10
\t 0\tBID    5.3790 x   7564 @      4\tASK    5.3820 x  10569 @      4
\t 1\tBID    5.3780 x  22893 @      6\tASK **************************
OD 238/1022 L(0) \t2018-05-07 13:54:42:976.694 /ServerUTCTime: 2018-05-07 13:54:42:999
AskChangeQtyAtLevel level=0 price=0 qty=8428 nb_orders=5
OD 238/1022 L(0) \tnull /ServerUTCTime: 2018-05-07 13:54:43:001
BidChangeQtyAtLevel level=1 price=0 qty=9 nb_orders=5
OR 238/1022 L(0) \tbid(0*1) ask(0+0) null /ServerUTCTime: 2018-05-07 13:54:45:758
\t 0\tBID **************************\tASK{" " * 27}
"""


def lobster(folder: Path, messages: str, books: str) -> Path:
    write(folder, LOBSTER.replace("orderbook", "message"), messages)
    return write(folder, LOBSTER, books)


def refusal(path: Path, kind: str, **given: str) -> str:
    with pytest.raises(FeedError) as refused:
        list(quotes(path, kind, **given))
    return str(refused.value).replace(f"{path.parent}/", "")


# --- formats ----------------------------------------------------------------------------------


def test_semicolon(tmp_path):
    text = (
        "2026-06-08T07:59:52.0000000Z;202.25;202.35;500;400\n"
        "\r\n"
        "2026-06-08T07:59:52.1234567Z;0.000001;10000000;1;100000000000\r\n"
    )
    path = write(tmp_path, SEMICOLON, text)
    at_ns = DAY_NS + (7 * 3600 + 59 * 60 + 52) * 10**9
    assert list(quotes(path, "semicolon")) == [
        Quote(at_ns, ISIN, "XETR", 1, GOING, 202_250_000, 202_350_000, 500, 400),
        Quote(at_ns + 123_456_700, ISIN, "XETR", 2, GOING, 1, 10**13, 1, 10**11),
    ]
    assert {(q.isin, q.mic) for q in quotes(path, "semicolon", isin=OTHER, mic="XPAR")} == {
        (OTHER, "XPAR")
    }


def test_semicolon_takes_instrument_and_venue_from_the_name_or_asks(tmp_path):
    line = "2026-06-08T07:59:52Z;1;2;3;4\n"
    (quote,) = quotes(write(tmp_path, f"ls_{ISIN}_x.txt", line), "semicolon")
    assert quote.mic == "LSSI"
    assert "give --mic" in refusal(write(tmp_path, f"eix_{ISIN}_x.txt", line), "semicolon")
    assert "give --isin" in refusal(write(tmp_path, "xetra_x.txt", line), "semicolon")
    assert "give --isin" in refusal(write(tmp_path, "ls_DEZZ00000008_x.txt", line), "semicolon")
    path = write(tmp_path, "x.txt", line)
    assert "--isin 'DE'" in refusal(path, "semicolon", isin="DE")
    assert "--mic 'xetr'" in refusal(path, "semicolon", isin=ISIN, mic="xetr")


def test_lobster(tmp_path):
    messages = (
        "34200.017459617,5,0,1,2238200,-1\n"
        "34200.5,7,0,0,-1,-1\n"
        "34201,1,7,1,2238200,1\n"
        "34202,7,0,0,0,-1\n"
        "34203,7,0,0,1,-1\n"
    )
    books = (
        "2239500;100;2231800;50\r\n"
        "2239500;100;2231800;50\r\n"
        "2239500,100,-9999999999,0,9999999999,0,-9999999999,0\r\n"
        "9999999999,0,2231800,50\r\n"
        "9999999999,0,-9999999999,0\r\n"
    )
    path = lobster(tmp_path, messages, books)
    got = list(quotes(path, "lobster", isin=ISIN))
    assert [q[4:] for q in got] == [
        (GOING, 223_180_000, 223_950_000, 50, 100),
        (Phase.HALTED, 223_180_000, 223_950_000, 50, 100),
        (Phase.HALTED, 0, 223_950_000, 0, 100),
        (Phase.HALTED, 223_180_000, 0, 50, 0),
        (GOING, 0, 0, 0, 0),
    ]
    # 09:30 in New York in June is 13:30 UTC.
    assert got[0].time_ns == 1_340_285_400_017_459_617
    assert {(q.isin, q.mic) for q in got} == {(ISIN, "XNAS")}


def test_lobster_pairs_its_files(tmp_path):
    book, event = "2239500,1,2231800,1\n", "34200.1,1,1,1,1,1\n"
    path = lobster(tmp_path, event, book + book)
    assert f"{LOBSTER}:2:" in refusal(path, "lobster", isin=ISIN)
    path = lobster(tmp_path, event + event, book)
    assert "message_1.csv:2:" in refusal(path, "lobster", isin=ISIN)
    message_path = tmp_path / LOBSTER.replace("orderbook", "message")
    assert "name the orderbook file" in refusal(message_path, "lobster", isin=ISIN)
    assert "give --isin" in refusal(path, "lobster")
    message_path.rename(tmp_path / "elsewhere")
    assert "must lie beside it" in refusal(path, "lobster", isin=ISIN)
    (tmp_path / f"{message_path.name}.gz").write_bytes(gzip.compress(event.encode()))
    assert len(list(quotes(path, "lobster", isin=ISIN))) == 1
    for name, said in (("A_orderbook_1.csv", "no day"), ("A_2012-02-30_orderbook_1.csv", "exist")):
        write(tmp_path, name.replace("orderbook", "message"), event)
        assert said in refusal(write(tmp_path, name, book), "lobster", isin=ISIN)


def test_feedos(tmp_path):
    path = write(tmp_path, FEEDOS, FEEDOS_TEXT)
    at_ns = 1_525_701_281_208_000_000
    assert list(quotes(path, "feedos")) == [
        Quote(at_ns, ISIN, "XMAD", 1, GOING, 5_379_000, 5_382_000, 7564, 10569),
        Quote(at_ns + 1_791_000_000, ISIN, "XMAD", 2, GOING, 5_379_000, 5_382_000, 7564, 8428),
        Quote(at_ns + 4_550_000_000, ISIN, "XMAD", 3, GOING, 0, 5_382_000, 0, 8428),
    ]  # fmt: skip


FEEDOS_BAD = [
    ("level=0 price=0", "level=0 price=5.3", ":10: "),
    ("AskChangeQtyAtLevel", "AskInsertAtLevel", ":10: "),
    ("qty=8428", "qty=0", ":10: column 'qty' value '0'"),
    ("5.3790 x", "-5.3790 x", ":7: column 'bid' value '-5.3790'"),
    ("7564 @", "75.5 @", ":7: column 'bid quantity' value '75.5'"),
    ("5.3820 x  10569 @      4", "5.3820", ":7: column 'ask' value '5.3820'"),
    ("\t 0\tBID    5.3790", "\t 1\tBID    5.3790", ":7: column 'level' value '1'"),
    ("OD 238/1022", "OD 238/1023", ":9: column 'instrument' value '238/1023'"),
    ("OF 238/1022 L(0)", "OR 238/1022 L(0)", ":6: "),
    ("13:54:42:999", "13:54:62:999", ":9: column 'server time' value '2018-05-07 13:54:62.999Z'"),
    ("AskChangeQtyAtLevel level=0 price=0 qty=8428 nb_orders=5\n", "", ":10: "),
]


@pytest.mark.parametrize(("good", "bad", "where"), FEEDOS_BAD)
def test_feedos_refuses(tmp_path, good, bad, where):
    assert FEEDOS_TEXT.count(good) >= 1
    path = write(tmp_path, FEEDOS, FEEDOS_TEXT.replace(good, bad))
    assert refusal(path, "feedos").startswith(FEEDOS + where)


def test_feedos_cut_off_at_any_line(tmp_path):
    """Either a whole number of updates, or refused: never a half one."""
    whole = list(quotes(write(tmp_path, FEEDOS, FEEDOS_TEXT), "feedos"))
    lines = FEEDOS_TEXT.splitlines(keepends=True)
    counts = []
    for size in range(len(lines)):
        path = write(tmp_path, FEEDOS, "".join(lines[:size]))
        try:
            got = list(quotes(path, "feedos", mic="XMAD"))
        except FeedError:
            counts.append(None)
        else:
            assert got == whole[: len(got)]
            counts.append(len(got))
    assert counts == [None] * 7 + [1, 1, None, 2, None, 2, None]


def test_feedos_name_and_record_must_agree(tmp_path):
    path = write(tmp_path, f"feedos_{OTHER}_20180507.txt", FEEDOS_TEXT)
    assert f"the record is of {ISIN}" in refusal(path, "feedos")
    nameless = FEEDOS_TEXT.replace("    ISIN ", "    Isin ")
    assert {q.isin for q in quotes(write(tmp_path, FEEDOS, nameless), "feedos")} == {ISIN}


def test_ls(tmp_path):
    text = (
        "ISIN;bid;ask;bidQty;askQty;ts\n"
        f"{ISIN};202.25;202.3;743;743;2026-06-08T08:00:09Z\n"
        f"{OTHER};1.5;1.6;10;20;2026-06-08T08:00:10Z\n"
    )
    path = write(tmp_path, "ls.csv", text)
    at_ns = DAY_NS + (8 * 3600 + 9) * 10**9
    first = Quote(at_ns, ISIN, "LSSI", 1, GOING, 202_250_000, 202_300_000, 743, 743)
    second = Quote(at_ns + 10**9, OTHER, "LSSI", 2, GOING, 1_500_000, 1_600_000, 10, 20)
    assert list(quotes(path, "ls")) == [first, second]
    assert list(quotes(path, "ls", isin=OTHER)) == [second._replace(seq=1)]
    assert [q.mic for q in quotes(path, "ls", mic="HAML")] == ["HAML"] * 2


def test_gettex(tmp_path):
    text = (
        f"{ISIN},20:45:18.518816,EUR,97.318,2000,97.753,3000\n"
        f"{OTHER},20:45:19,USD,97.318,2000,97.753,3000\n"
        f"{ISIN},20:45:20,EUR,0.000,0,97.753,0\n"
        f"{ISIN},20:45:21.5,EUR,97.318,2000,0,0\n"
    )
    path = write(tmp_path, GETTEX, text)
    at_ns = DAY_NS + (18 * 3600 + 45 * 60) * 10**9  # Berlin is two hours ahead in June
    assert list(quotes(path, "gettex")) == [
        Quote(at_ns + 18_518_816_000, ISIN, "MUNC", 1, GOING, 97_318_000, 97_753_000, 2000, 3000),
        Quote(at_ns + 20_000_000_000, ISIN, "MUNC", 2, GOING, 0, 0, 0, 0),
        Quote(at_ns + 21_500_000_000, ISIN, "MUNC", 3, GOING, 97_318_000, 0, 2000, 0),
    ]  # fmt: skip
    path.rename(tmp_path / "x.csv")
    assert "no day and segment" in refusal(tmp_path / "x.csv", "gettex")


def test_csv(tmp_path):
    text = (
        "# comment\nmic,isin,time,ask,bid,bid_qty,ask_qty,phase\n"
        f"XETR,{ISIN},2026-06-08T08:00:00Z,20.02,20.01,100,200,\n"
        f"XPAR,{OTHER},2026-06-08 08:00:01Z,,20.01,100,,auction\n"
        f"XETR, {ISIN} ,2026-06-08T08:00:02Z,,,,,CLOSED\n"
    )
    path = write(tmp_path, "any.csv", text)
    at_ns = DAY_NS + 8 * 3600 * 10**9
    assert list(quotes(path, "csv")) == [
        Quote(at_ns, ISIN, "XETR", 1, GOING, 20_010_000, 20_020_000, 100, 200),
        Quote(at_ns + 10**9, OTHER, "XPAR", 1, Phase.AUCTION, 20_010_000, 0, 100, 0),
        Quote(at_ns + 2 * 10**9, ISIN, "XETR", 2, Phase.CLOSED, 0, 0, 0, 0),
    ]
    assert [q.seq for q in quotes(path, "csv", isin=OTHER)] == [1]


@pytest.mark.parametrize(
    ("header", "where"),
    [
        ("isin,mic,time,bid,ask,bid_qty", ":1: column 'ask_qty' value ''"),
        ("isin,mic,time,bid,ask,bid_qty,ask_qty,fase", ":1: column 'fase' value 'fase'"),
        ("isin,mic,time,bid,ask,bid_qty,ask_qty,bid", ":1: column 'bid' value 'bid'"),
    ],
)
def test_csv_refuses_a_header(tmp_path, header, where):
    assert refusal(write(tmp_path, "a.csv", header + "\n"), "csv").startswith("a.csv" + where)


def test_csv_without_a_header(tmp_path):
    assert "there is no header" in refusal(write(tmp_path, "a.csv", "# nothing\n\n"), "csv")


# --- bad lines --------------------------------------------------------------------------------

GOOD = {
    "semicolon": (SEMICOLON, "{time};{bid};{ask};{bid_qty};{ask_qty}"),
    "ls": ("ls.csv", "{isin};{bid};{ask};{bid_qty};{ask_qty};{time}"),
    "gettex": (GETTEX, "{isin},{clock},EUR,{bid},{bid_qty},{ask},{ask_qty}"),
    "csv": ("any.csv", "{isin},XETR,{time},{bid},{ask},{bid_qty},{ask_qty},{phase}"),
}
CSV_HEADER = "isin,mic,time,bid,ask,bid_qty,ask_qty,phase\n"
FIELDS = {
    "isin": ISIN, "time": "2026-06-08T08:00:00.0000000Z", "clock": "20:45:18.518816",
    "bid": "20.01", "ask": "20.02", "bid_qty": "100", "ask_qty": "200", "phase": "continuous",
}  # fmt: skip
COLUMNS = {
    "semicolon": {"bid_qty": "bidQty", "ask_qty": "askQty"},
    "ls": {"isin": "ISIN", "time": "ts", "bid_qty": "bidQty", "ask_qty": "askQty"},
    "gettex": {"isin": "ISIN", "clock": "time", "bid_qty": "bidVol", "ask_qty": "askVol"},
    "csv": {},
}
BAD = {
    "isin": ["DEZZ00000008", "", "dezz00000007"],
    "time": ["", "2026-06-08T08:00:00", "2026-06-31T08:00:00Z", "2026-06-08T24:00:00Z",
             "2026-06-08T08:60:00Z", "2026-06-08T08:00:00.1234567890Z", "08:00:00Z"],
    "clock": ["", "20:45", "24:00:00", "20:45:60", "20:45:18.", "\u0662\u0660:00:00"],
    "bid": ["-1", "x", "1e3", "20.0000001", "10000000.000001", "nan", "+20", "20 .01"],
    "ask": ["-0.01", "inf", "1_000", "99999999999999999999"],
    "bid_qty": ["-5", "0.5", "100000000001", "1 000"],
    "ask_qty": ["x", "1.25"],
    "phase": ["open"],
}  # fmt: skip
ZEROS = {"bid": ["0", "0.000"], "ask": ["0"], "bid_qty": ["0"], "ask_qty": ["0.0"]}
CASES = [
    (kind, name, value)
    for kind, (_, form) in GOOD.items()
    for bad in ([BAD] if kind == "gettex" else [BAD, ZEROS])
    for name, values in bad.items()
    if f"{{{name}}}" in form
    for value in values
]


@pytest.mark.parametrize("kind", GOOD)
def test_the_good_line_of_the_bad_ones(tmp_path, kind):
    name, form = GOOD[kind]
    text = (CSV_HEADER if kind == "csv" else "") + form.format(**FIELDS) + "\n"
    (quote,) = quotes(write(tmp_path, name, text), kind)
    assert quote[5:] == (20_010_000, 20_020_000, 100, 200)


@pytest.mark.parametrize(("kind", "column", "value"), CASES)
def test_a_bad_field_is_named(tmp_path, kind, column, value):
    name, form = GOOD[kind]
    good = form.format(**FIELDS) + "\n"
    bad = form.format(**FIELDS | {column: value}) + "\n"
    text = (CSV_HEADER if kind == "csv" else good) + good + bad
    shown = COLUMNS[kind].get(column, column)
    said = refusal(write(tmp_path, name, text), kind)
    assert said.startswith(f"{name}:3: column {shown!r} value {value!r}: ")


LOBSTER_BAD = [
    ("x,1,1,1,1,1", "1,1,1,1", "message_1.csv:2: column 'time' value 'x'"),
    ("86400.1,1,1,1,1,1", "1,1,1,1", "message_1.csv:2: column 'time' value '86400.1'"),
    ("34200,8,1,1,1,1", "1,1,1,1", "message_1.csv:2: column 'type' value '8'"),
    ("34200,7,1,1,2,1", "1,1,1,1", "message_1.csv:2: column 'price' value '2'"),
    ("34200,1,1,1,1", "1,1,1,1", "message_1.csv:2: value '34200,1,1,1,1'"),
    ("34200,1,1,1,1,1", "0,1,1,1", "orderbook_1.csv:2: column 'ask' value '0'"),
    ("34200,1,1,1,1,1", "1,1,-1,1", "orderbook_1.csv:2: column 'bid' value '-1'"),
    ("34200,1,1,1,1,1", "-9999999999,0,1,1", "orderbook_1.csv:2: column 'ask' value '-9999999999'"),
    ("34200,1,1,1,1,1", "1,1,1,0", "orderbook_1.csv:2: column 'bid size' value '0'"),
    ("34200,1,1,1,1,1", "1,0,1,1", "orderbook_1.csv:2: column 'ask size' value '0'"),
    ("34200,1,1,1,1,1", "1.5,1,1,1", "orderbook_1.csv:2: column 'ask' value '1.5'"),
    ("34200,1,1,1,1,1", "100000000001,1,1,1", "orderbook_1.csv:2: column 'ask' value '1000"),
    ("34200,1,1,1,1,1", "1,1,1", "orderbook_1.csv:2: value '1,1,1'"),
]  # fmt: skip


@pytest.mark.parametrize(("event", "book", "where"), LOBSTER_BAD)
def test_lobster_refuses(tmp_path, event, book, where):
    path = lobster(tmp_path, f"34200,1,1,1,1,1\n{event}\n", f"1,1,1,1\n{book}\n")
    assert where in refusal(path, "lobster", isin=ISIN)


@pytest.mark.parametrize("kind", GOOD)
def test_a_file_cut_off_anywhere_is_refused_or_ends_at_a_line(tmp_path, kind):
    name, form = GOOD[kind]
    good = form.format(**FIELDS) + "\n"
    header = CSV_HEADER if kind == "csv" else ""
    text = header + good + good
    whole = list(quotes(write(tmp_path, name, text), kind))
    for size in range(len(header) + 1, len(text)):
        path = write(tmp_path, name, text[:size])
        if text[:size].endswith("\n"):
            assert list(quotes(path, kind)) == whole[:1]
        else:
            line = 1 + text[:size].count("\n")
            said = refusal(path, kind)
            assert said.startswith(f"{name}:{line}: ") and "cut off" in said


@pytest.mark.parametrize("kind", GOOD)
def test_wrong_number_of_fields(tmp_path, kind):
    name, form = GOOD[kind]
    header = CSV_HEADER if kind == "csv" else form.format(**FIELDS) + "\n"
    delimiter = ";" if ";" in form else ","
    path = write(tmp_path, name, f"{header}1{delimiter}2{delimiter}3\n")
    said = refusal(path, kind)
    assert said.startswith(f"{name}:2: value '1{delimiter}2{delimiter}3': 3 fields where")


def test_gzip_is_recognised_by_its_content(tmp_path):
    text = "".join(f"2026-06-08T08:00:{s:02}Z;20.{s};21.{s};1;2\n" for s in range(60))
    plain = write(tmp_path, SEMICOLON, text)
    packed = tmp_path / (SEMICOLON + ".gz")
    data = gzip.compress(text.encode())
    packed.write_bytes(data)
    assert list(quotes(packed, "semicolon")) == list(quotes(plain, "semicolon"))
    for cut in (3, 12, len(data) // 2, len(data) - 1):
        packed.write_bytes(data[:cut])
        assert "gzip data is cut off or damaged" in refusal(packed, "semicolon")
    packed.write_bytes(data[:40] + b"\xff\xff\xff\xff" + data[44:])
    refusal(packed, "semicolon")
    packed.write_bytes(gzip.compress(b""))  # a venue's closed minute
    assert list(quotes(packed, "semicolon")) == []


def test_no_text(tmp_path):
    path = tmp_path / SEMICOLON
    path.write_bytes(b"\xef\xbb\xbf2026-06-08T08:00:00Z;1;2;3;4\n\xff\n")
    assert refusal(path, "semicolon").startswith(f"{SEMICOLON}:2: value 'byte ff'")
    path.write_bytes(b"1" * 100_000)
    assert "longer than 4096 bytes" in refusal(path, "semicolon")
    assert "No such file" in refusal(tmp_path / f"ls_{ISIN}_absent.txt", "semicolon")
    (tmp_path / f"ls_{ISIN}_folder").mkdir()
    assert "directory" in refusal(tmp_path / f"ls_{ISIN}_folder", "semicolon")


# --- anything at all --------------------------------------------------------------------------

LINE = {kind: form.format(**FIELDS) + "\n" for kind, (_, form) in GOOD.items()}
ROW = {
    "instrumentIdentificationCode": ISIN,
    "priceCurrency": "EUR",
    "bestBid": 1.5,
    "bestBidQty": 2,
}
ROW |= {"updateDateAndTime": FIELDS["time"], "bid": 1.5, "bidQty": 9, "tradingSystemPhase": 203}
ROW |= {"mdBidMktDepthGroup1": [{"price": 1, "quantity": 2}]}
EVENTS = "34200.1,1,7,5,2239500,1\n34200.2,2,7,2,2239500,1\n34200.3,7,0,0,-1,-1\n"
WHOLE = {
    "semicolon": (SEMICOLON, 3 * LINE["semicolon"]),
    "ls": ("ls.csv", 3 * LINE["ls"]),
    "gettex": (GETTEX, 3 * LINE["gettex"]),
    "csv": ("any.csv", CSV_HEADER + 3 * LINE["csv"]),
    "feedos": (FEEDOS, FEEDOS_TEXT),
    "lobster": (LOBSTER, 3 * "2239500;100;2231800;50\n"),
    "lobster-messages": (LOBSTER.replace("orderbook", "message"), EVENTS),
    "xetr": ("x.json", 3 * (json.dumps(ROW) + "\n")),
    "dgat": ("d.json", 3 * (json.dumps(ROW) + "\n")),
}


@pytest.mark.parametrize("kind", sorted(set(FORMATS) - {"parquet"}))
def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path, kind):
    """Bytes put in, taken out and changed; digits and delimiters more often than others."""
    draw = random.Random(kind)
    name, text = WHOLE[kind]
    given = {} if kind in ("csv", "ls", "gettex", "xetr", "dgat") else {"isin": ISIN}
    write(tmp_path, LOBSTER.replace("orderbook", "message"), EVENTS)
    path = write(tmp_path, name, text)
    assert list(quotes(path, kind, **given))
    refused = 0
    for _ in range(300):
        data = bytearray(text.encode())
        for _ in range(draw.randint(1, 4)):
            place = draw.randrange(len(data))
            size = draw.choice([0, 1, 1, 1, 5, 40])
            new = [draw.choice(b'0123456789-.,;:eE"{}[]\n\xff\x00 ')] * draw.choice(
                [0, 1, 1, 2, 30]
            )
            data[place : place + size] = bytes(new) or b"\n"
        path.write_bytes(data)
        try:
            for quote in quotes(path, kind, **given):
                assert 0 <= quote.bid_px_e6 <= 10**13 and 0 <= quote.ask_qty <= 10**11
                encode(quote)
        except FeedError:
            refused += 1
    assert 0 < refused < 300
