"""CSV and Parquet of anybody, by a map of columns."""

import contextlib
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from engine.enums import Phase
from gateway import feed_map
from gateway.feed_files import FeedError, quotes
from gateway.feed_formats import ROW_FORMATS
from gateway.feed_lines import Quote
from gateway.feed_source import Source
from tests.market_files import GOING, ISIN, OTHER, write

pytestmark = pytest.mark.pure

AT_NS = 1_780_905_600 * 10**9  # 2026-06-08T08:00Z
COLUMNS = """\
[columns]
isin = "Id"
time = "When"
bid = "B"
ask = "A"
bid_qty = "BQ"
ask_qty = "AQ"
"""
XETR = '[constants]\nmic = "XETR"\n'
FIELD = {"Id": "isin", "When": "time", "B": "bid", "A": "ask", "BQ": "bid_qty", "AQ": "ask_qty"}
GOOD = {
    "Id": ISIN,
    "When": "2026-06-08T08:00:00Z",
    "B": "20.01",
    "A": "20.02",
    "BQ": "1",
    "AQ": "2",
}


def mapped(folder, text):
    return write(folder, "map.toml", text)


def table(folder, frame):
    path = folder / "x.parquet"
    pl.DataFrame(frame).write_parquet(path)
    return path


def test_csv_with_every_part_of_a_map(tmp_path):
    map_path = mapped(
        tmp_path,
        '[columns]\nisin = "ISIN code"\nmic = "V"\ntime = "t"\nbid = "b"\nask = "a"\n'
        'bid_qty = "bq"\nask_qty = "aq"\nphase = "p"\ncurrency = "c"\n'
        '[csv]\ndelimiter = ";"\ncomment = "#"\n'
        '[time]\nform = "format"\nformat = "%d.%m.%Y %H:%M:%S.%f"\nzone = "Europe/Berlin"\n'
        '[numbers]\nprice_decimals = 2\ndecimal_comma = true\nzero_is_empty = true\n'
        '[phases]\nT = "continuous"\nX = "auction"\n',
    )  # fmt: skip
    path = write(
        tmp_path,
        "x.csv",
        "# made by hand\n"
        "t;V;ISIN code;b;a;bq;aq;p;c;rest\n"
        f'08.06.2026 10:00:00.000001;XPAR;{ISIN};2001,5;"2002";100;200;T;EUR;\n'
        f"08.06.2026 10:00:01.5;XETR;{OTHER};0;2002;0;200;X;EUR;\n"
        f"08.06.2026 10:00:01.5;XETR;{OTHER};1;2;3;4;X;USD;\n"
        f"08.06.2026 10:00:02.0;XPAR;{ISIN};;;;;halted;EUR;\n",
    )
    assert list(quotes(path, "csv", map_path=map_path)) == [
        Quote(AT_NS + 1_000, ISIN, "XPAR", 1, GOING, 20_015_000, 20_020_000, 100, 200),
        Quote(AT_NS + 1_500_000_000, OTHER, "XETR", 1, Phase.AUCTION, 0, 20_020_000, 0, 200),
        Quote(AT_NS + 2_000_000_000, ISIN, "XPAR", 2, Phase.HALTED, 0, 0, 0, 0),
    ]


def test_the_map_of_the_document(tmp_path):
    text = (Path(feed_map.__file__).parent / "FEED.md").read_text()
    map_path = mapped(tmp_path, text.split("```toml\n")[1].split("```")[0])
    header = "ISIN;ts;BestBid;BestAsk;BidSize;AskSize;State;Ccy\n"
    rows = f"{ISIN};08.06.2026 10:00:00.5;20.01;20.02;3;4;{{}};{{}}\n"
    text = "# a note\n" + header + rows.format("T", "EUR") + rows.format("T", "USD")
    assert list(quotes(write(tmp_path, "x.csv", text), "csv", map_path=map_path)) == [
        Quote(AT_NS + 5 * 10**8, ISIN, "XPAR", 1, GOING, 20_010_000, 20_020_000, 3, 4)
    ]


@pytest.mark.parametrize(
    ("form", "text", "due_ns"),
    [
        ('form = "s"', "1780905600.000000001", AT_NS + 1),
        ('form = "ms"', "1780905600000.5", AT_NS + 500_000),
        ('form = "us"', "1780905600000000", AT_NS),
        ('form = "ns"', "1780905600000000007", AT_NS + 7),
        ('form = "clock"\nday = "2026-06-08"\nzone = "Europe/London"', "09:00:00.25",
         AT_NS + 250_000_000),
        ('form = "format"\nformat = "%Y%m%d %H:%M:%S%z"', "20260608 03:00:00-0500", AT_NS),
    ],
)  # fmt: skip
def test_times(tmp_path, form, text, due_ns):
    map_path = mapped(tmp_path, f"{COLUMNS}{XETR}[time]\n{form}\n")
    row = GOOD | {"When": text}
    path = write(tmp_path, "x.csv", ",".join(row) + "\n" + ",".join(row.values()) + "\n")
    assert [q.time_ns for q in quotes(path, "csv", map_path=map_path)] == [due_ns]


