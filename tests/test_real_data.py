"""The engine on real instruments and real quotes, against a calculation of its own in `Decimal`.

Xetra's instrument list of April 2019, and one-second quotes of one ETF on three venues. Neither is
part of this repository: without the folder `shared/data` beside it, the tests skip.
"""

import csv
from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from engine import journal as jn
from engine.enums import Zone
from engine.schema import unpack
from gateway.journal_files import Reader
from tests.fix_peer import Client, Fields, order
from tests.venue import ROOT, Engine, running, sample, venue_quote

DATA = ROOT.parent / "shared" / "data"
LIST = DATA / "instruments" / "xetra_2019-04.csv"
DAX_ETF = "DE0005933931"
FILES = {
    "XETR": f"xetra_{DAX_ETF}_20260608_0800-0801.txt",
    "LSSI": f"ls_{DAX_ETF}_20260608_0800-0801.txt",
    "EIXX": f"eix_{DAX_ETF}_20260608_0759-0801.txt",
}
pytestmark = [
    pytest.mark.sockets,
    pytest.mark.slow,
    pytest.mark.skipif(not LIST.exists(), reason="no ../shared/data: real data is not shipped"),
]

SAP, TELEKOM = "DE0007164600", "DE0005557508"
FX = {
    code: Decimal(rate)
    for code, rate in (("USD", "0.89"), ("GBP", "1.15"), ("SEK", "0.0958"), ("CNY", "0.13"))
}
#: Qmin and T as multiples of SMS (MiFIR Art 14(3), (2)): before and since 23 November 2025.
REGIMES = {"eu-2018": (Decimal("0.1"), Decimal(1)), "eu-2025": (Decimal(1), Decimal(2))}


class Listed(NamedTuple):
    """What the list says of an instrument, and what the test adds."""

    isin: str
    currency: str
    liquid: bool
    lis: Decimal
    ticks: list[tuple[Decimal, Decimal]]  # below this price, this tick
    on_tick: bool  # a tick is mandatory (RTS 11); else our own quotes keep to 0.0001
    sms_eur: Decimal = Decimal(0)

    @property
    def sms(self) -> Decimal:
        return self.sms_eur / FX.get(self.currency, Decimal(1))

    def tick(self, px: Decimal) -> Decimal:
        return next(tick for below, tick in self.ticks if px < below)


def read_list() -> dict[str, Listed]:
    with LIST.open(encoding="utf-8-sig", newline="") as file:
        _, _, header, *rows = csv.reader(file, delimiter=";")
    places = {name: header.index(name) for name in set(header)}
    found = {}
    for row in rows:
        get = {name: row[place] for name, place in places.items()}
        on_tick = get["Tick Size Band"].startswith("ESMA")
        ticks = [] if on_tick else [(Decimal("Infinity"), Decimal("0.0001"))]
        for number in range(1, 21):
            upper = "Upper Price Limit Max" if number == 1 else f"Upper Price Limit {number}"
            if get.get(upper) and get.get(f"Tick Size {number}"):
                ticks.append((Decimal(get[upper]), Decimal(get[f"Tick Size {number}"])))
        found[get["ISIN"]] = Listed(
            get["ISIN"],
            get["Settlement Currency"],
            get["Regulatory Liquid Instrument"] == "Y",
            Decimal(get["Pre-trade LIS Value"]),
            ticks,
            on_tick,
        )
    return found


class Touch(NamedTuple):
    """One venue's quote."""

    time: str
    mic: str
    bid: Decimal
    ask: Decimal
    sizes: tuple[int, int]


def read_quotes() -> list[Touch]:
    touches = []
    for mic, name in FILES.items():
        for line in (DATA / "bbo" / name).read_text().splitlines():
            at, bid, ask, bid_qty, ask_qty = line.split(";")
            sizes = (int(bid_qty), int(ask_qty))
            touches.append(Touch(at, mic, Decimal(bid), Decimal(ask), sizes))
    return sorted(touches, key=lambda touch: touch.time)


# --- the calculation --------------------------------------------------------------------------


class Answer(NamedTuple):
    """What must come of an order."""

    zone: Zone
    exec_type: str  # ExecType(150): F filled, 0 with the desk, 4 not marketable, 8 rejected
    px: Decimal = Decimal(0)
    words: str = ""


