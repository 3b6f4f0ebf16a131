"""What becomes of quotes on request, in dicts: one instrument, one venue, every rule by hand.

Nothing of the product is used. A decision is a dict of what the engine's records must agree with.
"""

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]

PENDING, OPEN, TAKEN, EXPIRED, PASSED, CANCELLED, DECLINED, WITHDRAWN, REPLACED, COUNTERED = range(
    1, 11
)
GIVEN, TO_DESK, REFUSED, ENDED, GONE, SOLD, STATUS, NOT_TAKEN = range(20, 28)
BUY, SELL, SELL_SHORT = 1, 2, 5
HIT, COUNTER = 1, 2
CLAIM, QUOTE, FILL, DECLINE, KILL, RESUME = range(1, 7)
TICK = 10_000  # of the instrument, at the prices used


class Refusal(Exception):
    """A Reason by its number."""


def hold(condition: bool, reason: int) -> None:
    if not condition:
        raise Refusal(reason)


class RfqOracle:
    """The firm: a market, two clients, the desk, and every quote that was given."""

    def __init__(
        self, world: Any, room: int, policy: Callable[[int, int, int], int], valid_ns: int
    ) -> None:
        self.params, self.instrument = world.params, world.instruments[0]
        self.clients, self.desk_max = world.clients, world.desk_max
        self.room, self.policy, self.valid_ns = room, policy, valid_ns
        self.quotes: list[Row] = []
        self.items: list[Row] = []
        self.clordids: set[tuple[int, str]] = set()
        self.killed: set[tuple[int, int]] = set()
        self.fills = [0] * len(self.clients)
        self.market: tuple[int, int] = (0, 0)
        self.market_ns, self.phase = 0, 0
        self.orders = self.position = 0
        self.out: list[Row] = []

    # --- the world ----------------------------------------------------------------------------

    def venue_quote(self, bid: int, ask: int, phase: int, ts_ns: int) -> list[Row]:
        self.out = []
        self.market, self.phase, self.market_ns = (bid, ask), phase, ts_ns
        if phase:
            self.sweep(ts_ns)
        return self.out

    def timer(self, ts_ns: int) -> list[Row]:
        self.out = []
        self.sweep(ts_ns)
        return self.out

    def stopped(self, client: int) -> int:
        for number, subject in (*self.switches(client), (3, (2, 0))):
            if subject in self.killed:
                return number
        return 11 if self.phase else 0

    def switches(self, client: int) -> tuple[tuple[int, tuple[int, int]], ...]:
        """Kill switches that hold for a client, with their reasons: firm, pool, its own."""
        return (1, (0, 0)), (122, (3, self.clients[client]["pool"])), (2, (1, client))

    def sweep(self, ts_ns: int) -> None:
        for quote in self.quotes:
            if quote["state"] not in (PENDING, OPEN):
                continue
            if quote["until"] <= ts_ns:
                reason = 38 if quote["state"] == PENDING else 87
                self.end(quote, EXPIRED)
                self.say(ENDED, reason, quote)
            elif quote["state"] == OPEN and self.stopped(quote["client"]):
                self.end(quote, WITHDRAWN)
                self.say(GONE, self.stopped(quote["client"]), quote)

    def say(self, kind: int, reason: int, quote: Row | None = None, **more: Any) -> None:
        row = {"type": "quote", "kind": kind, "reason": reason}
        if quote:
            names = ("ref", "state", "bid", "offer", "bid_qty", "offer_qty", "until", "side")
            row |= {name: quote[name] for name in names}
        self.out.append(row | more)

    def end(self, quote: Row, state: int) -> None:
        quote["state"] = state
        if quote["item"] and state != REPLACED:
            self.items[quote["item"] - 1]["open"] = False

    # --- requests -----------------------------------------------------------------------------

    def request(self, ask: Row, ts_ns: int) -> list[Row]:
        self.out = []
        try:
            self.admit(ask, ts_ns)
            self.answer(ask, ts_ns)
        except Refusal as refusal:
            self.say(REFUSED, refusal.args[0])
        return self.out

    def admit(self, ask: Row, ts_ns: int) -> None:
        hold(len(self.quotes) < self.room, 80)
        used = {(quote["session"], quote["req"]) for quote in self.quotes}
        hold((ask["session"], ask["req"]) not in used, 81)
        hold(not ask["expire"] or ask["expire"] > ts_ns, 84)

    def market_holds(self, client: int, qty: int, side_ok: bool, ts_ns: int) -> None:
        for reason, subject in (*self.switches(client), (3, (2, 0))):
            hold(subject not in self.killed, reason)
        hold(self.params["open_ns"] <= ts_ns < self.params["close_ns"], 10)
        hold(not self.phase, 11)
        hold(side_ok, 14)
        hold(qty > 0, 15)
        hold(ts_ns - self.market_ns <= self.params["stale_ns"], 25)

    def zone(self, qty: int) -> int:
        value_x2, sms = qty * sum(self.market), self.instrument["sms_e6"]
        if value_x2 <= 2 * sms:
            return 1
        if value_x2 <= 4 * sms:
            return 2
        return 4 if value_x2 >= 2 * self.instrument["lis_e6"] else 3

    def answer(self, ask: Row, ts_ns: int) -> None:
        client, qty, side = ask["client"], ask["qty"], ask["side"]
        self.market_holds(client, qty, side in (0, BUY, SELL, SELL_SHORT), ts_ns)
        value = qty * sum(self.market) // 2
        limit = self.clients[client]["order_max_eur_e6"]
        hold(not limit or value <= limit, 28)
        zone = self.zone(qty)
        route = {1: 1, 2: 1, 3: self.params["discretionary_route"], 4: 2}[zone]
        if route == 2:
            hold(len(self.items) < self.desk_max, 6)
            quote = self.add(ask, zone, ts_ns)
            self.to_desk(quote, ts_ns)
            self.say(TO_DESK, 0, quote)
            return
        hold(route != 3, 33)
        fills_max = self.clients[client]["fills_max"]
        hold(not fills_max or self.fills[client] < fills_max, 30)
        quote = self.add(ask, zone, ts_ns)
        bid, ask_px = self.market
        offer = self.policy(BUY, bid, ask_px) if side in (0, BUY) else 0
        self.give(quote, self.policy(SELL, bid, ask_px) if side != BUY else 0, offer, ts_ns)
        self.say(GIVEN, 0, quote)

    def add(self, ask: Row, zone: int, ts_ns: int) -> Row:
        blank = dict.fromkeys("bid offer bid_qty offer_qty item order".split(), 0)
        quote = ask | blank | {"ref": f"RQ{len(self.quotes) + 1}", "state": PENDING, "zone": zone}
        self.quotes.append(quote)
        return quote

    def until(self, quote: Row, ts_ns: int) -> None:
        ends = [ts_ns, self.params["close_ns"]] + ([quote["expire"]] if quote["expire"] else [])
        quote["until"] = min(ends)

    def to_desk(self, quote: Row, ts_ns: int) -> None:
        self.items.append({"open": True, "trader": "", "quote": quote, "side": quote["side"]})
        quote["item"] = len(self.items)
        self.until(quote, ts_ns + self.params["desk_ttl_ns"])

    def give(self, quote: Row, bid: int, offer: int, ts_ns: int) -> None:
        quote |= {"state": OPEN, "bid": bid, "offer": offer, "public": self.market}
        quote |= {"bid_qty": quote["qty"] if bid else 0, "offer_qty": quote["qty"] if offer else 0}
        self.until(quote, ts_ns + self.valid_ns)

    # --- taking -------------------------------------------------------------------------------

    def find(self, ask: Row) -> Row | None:
        found = [quote for quote in self.quotes if quote["ref"] == ask["ref"]]
        return found[0] if found and found[0]["client"] == ask["client"] else None

    def live(self, quote: Row | None, ts_ns: int) -> Row:
        if quote is None:
            raise Refusal(85)
        hold(quote["state"] != TAKEN, 88)
        late = quote["state"] in (PENDING, OPEN) and ts_ns >= quote["until"]
        hold(not late and quote["state"] != EXPIRED, 87)
        hold(quote["state"] in (PENDING, OPEN), 89)
        return quote

    def taken(self, ask: Row, ts_ns: int) -> Row:
        """The fill, or a Refusal."""
        client = ask["client"]
        for reason, subject in self.switches(client):
            hold(subject not in self.killed, reason)
        quote = self.find(ask)
        hold(quote is not None, 85)
        hold((2, 0) not in self.killed, 3)
        quote = self.live(quote, ts_ns)
        hold(quote["state"] == OPEN, 86)
        hold(self.params["open_ns"] <= ts_ns < self.params["close_ns"], 10)
        hold(not self.phase, 11)
        side = "offer" if ask["side"] == BUY else "bid"
        hold(ask["side"] in (BUY, SELL, SELL_SHORT), 14)
        hold(quote[f"{side}_qty"] > 0, 91)
        hold(ask["qty"] > 0, 15)
        hold(ask["qty"] <= quote[f"{side}_qty"], 92)
        px = quote[side]
        hold(ask["px"] in (0, px), 93)
        limits = self.clients[client]
        hold(not limits["order_max_eur_e6"] or ask["qty"] * px <= limits["order_max_eur_e6"], 28)
        hold(not limits["fills_max"] or self.fills[client] < limits["fills_max"], 30)
        self.fills[client] += 1
        self.position += ask["qty"] * (-1 if ask["side"] == BUY else 1)
        quote["order"] = self.orders
        gain = quote["public"][1] - px if side == "offer" else px - quote["public"][0]
        self.end(quote, TAKEN)
        self.say(SOLD, 0, quote)
        gain = 0 if quote["item"] else gain
        return {"kind": 2, "reason": 0, "qty": ask["qty"], "px": px, "improvement": gain}

    def order(self, ask: Row, ts_ns: int, response: bool = False) -> list[Row]:
        """A NewOrderSingle that names a quote, or a QuoteResponse that hits one."""
        self.out = []
        key = (ask["session"], ask["clordid"])
        made = key not in self.clordids
        report = {"kind": 4, "qty": 0, "px": 0, "improvement": 0}
        try:
            hold(made, 4)
            self.clordids.add(key)
            self.orders += 1
            report = self.taken(ask, ts_ns)
        except Refusal as refusal:
            report["reason"] = refusal.args[0]
            if response:
                self.say(NOT_TAKEN, refusal.args[0])
        if made or not response:
            self.out.insert(0, {"type": "execution"} | report)
        return self.out

    def respond(self, ask: Row, ts_ns: int) -> list[Row]:
        if ask["resp"] == HIT:
            return self.order(ask, ts_ns, response=True)
        self.out = []
        try:
            if ask["resp"] == COUNTER:
                self.counter(ask, ts_ns)
            else:
                hold(ask["resp"] in (3, 4, 5, 6, 8), 94)
                self.close(ask, EXPIRED if ask["resp"] in (3, 8) else PASSED, ts_ns)
        except Refusal as refusal:
            self.say(NOT_TAKEN, refusal.args[0])
        return self.out

    def counter(self, ask: Row, ts_ns: int) -> None:
        client, qty = ask["client"], ask["qty"]
        quote = self.find(ask)
        hold(quote is not None, 85)
        for reason, subject in self.switches(client):
            hold(subject not in self.killed, reason)
        quote = self.live(quote, ts_ns)
        hold(quote["state"] == OPEN, 86)
        hold((2, 0) not in self.killed, 3)
        hold(self.params["open_ns"] <= ts_ns < self.params["close_ns"], 10)
        hold(not self.phase, 11)
        hold(ask["side"] in (BUY, SELL, SELL_SHORT), 14)
        hold(qty > 0, 15)
        hold(ask["px"] > 0, 19)
        hold(ask["px"] % TICK == 0, 21)
        hold(ts_ns - self.market_ns <= self.params["stale_ns"], 25)
        away = abs(2 * ask["px"] - sum(self.market))
        hold(away * 10_000 <= self.params["collar_bps"] * sum(self.market), 22)
        limit = self.clients[client]["order_max_eur_e6"]
        hold(not limit or qty * sum(self.market) // 2 <= limit, 28)
        hold(len(self.quotes) < self.room, 80)
        hold(len(self.items) < self.desk_max, 6)
        self.end(quote, COUNTERED)
        new = self.add(ask | {"req": quote["req"], "expire": 0}, self.zone(qty), ts_ns)
        self.to_desk(new, ts_ns)
        self.say(TO_DESK, 0, new)

    def close(self, ask: Row, state: int, ts_ns: int) -> None:
        quote = self.live(self.find(ask), ts_ns)
        self.end(quote, state)
        self.say(ENDED, 95, quote)

    def cancel(self, ask: Row, ts_ns: int) -> list[Row]:
        self.out = []
        try:
            self.close(ask, CANCELLED, ts_ns)
        except Refusal as refusal:
            self.say(NOT_TAKEN, refusal.args[0])
        return self.out

    def status(self, ask: Row, ts_ns: int) -> list[Row]:
        self.out = []
        quote = self.find(ask)
        late = quote and quote["state"] in (PENDING, OPEN) and ts_ns >= quote["until"]
        self.say(STATUS, 0 if quote else 85, quote, **({"state": EXPIRED} if late else {}))
        return self.out

    # --- the desk -----------------------------------------------------------------------------

    def desk(self, command: Row, ts_ns: int) -> list[Row]:
        """The result comes last."""
        self.out, reason = [], 0
        try:
            self.act(command, ts_ns)
        except Refusal as refusal:
            reason = refusal.args[0]
        return [*self.out, {"type": "desk", "reason": reason}]

    def act(self, command: Row, ts_ns: int) -> None:
        if command["action"] in (KILL, RESUME):
            change = self.killed.add if command["action"] == KILL else self.killed.discard
            change((command["scope"], command["subject"]))
            self.sweep(ts_ns)
            return
        hold(1 <= command["item"] <= len(self.items), 43)
        item, trader = self.items[command["item"] - 1], command["trader"]
        hold(item["open"], 44)
        hold(item["trader"] in ("", trader), 45)
        if command["action"] == DECLINE:
            pending = item["quote"]["state"] == PENDING
            self.end(item["quote"], DECLINED if pending else WITHDRAWN)
            self.say(REFUSED if pending else GONE, 37 if pending else 96, item["quote"])
            return
        hold(command["action"] != FILL, 97)
        if command["action"] == QUOTE:
            self.desk_quote(item, command, ts_ns)
        item["trader"] = trader

    def desk_quote(self, item: Row, command: Row, ts_ns: int) -> None:
        quote, bid, offer = item["quote"], command["px"], command["offer"]
        hold(ts_ns < quote["until"], 44)
        if not bid and not offer:
            bid, offer = quote["bid"], quote["offer"]
        elif item["side"] == BUY and not offer:
            bid, offer = 0, bid
        hold(not (item["side"] == BUY and bid), 98)
        hold(not (item["side"] in (SELL, SELL_SHORT) and offer), 98)
        hold(bool(bid or offer), 48)
        fresh = ts_ns - self.market_ns <= self.params["stale_ns"] and not self.phase
        for px in filter(None, (bid, offer)):
            hold(px > 0, 48)
            hold(px % TICK == 0 or (fresh and 2 * px == sum(self.market)), 21)
        hold(not (bid and offer and bid > offer), 99)
        hold(not self.stopped(quote["client"]), self.stopped(quote["client"]))
        if quote["state"] == OPEN:
            hold(len(self.quotes) < self.room, 80)
            self.end(quote, REPLACED)
            self.say(GONE, 89, quote)
            names = ("session", "client", "req", "side", "qty", "expire")
            item["quote"] = self.add({n: quote[n] for n in names}, quote["zone"], ts_ns)
            item["quote"]["item"] = quote["item"]
            quote = item["quote"]
        self.give(quote, bid, offer, ts_ns)
        self.say(GIVEN, 0, quote)