BAD_MAPS = [
    ("[columns", "this is no TOML"),
    (XETR, "columns: Field required"),
    (COLUMNS, "'mic' must be in columns or in constants"),
    (COLUMNS + 'mic = "M"\n' + XETR, "'mic' must be in columns or in constants, in one of them"),
    (COLUMNS + 'size = "M"\n' + XETR, "there is no field 'size'"),
    (COLUMNS.replace('bid = "B"', "") + XETR + 'bid = "5"\n', "'bid' must be a column"),
    (COLUMNS + XETR + '[phases]\nT = "open"\n', "phases: 'T' is 'open'"),
    (COLUMNS + XETR + '[time]\nform = "format"\n', 'together with form = "format"'),
    (COLUMNS + XETR + '[time]\nform = "clock"\n', 'together with form = "clock"'),
    (COLUMNS + XETR + '[time]\nzone = "Mars"\n', "Mars"),
    (COLUMNS + XETR + "[numbers]\nprice_decimals = 7\n", "numbers.price_decimals"),
    (COLUMNS + XETR + "[numbrs]\n", "numbrs: Extra inputs are not permitted"),
    (COLUMNS + XETR + '[csv]\ndelimiter = ";;"\n', "csv.delimiter"),
]


@pytest.mark.parametrize(("text", "said"), BAD_MAPS)
def test_a_bad_map_is_refused(tmp_path, text, said):
    with pytest.raises(FeedError) as refused:
        list(quotes(tmp_path / "x.csv", "csv", map_path=mapped(tmp_path, text)))
    assert str(refused.value).startswith("--map ") and said in str(refused.value)


def test_a_map_is_needed_and_must_be_there(tmp_path):
    with pytest.raises(FeedError, match="give --map"):
        list(quotes(tmp_path / "x.parquet", "parquet"))
    with pytest.raises(FeedError, match="No such file"):
        list(quotes(tmp_path / "x.parquet", "parquet", map_path=tmp_path / "none.toml"))


@pytest.mark.parametrize(
    ("column", "value"),
    [("Id", "DE1"), ("When", "yesterday"), ("B", "-1"), ("B", "0"), ("A", "1,5"), ("B", "1e2"),
     ("BQ", "0"), ("AQ", "1.5"), ("B", ""), ("BQ", "")],
)  # fmt: skip
def test_a_bad_field_of_csv_is_named(tmp_path, column, value):
    map_path = mapped(tmp_path, COLUMNS + XETR + '[csv]\ndelimiter = "|"\n')
    bad = GOOD | {column: value}
    text = "|".join(GOOD) + "\n" + "|".join(GOOD.values()) + "\n" + "|".join(bad.values()) + "\n"
    with pytest.raises(FeedError) as refused:
        list(quotes(write(tmp_path, "x.csv", text), "csv", map_path=map_path))
    assert f"x.csv:3: column {FIELD[column]!r} " in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Id,When,B,A,BQ\n", "x.csv:1: column 'AQ' value '': the header has this column 0 times"),
        ("Id,When,B,A,BQ,AQ,B\n", "the header has this column 2 times"),
        ("Id,When,B,A,BQ,AQ\n1,2\n", "x.csv:2: value '1,2': 2 fields where 6 are due"),
        ('Id,When,B,A,BQ,AQ\n"1"x,2\n', "x.csv:2: value '\"1\"x,2': the line cannot be cut"),
    ],
)
def test_lines_that_cannot_be_cut(tmp_path, text, said):
    map_path = mapped(tmp_path, COLUMNS + XETR)
    with pytest.raises(FeedError) as refused:
        list(quotes(write(tmp_path, "x.csv", text), "csv", map_path=map_path))
    assert said in str(refused.value)


# --- Parquet ----------------------------------------------------------------------------------


def test_parquet_of_exact_types(tmp_path):
    moments = [datetime(2026, 6, 8, 8, 0, 0, 1, UTC)] * 2
    path = table(
        tmp_path,
        {
            "Id": [ISIN, ISIN], "other": [[1], [2]],
            "When": pl.Series(moments, dtype=pl.Datetime("ns", "UTC")),
            "B": pl.Series([Decimal("20.010000"), None], dtype=pl.Decimal(12, 6)),
            "A": ["20.02", "20.03"], "BQ": [100, None], "AQ": pl.Series([200, 1], dtype=pl.UInt8),
        },
    )  # fmt: skip
    map_path = mapped(tmp_path, COLUMNS + XETR)
    assert [(q.time_ns, q[5:]) for q in quotes(path, "parquet", map_path=map_path)] == [
        (AT_NS + 1_000, (20_010_000, 20_020_000, 100, 200)),
        (AT_NS + 1_000, (0, 20_030_000, 0, 1)),
    ]


def test_parquet_times_without_a_zone_are_the_maps(tmp_path):
    rows = {"When": [datetime(2026, 6, 8, 10)], "B": [1], "A": [2], "BQ": [3], "AQ": [4]}
    path = table(tmp_path, {"Id": [ISIN]} | rows)
    for zone, due_ns in (("Europe/Berlin", AT_NS), ("UTC", AT_NS + 7_200 * 10**9)):
        map_path = mapped(tmp_path, f'{COLUMNS}{XETR}[time]\nzone = "{zone}"\n')
        (quote,) = quotes(path, "parquet", map_path=map_path)
        assert quote.time_ns == due_ns