def expect(
    listed: Listed, regime: str, book: dict[str, Touch], side: int, qty: int, limit: Decimal | None
) -> Answer:
    """The rules of engine/README.md, written again."""
    if listed.lis == 0 or listed.lis == 9_999_999 or (listed.liquid and listed.sms == 0):
        return Answer(Zone.NONE, "8", words="no published SMS or LIS")
    if limit is not None and listed.on_tick and limit % listed.tick(limit):
        return Answer(Zone.NONE, "8", words="price off tick")
    bids = [touch.bid for touch in book.values() if touch.bid and touch.sizes[0]]
    asks = [touch.ask for touch in book.values() if touch.ask and touch.sizes[1]]
    if not bids and not asks:
        return Answer(Zone.NONE, "8", words="no market")
    if not bids or not asks:
        return Answer(Zone.NONE, "8", words="market is one-sided")
    bid, ask = max(bids), min(asks)
    crossed = bid > ask
    mrm = book.get("XETR")
    if mrm and mrm.bid and mrm.ask and all(mrm.sizes) and mrm.bid <= mrm.ask:
        bid, ask = mrm.bid, mrm.ask
    elif crossed:
        return Answer(Zone.NONE, "8", words="market is crossed")
    bid = (bid / listed.tick(bid)).to_integral_value(ROUND_FLOOR) * listed.tick(bid)
    ask = (ask / listed.tick(ask)).to_integral_value(ROUND_CEILING) * listed.tick(ask)
    middle = (bid + ask) / 2
    value = middle * qty
    qmin, threshold = (listed.sms * factor for factor in REGIMES[regime])
    if crossed and not (listed.liquid and value <= threshold):
        return Answer(Zone.NONE, "8", words="market is crossed")
    if limit is not None and abs(limit - middle) > middle / 10:
        return Answer(Zone.NONE, "8", words="price too far")
    if not listed.liquid:
        zone, desk = Zone.ON_REQUEST, value >= listed.lis
    elif value <= qmin:
        zone, desk = Zone.WITHIN_MIN_QUOTE, False
    elif value <= threshold:
        zone, desk = Zone.WITHIN_OBLIGATION, False
    elif value >= listed.lis:
        zone, desk = Zone.LARGE_IN_SCALE, True
    else:
        zone, desk = Zone.DISCRETIONARY, True
    if desk:
        return Answer(zone, "0")
    quoted = ask if side == 1 else bid
    tick = listed.tick(quoted)
    better = quoted - tick if side == 1 else quoted + tick
    inside = better >= middle if side == 1 else better <= middle
    px = better if inside and not crossed else quoted  # firm, and no better where venues cross
    if limit is not None and (limit < px if side == 1 else limit > px):
        return Answer(zone, "4")
    return Answer(zone, "F", px)


def sizes(listed: Listed, regime: str, middle: Decimal) -> list[int]:
    """Quantities on both sides of every edge."""
    edges = [listed.sms * factor for factor in REGIMES[regime]] + [listed.lis]
    found = {1, 7}
    for edge in edges:
        shares = int(edge / middle)
        found |= {shares, shares + 1}
    return sorted(qty for qty in found if 0 < qty < 10**8)


# --- the engine -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def listed() -> dict[str, Listed]:
    found = read_list()
    usd = next(x for x in found.values() if x.currency == "USD" and x.liquid and x.lis)
    for isin, sms in ((DAX_ETF, 25_000), (SAP, 12_000), (usd.isin, 9_000)):
        found[isin] = found[isin]._replace(sms_eur=Decimal(sms))
    return found


@pytest.fixture(scope="module", params=list(REGIMES))
def regime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def engine(
    tmp_path_factory: pytest.TempPathFactory, listed: dict[str, Listed], regime: str
) -> Iterator[Engine]:
    base = tmp_path_factory.mktemp(regime)
    refdata = {"instruments": str(LIST), "format": "xetra", "fx": str(base / "fx.csv")}
    refdata |= {"thresholds": str(base / "sms.csv")}
    (base / "fx.csv").write_text(
        "currency,eur_per_unit\n" + "".join(f"{code},{rate}\n" for code, rate in FX.items())
    )
    (base / "sms.csv").write_text(
        "isin,sms_eur\n" + "".join(f"{x.isin},{x.sms_eur}\n" for x in listed.values() if x.sms_eur)
    )
    folder = sample(
        base / "si",
        firm={"regime": regime},
        refdata=refdata | {"venues": ["XETR", "LSSI", "EIXX"]},
        clients=[{"name": "client1"}, {"name": "client2"}],
    )
    with running(folder) as engine:
        assert "2577 instruments" in engine.said()
        yield engine
    engine.verify()


@pytest.fixture(scope="module")
def client(engine: Engine) -> Iterator[Client]:
    client = Client(engine, heartbeat=0)
    client.logon()
    yield client
    client.close()


def ask(client: Client, listed: Listed, side: int, qty: int, limit: Decimal | None) -> Fields:
    """One order, its report."""
    clordid = f"real-{client.next_out}"
    more: dict[str, object] = {} if limit is None else {"t40": 2, "t44": f"{limit:f}"}
    client.send("D", order(clordid, listed.isin, qty, t54=side, t59=0, t15=listed.currency, **more))
    return client.expect("8", t11=clordid)


