"""A small random firm and a stream of inputs to it, as plain dicts, both from one seed.

Sizes and prices cluster on the edges of the rules: exactly Qmin, T and LIS, one lot more or less,
limits at the collar, our quote or the midpoint, one tick beside. Nothing of the product is used.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

from tests.oracle import tick_at, to_e6, units

Row = dict[str, Any]
Input = tuple[str, Row, int]  # which input, its fields, time in ns

MS, SECOND, HOUR = 10**6, 10**9, 3600 * 10**9
MIDNIGHT_NS = 1_763_856_000 * SECOND  # 23 November 2025, 00:00 UTC
OPEN_NS, CLOSE_NS = MIDNIGHT_NS + 7 * HOUR, MIDNIGHT_NS + 17 * HOUR
NEW_RULES_NS = MIDNIGHT_NS + 10 * HOUR
GAP_NS = MIDNIGHT_NS + 13 * HOUR  # until the next regime no rules are in force
AFTER_GAP_NS = MIDNIGHT_NS + 14 * HOUR
FOREVER_NS = 2**62

STALE_NS = 400 * MS
DESK_TTL_NS = 2 * SECOND
COLLAR_BPS = 500
#: What the gateway may have found while reading.
QTY_NOT_WHOLE, CLORDID_SIZE, ID_SOURCE, MASS_PARTIES = 16, 52, 61, 71

MICS = ("XPAR", "XAMS", "CEUX", "TQEX")
BUY, SELL, SELL_SHORT = 1, 2, 5
MARKET, LIMIT, PREVIOUSLY_QUOTED, PEGGED = 1, 2, 20, 32
DAY, IOC, FOK, GTD = 0, 3, 4, 6
AUTO, DESK, REJECT = 1, 2, 3
CLAIM, QUOTE, FILL, DECLINE, KILL, RESUME = range(1, 7)


#: Sizes of a quote besides the first: of its quantity in basis points, and ticks further out.
MORE_SIZES = (
    ([0, 0], [0, 0]), ([0, 0], [0, 0]), ([15_000, 0], [1, 0]), ([12_500, 20_000], [1, 3]),
    ([20_000, 10**7], [0, 0]), ([10_001, 10_002], [100, 100]), ([17_000, 90_000], [2, 2]),
)  # fmt: skip


class World(NamedTuple):
    """Everything the firm is set up with, and where each instrument trades."""

    params: Row
    regimes: list[Row]
    venues: list[str]
    pools: list[str]
    clients: list[Row]
    instruments: list[Row]
    mids_e6: list[int]
    orders_max: int
    desk_max: int


def make_world(seed: int, inputs: int) -> World:
    """A firm of 20 instruments; its order table fills up shortly before `inputs` are done."""
    random = Random(f"world {seed}")
    venues = list(MICS[: random.choice((3, 4))])
    made = [_instrument(random, i, kind, len(venues)) for i, kind in enumerate(KINDS)]
    return World(
        params=make_params(random),
        regimes=_regimes(),
        venues=venues,
        pools=["main", "retail"],
        clients=[_client(random, i) for i in range(random.choice((3, 4, 5)))],
        instruments=[row for row, _ in made],
        mids_e6=[mid_e6 for _, mid_e6 in made],
        orders_max=inputs * 39 // 100,
        desk_max=inputs * 2 // 100,
    )


def make_params(random: Random) -> Row:
    improvement = random.choice((0, 1, 1, 1, 2, 3, -1, 40, 10**9, -(10**9)))
    return {
        "jurisdiction": "EU",
        "regime_forced": -1,
        "stale_ns": STALE_NS,
        "collar_bps": COLLAR_BPS,
        "discretionary_route": random.choice((AUTO, AUTO, DESK, REJECT)),
        "on_request_route": random.choice((AUTO, AUTO, DESK, REJECT)),
        "quote_size_bps": random.choice((10_000, 10_000, 12_500, 20_000)),
        "desk_ttl_ns": DESK_TTL_NS,
        "open_ns": OPEN_NS,
        "close_ns": CLOSE_NS,
        "policy_hash": 77,
        "policy_param": [improvement] + [0] * 7,
        "peg_mid": random.choice((0, 0, 0, 1, 1, 2)),
        "vol_half_life_ns": 60 * SECOND,
        "markout_ns": [50 * MS, SECOND, 10 * SECOND, 60 * SECOND],
        "markout_weight_e6": 50_000,
    } | dict(zip(("more_size_bps", "more_size_ticks"), random.choice(MORE_SIZES), strict=True))


def _regimes() -> list[Row]:
    def regime(name: str, since_ns: int, to_ns: int, shares: tuple[int, int]) -> Row:
        of_sms = {"qmin_bps": shares[0], "threshold_bps": shares[1]}
        jurisdiction = "UK" if name.startswith("uk") else "EU"
        dates = {"valid_from_ns": since_ns, "valid_to_ns": to_ns}
        return {"name": name, "jurisdiction": jurisdiction} | dates | of_sms

    return [
        regime("uk-2018", 0, FOREVER_NS, (1_000, 10_000)),
        regime("eu-2018", 0, NEW_RULES_NS, (1_000, 10_000)),
        regime("eu-2025", NEW_RULES_NS, GAP_NS, (10_000, 20_000)),
        regime("eu-next", AFTER_GAP_NS, FOREVER_NS, (10_000, 20_000)),
    ]


def _client(random: Random, index: int) -> Row:
    """The first client has no limits; the others have some, wide enough to trade for a while."""
    limits = {"order_max_eur_e6": 0, "day_max_eur_e6": 0, "fills_max": 0}
    if index > 0:
        limits = {
            "order_max_eur_e6": random.choice((0, 40_000, 100_000, 700_000)) * 10**6,
            "day_max_eur_e6": random.choice((0, 1_000_000, 5_000_000)) * 10**6,
            "fills_max": random.choice((0, 25, 100)),
        }
    return {"name": f"client{index}", "pool": index % 2} | limits


#: What differs from an ordinary liquid share of 20 euros; `px` is where it trades.
KINDS: list[Row] = [
    {"position_max_e6": 30_000 * 10**6},
    {"px": "10", "tick_band": 5},  # on the edge of two price ranges
    {"px": "50", "tick_band": 1, "sms_e6": 12_500 * 10**6},
    {"px": "2.5", "lot": 10, "tick_band": 3},
    {"px": "0.4", "lot": 100, "tick_band": 2, "sms_e6": 10_000_001},  # thresholds not whole
    {"px": "1250", "currency": "GBX", "eur_per_unit_e9": 11_700_001, "sms_e6": 854_700 * 10**6},
    {"px": "125", "currency": "USD", "eur_per_unit_e9": 917_431_193, "tick_band": 6},
    {"px": "100", "tick_band": 0, "asset_class": 3, "sms_e6": 50_000 * 10**6},
    {"px": "25", "lis_e6": 15_000 * 10**6},  # T above LIS: the obligation wins
    {"px": "20", "order_max_e6": 12_000 * 10**6},
    {"px": "20", "position_max_e6": 25_000 * 10**6},
    {"px": "40", "position_max_e6": 300_000 * 10**6, "order_max_e6": 200_000 * 10**6},
    {"liquid": 0, "sms_e6": 0, "lis_e6": 15_000 * 10**6},
    {"liquid": 0, "sms_e6": 0, "lis_e6": 50_000 * 10**6, "px": "5", "lot": 5, "tick_band": 1},
    {"liquid": 0, "sms_e6": 0, "lis_e6": 0},
    {"sms_e6": 0},
    {"lis_e6": 0},
    {"si": 0},
    {"px": "0.0009", "tick_band": 1, "sms_e6": 10 * 10**6},  # a bid that rounds to nothing
    {"px": "60000", "tick_band": 4, "sms_e6": 600_000 * 10**6, "lis_e6": 6_000_000 * 10**6},
]


def _instrument(random: Random, index: int, kind: Row, venues: int) -> tuple[Row, int]:
    row = {
        "isin": f"XS{index:010d}",
        "currency": "EUR",
        "asset_class": 1,
        "mrm_venue": random.randrange(venues),
        "si": 1,
        "liquid": 1,
        "sms_e6": 10_000 * 10**6,
        "lis_e6": 100_000 * 10**6,
        "tick_band": random.choice((2, 3, 4, 5)),
        "lot": 1,
        "eur_per_unit_e9": 10**9,
        "order_max_e6": 0,
        "position_max_e6": 0,
        "loaded_row": 100 + index,
    }
    px = kind.get("px", "20")
    return row | {name: kind[name] for name in kind if name != "px"}, _e6(px)


def _e6(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * 10**6 + int(part.ljust(6, "0") or 0)


def inputs(
    world: World, seed: int, count: int, open_items: Callable[[], list[Row]]
) -> Iterator[Input]:
    """The stream: (name, fields, time). The desk sees its open items through `open_items`."""
    stream = _Stream(world, Random(f"inputs {seed}"), open_items)
    makers = {
        stream.venue_quote: 44,
        stream.order: 56,
        stream.cancel: 5,
        stream.status: 3,
        stream.replace: 6,
        stream.mass_cancel: 0.6,
        stream.mass_status: 1,
        stream.desk_command: 14,
        stream.kill_or_resume: 2,
        stream.timer: 2,
        stream.params: 0.4,
    }
    for done in range(count):
        stream.pass_time(done / count)
        [make] = stream.random.choices(list(makers), list(makers.values()))
        yield (*make(), stream.now_ns)


class _Stream:
    """Where the market is and what the clients have sent: only enough to aim at the edges."""

    def __init__(self, world: World, random: Random, open_items: Callable[[], list[Row]]) -> None:
        self.world = world
        self.random = random
        self.open_items = open_items
        self.now_ns = OPEN_NS - 1 - SECOND
        self.jumps = self._jumps()
        self.market = [(mid, mid) for mid in world.mids_e6]
        self.seq = 0
        self.sent: list[tuple[int, str]] = []  # session, ClOrdID
        self.killed: list[tuple[int, int]] = []

    # Time

    def _jumps(self) -> list[tuple[float, int]]:
        """At which share of the inputs the day jumps to which edge."""
        edges = [(0.02, OPEN_NS), (0.45, NEW_RULES_NS), (0.88, GAP_NS), (0.90, AFTER_GAP_NS)]
        before = [(share - 0.004, ns - 1) for share, ns in [*edges, (0.985, CLOSE_NS)]]
        return sorted(before + edges + [(0.985, CLOSE_NS)])

    def pass_time(self, share: float) -> None:
        """Mostly next to nothing; sometimes exactly as long as a quote stays fresh, or longer."""
        steps = [0, 1, 10_000, MS, 5 * MS, STALE_NS, STALE_NS + 1, SECOND]
        [step] = self.random.choices(steps, [40, 20, 40, 20, 2, 0.3, 0.3, 0.15])
        if any(abs(share - at) < 0.006 for at, _ in self.jumps):
            step = min(step, 1)
        self.now_ns += step
        if self.jumps and share >= self.jumps[0][0]:
            self.now_ns = max(self.now_ns, self.jumps.pop(0)[1])

    # The market

    def venue_quote(self) -> tuple[str, Row]:
        index = self._any_instrument()
        row = self.world.instruments[index]
        venue = self.random.randrange(len(self.world.venues))
        if self.random.random() < 0.6:
            venue = row["mrm_venue"]
        bid, ask = self._two_way(index)
        if venue == row["mrm_venue"]:
            self.market[index] = (bid, ask)
        else:
            widened = self.random.choice((0, 0, 1, 1, 2, -1)) * self._tick(index)
            bid, ask = self.market[index]
            bid, ask = bid - widened, ask + widened
        record = self._quote_record(row["isin"], self.world.venues[venue], bid, ask)
        return "venue_quote", self._spoiled(record)

    def _two_way(self, index: int) -> tuple[int, int]:
        tick = self._tick(index)
        mid = self.world.mids_e6[index] + self.random.choice((0, 0, 0, 1, -1, 3)) * tick
        half = self.random.choice((1, 1, 2, 2, 5)) * tick
        bid, ask = mid - half, mid + half
        if self.random.random() < 0.3:  # the midpoint lies on half a tick
            ask += tick
        if self.random.random() < 0.1:  # a market off the tick of the Annex
            bid, ask = bid + tick // 2, ask + tick // 10
        if self.random.random() < 0.04:
            bid, ask = self.random.choice(((ask, bid), (bid, bid)))
        return bid, ask

    def _quote_record(self, isin: str, mic: str, bid: int, ask: int) -> Row:
        self.seq += 1
        prices = {"bid_px_e6": bid, "ask_px_e6": ask}
        sizes = {side: self.random.choice((1, 100, 5_000)) for side in ("bid_qty", "ask_qty")}
        return {"isin": isin, "mic": mic, "seq": self.seq, "phase": 0} | prices | sizes

    def _spoiled(self, record: Row) -> Row:
        """Now and then a side is missing, the venue stands still or is not known."""
        spoils: list[Row] = [
            {},
            {"phase": self.random.choice((1, 2, 3))},
            {"bid_px_e6": 0},
            {"ask_px_e6": 0, "ask_qty": 0},
            {"bid_qty": 0},
            {"bid_qty": 0, "ask_qty": 0},
            {"bid_px_e6": 0, "ask_px_e6": 0, "bid_qty": 0, "ask_qty": 0},
            {"bid_px_e6": -1},
            {"mic": "XXXX"},
            {"isin": "XS9999999999"},
        ]
        [spoil] = self.random.choices(spoils, [150, 5, 2, 2, 2, 2, 2, 1, 1, 1])
        return record | spoil

    def _any_instrument(self) -> int:
        """Half of everything is in the first five, so that their quotes are fresh."""
        if self.random.random() < 0.5:
            return self.random.randrange(5)
        return self.random.randrange(len(self.world.instruments))

    def _tick(self, index: int, px_e6: int = 0) -> int:
        px = units(px_e6 or self.world.mids_e6[index])
        return to_e6(tick_at(px, self.world.instruments[index]["tick_band"]))

    # Clients

    def order(self) -> tuple[str, Row]:
        index = self._any_instrument()
        row = self.world.instruments[index]
        client = self.random.randrange(len(self.world.clients))
        session = client + self.random.choice((0, 0, 10))
        limit = self.random.random() < 0.6
        event = self._event(session, client, self._new_clordid(session)) | {
            "isin": row["isin"],
            "side": self.random.choice((BUY, BUY, SELL, SELL, SELL_SHORT)),
            "ord_type": LIMIT if limit else MARKET,
            "tif": self.random.choice((DAY, DAY, DAY, DAY, IOC, IOC, FOK, FOK, GTD)),
            "qty": self._qty(index, client),
            "destination": self.random.choice((0, 0, 0, 2, 3)),
            "currency": self.random.choice(("", row["currency"])),
        }
        event["limit_px_e6"] = self._limit_px(index, event["side"]) if limit else 0
        event |= self._conditions(event)
        if self.random.random() < 0.08:
            event |= self._flaw(row)
        return "order", event

    def _event(self, session: int, client: int, clordid: str) -> Row:
        nothing = (
            "side ord_type tif qty limit_px_e6 defect defect_value min_qty expire_ns peg "
            "destination order_ref scope"
        ).split()
        texts = {"isin": "", "clordid": clordid, "orig_clordid": "", "currency": ""}
        return {"session": session, "client": client} | texts | dict.fromkeys(nothing, 0)

    def _conditions(self, event: Row) -> Row:
        """A minimum, an end, a peg: rarely, and then often at an edge."""
        more: Row = {}
        if self.random.random() < 0.2:
            more["min_qty"] = self.random.choice((1, event["qty"] // 2, event["qty"]))
        if event["tif"] == GTD:
            ends = (DESK_TTL_NS // 2, DESK_TTL_NS // 4, DESK_TTL_NS, DESK_TTL_NS + 1, 2 * HOUR)
            more["expire_ns"] = self.now_ns + self.random.choice(ends)
        if self.random.random() < 0.12:
            more |= {"ord_type": PEGGED, "peg": 1}
        return more

    def _new_clordid(self, session: int) -> str:
        number = len(self.sent)
        clordid = self.random.choice((f"O{number}", f"order-{number:04d}".ljust(64, "x")))
        if self.sent and self.random.random() < 0.03:
            clordid = self.random.choice(self.sent)[1]  # a duplicate only in the same session
        self.sent.append((session, clordid))
        return clordid

    def _qty(self, index: int, client: int) -> int:
        """Mostly at an edge of the rules: the quantity that reaches it, one lot more or less."""
        row, (bid, ask) = self.world.instruments[index], self.market[index]
        edge_e6 = self.random.choice(self._edges_e6(row, client))
        lots = max(1, 2 * edge_e6 // ((bid + ask) * row["lot"]))
        lots += self.random.choice((0, 0, 0, -1, 1, lots // 3))
        small = self.random.choice((1, 7, 100))
        return row["lot"] * self.random.choice((lots, lots, lots, small))

    def _edges_e6(self, row: Row, client: int) -> list[int]:
        sms, lis = row["sms_e6"], row["lis_e6"]
        eur = self.world.clients[client]["order_max_eur_e6"] * 10**9 // row["eur_per_unit_e9"]
        edges = [sms // 10, sms // 2, sms, 2 * sms, 3 * sms, lis, lis // 3, 2 * lis]
        edges += [row["order_max_e6"], row["position_max_e6"], eur]
        return [edge for edge in edges if edge] or [10_000 * 10**6]

    def _limit_px(self, index: int, side: int) -> int:
        bid, ask = self.market[index]
        mid = (bid + ask) // 2
        near, far = (ask, bid) if side == BUY else (bid, ask)
        tick = self._tick(index, near)
        generous = near + (5 * tick if side == BUY else -5 * tick)
        edges = [near, near, generous, generous, near + tick, near - tick, far, mid]
        for collar in (mid * (10_000 + COLLAR_BPS), mid * (10_000 - COLLAR_BPS)):
            at = collar // 10_000 // tick * tick
            edges += [at, at + tick]
        edges += [near + 1, 10**13, 2 * mid]
        [px] = self.random.choices(edges, [20] * 8 + [3] * 4 + [4, 0.5, 3])
        return px

    def _flaw(self, row: Row) -> Row:
        """One thing wrong with an order."""
        return self.random.choice(
            (
                {"defect": QTY_NOT_WHOLE, "defect_value": 15_000_000},
                {"defect": CLORDID_SIZE, "defect_value": 80},
                {"qty": 0},
                {"qty": -5},
                {"qty": 10**11},
                {"qty": 10**11 + 1},
                {"qty": row["lot"] * 3 + 1},
                {"side": self.random.choice((0, 3, 9))},
                {"ord_type": self.random.choice((0, 3, PREVIOUSLY_QUOTED))},
                {"tif": self.random.choice((1, 2, 7))},
                {"tif": GTD, "expire_ns": 0},
                {"tif": GTD, "expire_ns": self.now_ns - self.random.choice((0, 1))},
                {"ord_type": PEGGED, "peg": 0},
                {"destination": self.random.choice((1, 1, 4, 15))},
                {"min_qty": self.random.choice((-1, 10**11))},
                {"defect": ID_SOURCE, "defect_value": 2},
                {"currency": "CHF"},
                {"isin": "XS8888888888"},
                {"ord_type": LIMIT, "limit_px_e6": 0},
                {"ord_type": LIMIT, "limit_px_e6": -1},
                {"ord_type": LIMIT, "limit_px_e6": 10**13 + 1},
            )
        )

    def cancel(self) -> tuple[str, Row]:
        session, clordid = self._known_order()
        event = self._event(session, session % 10, f"C{self.seq}-{self.random.randrange(10**9)}")
        return "cancel", event | {"orig_clordid": clordid}

    def status(self) -> tuple[str, Row]:
        session, clordid = self._known_order()
        return "status", self._event(session, session % 10, clordid)

    def replace(self) -> tuple[str, Row]:
        """Often of an open item, mostly with terms that may be."""
        items = self.open_items()
        session, clordid = self._known_order()
        if not items or self.random.random() < 0.15:
            event = self._event(
                session, session % 10, f"R{self.seq}-{self.random.randrange(10**9)}"
            )
            return "replace", event | {"orig_clordid": clordid, "side": BUY, "qty": 5}
        item = self.random.choice(items)
        session = item["session"]
        row = self.world.instruments[item["instrument"]]
        event = self._event(session, item["client"], self._new_clordid(session)) | {
            "orig_clordid": item["clordid"],
            "isin": self.random.choice((row["isin"], row["isin"], "")),
            "side": item["side"],
            "ord_type": self.random.choice((MARKET, LIMIT, LIMIT)),
            "tif": self.random.choice((DAY, DAY, IOC, FOK, GTD)),
            "qty": self.random.choice((item["qty"], self._qty(item["instrument"], item["client"]))),
        }
        if item["filled_qty"] and self.random.random() < 0.4:
            event["qty"] = item["filled_qty"] - self.random.choice((0, 0, row["lot"]))
        if event["ord_type"] == LIMIT:
            event["limit_px_e6"] = self._limit_px(item["instrument"], event["side"])
        event |= self._conditions(event)
        if self.random.random() < 0.15:
            other = {"side": SELL if item["side"] == BUY else BUY}
            event |= self.random.choice((other, {"isin": "XS8888888888"}, self._flaw(row)))
        return "replace", event

    def mass_cancel(self) -> tuple[str, Row]:
        event = self._mass() | {"clordid": f"M{self.seq}-{self.random.randrange(10**9)}"}
        if self.random.random() < 0.2:
            event |= {"clordid": "", "scope": 0, "side": 0, "defect": 0}
        return "mass_cancel", event

    def mass_status(self) -> tuple[str, Row]:
        return "mass_status", self._mass()

    def _mass(self) -> Row:
        """Of one security or of all orders; sometimes of what is not done."""
        items = self.open_items()
        session = self.random.choice([item["session"] for item in items] or [0])
        isins = [self.world.instruments[item["instrument"]]["isin"] for item in items]
        event = self._event(session, session % 10, "") | {
            "scope": self.random.choice((1, 1, 7, 7, 3)),
            "isin": self.random.choice([*isins, "XS8888888888"]),
            "side": self.random.choice((0, 0, BUY, SELL)),
        }
        if self.random.random() < 0.1:
            event |= {"defect": self.random.choice((ID_SOURCE, MASS_PARTIES)), "defect_value": 2}
        return event

    def _known_order(self) -> tuple[int, str]:
        """Often one with an open desk item, sometimes none."""
        items = self.open_items()
        if items and self.random.random() < 0.4:
            item = self.random.choice(items)
            return item["session"], item["clordid"]
        if self.sent and self.random.random() < 0.8:
            return self.random.choice(self.sent[-20:])
        return 0, "never sent"

    # The desk

    def desk_command(self) -> tuple[str, Row]:
        items = self.open_items()
        actions = (CLAIM, QUOTE, QUOTE, FILL, FILL, FILL, DECLINE, 99)
        [action] = self.random.choices(actions, [6, 4, 4, 8, 8, 8, 3, 1])
        command = self._command(action) | {"trader": self.random.choice((1, 1, 1, 2))}
        if not items or self.random.random() < 0.1:
            return "desk", command | {"item_id": self.random.choice((-1, 0, 1, 2, 3, 10**6))}
        item = self.random.choice(items)
        command["item_id"] = item["item_id"]
        if item["trader"] and self.random.random() < 0.85:
            command["trader"] = item["trader"]
        if action in (QUOTE, FILL):
            command |= {"qty": self._desk_qty(item), "px_e6": self._desk_px(item)}
        return "desk", command

    def _command(self, action: int) -> Row:
        self.seq += 1
        nothing = dict.fromkeys("item_id trader qty px_e6 scope subject".split(), 0)
        return {"command_id": self.seq, "action": action} | nothing

    def _desk_qty(self, item: Row) -> int:
        left = item["qty"] - item["filled_qty"]
        lot = self.world.instruments[item["instrument"]]["lot"]
        half = max(left // 2 // lot, 1) * lot
        return self.random.choices(
            (0, left, half, lot, left + lot, -lot, lot + 1), [6, 4, 6, 2, 1, 1, 1]
        )[0]

    def _desk_px(self, item: Row) -> int:
        bid, ask = self.market[item["instrument"]]
        tick = self._tick(item["instrument"], bid)
        limit = item["limit_px_e6"]
        prices = [0, bid, ask, (bid + ask) // 2, limit, limit + tick, limit - tick, ask + 1]
        prices += [-1, 10**13 + 1]
        return self.random.choices(prices, [5, 4, 4, 5, 5, 1, 1, 1, 0.3, 0.3])[0]

    def kill_or_resume(self) -> tuple[str, Row]:
        """A kill is soon lifted again, or nothing would be left to see."""
        if self.killed and self.random.random() < 0.85:
            scope, subject = self.killed.pop()
            return "desk", self._command(RESUME) | {"scope": scope, "subject": subject}
        [scope] = self.random.choices((0, 1, 2, 3, 7), [1, 4, 8, 2, 2])
        subjects = {
            0: 0,
            1: self.random.randrange(len(self.world.clients)),
            2: self._any_instrument(),
            3: self.random.randrange(len(self.world.pools)),
            7: 0,
        }
        subject = subjects[scope]
        if scope in (1, 2, 3) and self.random.random() < 0.1:
            subject = self.random.choice((-1, 10**6))
        elif scope != 7:
            self.killed.append((scope, subject))
        return "desk", self._command(KILL) | {"scope": scope, "subject": subject, "trader": 1}

    def timer(self) -> tuple[str, Row]:
        items = self.open_items()
        if items and self.random.random() < 0.3:
            due_ns = self.random.choice(items)["deadline_ns"] - self.random.choice((0, 0, 1))
            self.now_ns = max(self.now_ns, due_ns)
        return "timer", {}

    def params(self) -> tuple[str, Row]:
        return "params", make_params(self.random)