def floats(folder, bid, **numbers):
    rows = {"Id": [ISIN], "When": [AT_NS], "B": [bid], "A": [9e6], "BQ": [3.0], "AQ": [4]}
    lines = "".join(f"{name} = {value}\n" for name, value in numbers.items())
    map_path = mapped(folder, f'{COLUMNS}{XETR}[time]\nform = "ns"\n[numbers]\n{lines}')
    return table(folder, rows), map_path


def test_floats_only_as_the_map_says(tmp_path):
    path, map_path = floats(tmp_path, 20.01)
    with pytest.raises(FeedError, match="column 'B' value 'Float64': a float: say its decimals"):
        list(quotes(path, "parquet", map_path=map_path))
    path, map_path = floats(tmp_path, 20.01, float_decimals=2)
    (quote,) = quotes(path, "parquet", map_path=map_path)
    assert quote[5:] == (20_010_000, 9_000_000_000_000, 3, 4)
    for bad in (20.013, float("nan"), float("inf"), -20.01, 0.1 + 0.2 + 1e-8):
        path, map_path = floats(tmp_path, bad, float_decimals=2)
        with pytest.raises(FeedError, match=r"x.parquet:1: column 'bid'"):
            list(quotes(path, "parquet", map_path=map_path))
    rows = {"Id": [ISIN], "When": [1.5], "B": [1], "A": [2], "BQ": [3], "AQ": [4]}
    with pytest.raises(FeedError, match="time is never a float"):
        list(quotes(table(tmp_path, rows), "parquet", map_path=map_path))


@given(st.integers(1, 10**9), st.integers(0, 6), st.floats(-2e-9, 2e-9))
def test_a_float_near_a_decimal_is_that_decimal(whole, places, off):
    """Against fractions: within 1e-9 it is that number, else it is refused."""
    value = whole / 10**places + off
    grid = Fraction(1, 10**places)
    near = round(Fraction(value) / grid) * grid
    rules = feed_map.Numbers(float_decimals=places)
    line = feed_map.Line(None, 1, {"bid": "x"})
    try:
        got = feed_map._from_float(line, value, "bid", rules)
    except FeedError:
        assert abs(Fraction(value) - near) > Fraction(1, 10**9) or value < 0
    else:
        assert Fraction(got) == near and abs(Fraction(value) - near) <= Fraction(1, 10**9)


def test_what_is_no_parquet(tmp_path):
    map_path = mapped(tmp_path, COLUMNS + XETR)
    good = table(tmp_path, {name: [value] for name, value in GOOD.items()}).read_bytes()
    assert len(list(quotes(tmp_path / "x.parquet", "parquet", map_path=map_path))) == 1
    for data in (b"", b"PAR1", good[:-9], good[20:], b"PAR1" + bytes(200) + b"PAR1"):
        path = tmp_path / "bad.parquet"
        path.write_bytes(data)
        with pytest.raises(FeedError, match="this is no Parquet"):
            list(quotes(path, "parquet", map_path=map_path))
    with pytest.raises(FeedError, match="No such file"):
        list(quotes(tmp_path / "none.parquet", "parquet", map_path=map_path))
    few = table(tmp_path, {"Id": [ISIN]})
    with pytest.raises(FeedError, match="there is no such column: the file has Id"):
        list(quotes(few, "parquet", map_path=map_path))


@given(st.integers(0, 2**40), st.binary(min_size=1, max_size=8))
def test_damaged_parquet_is_refused_or_read(tmp_path_factory, place, damage):
    folder = tmp_path_factory.getbasetemp()
    map_path = mapped(folder, COLUMNS + XETR)
    data = bytearray(table(folder, {name: [value] for name, value in GOOD.items()}).read_bytes())
    place %= len(data)
    data[place : place + len(damage)] = damage
    path = folder / "damaged.parquet"
    path.write_bytes(data)
    with contextlib.suppress(FeedError):
        assert len(list(quotes(path, "parquet", map_path=map_path))) <= 1


@given(st.text(max_size=80))
def test_whatever_a_line_is_it_is_a_quote_or_refused(text):
    known = feed_map.Map(
        columns={field: field for field in feed_map.FIELDS}, phases={"T": "auction"}
    )
    take = feed_map._values(Source(None), known)
    good = {FIELD[column]: value for column, value in GOOD.items()} | {"mic": "XETR"}
    assert take(1, good) is not None
    for field in good:
        try:
            take(1, good | {field: text})
        except FeedError:
            continue


def test_the_command_takes_a_map(tmp_path):
    from gateway.cli import app

    map_path = mapped(tmp_path, "x")
    done = CliRunner().invoke(app, ["feed", "x.csv", "--format", "csv", "--map", str(map_path)])
    assert done.exit_code == 1 and "this is no TOML" in done.stderr
    assert not ROW_FORMATS["parquet"].is_text