def check(client: Client, listed: Listed, regime: str, book: dict[str, Touch]) -> dict[str, Zone]:
    """Orders of every size and both sides against the calculation; the zones to look up."""
    middle = (
        Decimal(10)
        if not book
        else sum((touch.bid or touch.ask) for touch in book.values()) / len(book)
    )
    tick = listed.tick(middle)
    near = (middle / tick).to_integral_value(ROUND_FLOOR) * tick
    limits = [None, near, near - 3 * tick, near + 3 * tick, near + tick / 2, near * 2]
    zones = {}
    for number, qty in enumerate(sizes(listed, regime, middle)):
        for side in (1, 2):
            for limit in (None, limits[number % len(limits)]):
                answer = expect(listed, regime, book, side, qty, limit)
                report = ask(client, listed, side, qty, limit)
                where = f"{listed} {regime} {book} {side} {qty} {limit}: {report}"
                assert report[150] == answer.exec_type, f"{answer} {where}"
                assert answer.words in report.get(58, ""), f"{answer} {where}"
                if answer.exec_type == "F":
                    assert Decimal(report[31]) == answer.px, f"{answer} {where}"
                    assert report[32] == str(qty), where
                zones[report[11]] = answer.zone
    return zones


def zones_journalled(folder: Path) -> dict[str, Zone]:
    return {
        unpack(frame.record["clordid"]): Zone(int(frame.record["zone"]))
        for frame in Reader(folder / "journal").poll()
        if frame.kind == jn.EXECUTION
    }


def test_real_quotes_of_three_venues(
    engine: Engine, client: Client, listed: dict[str, Listed], regime: str
) -> None:
    book: dict[str, Touch] = {}
    zones: dict[str, Zone] = {}
    for number, touch in enumerate(read_quotes()):
        data = venue_quote(DAX_ETF, touch.bid, touch.ask, mic=touch.mic, sizes=touch.sizes)
        engine.feed_records(data)
        book[touch.mic] = touch
        if number % 6 == 0:
            engine.await_feed()
            zones |= check(client, listed[DAX_ETF], regime, book)
    assert len(book) == 3
    assert set(zones.values()) > {Zone.WITHIN_MIN_QUOTE, Zone.DISCRETIONARY, Zone.LARGE_IN_SCALE}
    journalled = zones_journalled(engine.folder)
    asked = {clordid: zone for clordid, zone in zones.items() if zone != Zone.NONE}
    assert {clordid: journalled[clordid] for clordid in asked} == asked


def touches(*quotes: tuple[str, str, str]) -> dict[str, Touch]:
    return {
        mic: Touch("", mic, Decimal(bid), Decimal(ask), (100 * (bid != "0"), 100 * (ask != "0")))
        for mic, bid, ask in quotes
    }


BOOKS = [
    touches(),
    touches(("XETR", "101.5", "101.6")),
    touches(("XETR", "101.5", "101.6"), ("LSSI", "101.56", "101.58")),
    touches(("XETR", "101.5", "101.6"), ("LSSI", "101.58", "101.58"), ("EIXX", "101.4", "101.62")),
    touches(("XETR", "101.5", "101.6"), ("LSSI", "101.64", "101.7")),  # crossed
    touches(("XETR", "101.5", "0"), ("LSSI", "101.4", "0"), ("EIXX", "0", "0")),
    touches(("XETR", "0", "0"), ("LSSI", "101.413", "101.587"), ("EIXX", "101.4", "101.6")),
]


def test_other_instruments_of_the_list(
    engine: Engine, client: Client, listed: dict[str, Listed], regime: str
) -> None:
    """With and without SMS, liquid or not, no LIS, another currency; any state of market."""
    every = list(listed.values())
    chosen = [listed[SAP], listed[TELEKOM]]
    chosen += [next(x for x in every if x.currency == "USD" and x.sms_eur)]
    chosen += [next(x for x in every if not x.liquid and x.lis > 0 and x.currency == code)
               for code in ("EUR", "GBP")]  # fmt: skip
    chosen += [next(x for x in every if x.lis == 0), next(x for x in every if x.lis == 9_999_999)]
    zones: dict[str, Zone] = {}
    for instrument in chosen:
        for book in BOOKS:
            for mic in ("XETR", "LSSI", "EIXX") if book else ():
                touch = book.get(mic, Touch("", mic, Decimal(0), Decimal(0), (0, 0)))
                engine.quote(instrument.isin, touch.bid, touch.ask, mic=mic, sizes=touch.sizes)
            zones |= check(client, instrument, regime, book)
    journalled = zones_journalled(engine.folder)
    asked = {clordid: zone for clordid, zone in zones.items() if zone != Zone.NONE}
    assert {clordid: journalled[clordid] for clordid in asked} == asked
    assert Zone.ON_REQUEST in asked.values()


def test_an_instrument_that_is_not_in_the_list(client: Client) -> None:
    client.send("D", order("unknown", "XX0000000000", 10))
    assert client.expect("8", t150=8, t103=1)[58].startswith("SI-INST instrument unknown")
