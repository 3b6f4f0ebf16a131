"""From a filled book to findings: pure, in numbers that anybody can check against the journal."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from engine import regimes
from engine.enums import Reason
from engine.schema import unpack
from gateway.audit.publication import Published, Versions
from gateway.audit.read import Recount
from gateway.audit.rules import ABOUT, Duty, Rule, Severity
from gateway.audit.tables import BPS_E2_MAX, CASES_MAX, Presence

MARKETS_WANT = (
    Presence.AUCTION, Presence.MRM_CLOSED, Presence.STALE, Presence.ONE_SIDED, Presence.CROSSED,
    Presence.EMPTY, Presence.NOT_YET, Presence.SUSPENDED, Presence.TOO_FAR,
    Presence.STOPPED,
)  # fmt: skip


class Light(StrEnum):
    """Of an obligation."""

    RED = "red"
    AMBER = "amber"
    GREEN = "green"
    GREY = "nothing to judge"


class Case(NamedTuple):
    """A record that shows a finding; times in ns, 0 and "" where the rule has none."""

    isin: str
    client: str
    numbers: tuple[tuple[str, str, int], ...]  # name, unit, value
    ts_ns: int = 0
    position: int = -1  # in the whole journal, of the frame's first byte
    frame: int = 0
    order_id: int = 0
    exec_id: int = 0
    quote_id: int = 0


class Finding(NamedTuple):
    """What was found under one rule; `cases` are the gravest, at most CASES_MAX."""

    rule: Rule
    total: int
    cases: tuple[Case, ...] = ()

    @property
    def severity(self) -> Severity:
        """How grave."""
        return ABOUT[self.rule].severity


class Section(NamedTuple):
    """One obligation: what was looked at, and what was found."""

    duty: Duty
    looked_at: int
    findings: tuple[Finding, ...]

    def total(self, severity: Severity) -> int:
        """Cases of one severity."""
        return sum(found.total for found in self.findings if found.severity == severity)

    @property
    def light(self) -> Light:
        """Red for a breach, amber for what is to be explained."""
        if self.total(Severity.BREACH):
            return Light.RED
        if self.total(Severity.EXPLAIN):
            return Light.AMBER
        return Light.GREEN if self.looked_at else Light.GREY


class Share(NamedTuple):
    """Presence of one instrument; ns within published hours, by Presence."""

    row: int
    isin: str
    due_ns: int
    ns: tuple[int, ...]
    versions: int
    far_bps_e2: int

    @property
    def live_bps(self) -> int:
        """Share of the hours with a live two-sided quote, in basis points, rounded down."""
        return 10_000 * self.ns[Presence.LIVE] // self.due_ns


class ClientShare(NamedTuple):
    """What became of one client's orders."""

    name: str
    limits: tuple[int, int, int]  # order and day in EUR e6, fills
    orders: int
    fills: int
    improved: int
    to_desk: int
    refusals: dict[int, int]  # by Reason
    zone_fills: tuple[int, ...]
    zone_milliticks: tuple[int, ...]  # sum over the fills of the zone


class Audit(NamedTuple):
    """A day: everything that the reports say."""

    day: date
    recount: Recount
    sections: tuple[Section, ...]
    shares: tuple[Share, ...]  # worst first
    clients: tuple[ClientShare, ...]
    published: Published | None
    close_bps: int

    @property
    def breaches(self) -> int:
        """Cases that are breaches."""
        return sum(section.total(Severity.BREACH) for section in self.sections)


def versions_of(recount: Recount, series: str) -> Versions:
    """Which quotes of the day a publication must have."""
    run = recount.book.run[0]
    return Versions(
        series, int(run["first_quote_id"]), int(run["last_quote_id"]),
        int(run["switched_quotes"]), recount.is_over,
    )  # fmt: skip


def make(recount: Recount, published: Published | None, close_bps: int) -> Audit:
    """All findings of a day."""
    shares = shares_of(recount)
    found = [
        *_presence(recount, shares), *_recorded(recount), *_rest(recount, published),
    ]  # fmt: skip
    looked_at = _looked_at(recount, shares)
    order = list(Severity)
    sections = tuple(
        Section(
            duty, looked_at[duty],
            tuple(
                sorted(
                    (finding for finding in found if ABOUT[finding.rule].duty == duty),
                    key=lambda finding: (order.index(finding.severity), -finding.total),
                )
            ),
        )
        for duty in Duty
    )  # fmt: skip
    return Audit(recount.day, recount, sections, shares, clients_of(recount), published, close_bps)


def _looked_at(recount: Recount, shares: tuple[Share, ...]) -> dict[Duty, int]:
    run = recount.book.run[0]
    auto = int(run["auto_fills"])
    return {
        Duty.PRESENCE: len(shares),
        Duty.SIZE: int(run["sized"]),
        Duty.CLOSENESS: int(run["compared"]) + int(recount.book.tally[Rule.NO_MARKET]),
        Duty.TICK: int(run["tick_quotes"]) + int(run["tick_fills"]),
        Duty.IMPROVEMENT: auto,
        Duty.FIRMNESS: int(run["orders"]),
        Duty.PUBLICATION: int(run["quotes"]),
        Duty.EQUALITY: int(run["orders"]),
        Duty.JOURNAL: int(run["frames"]),
    }


# --- presence ---------------------------------------------------------------------------------


def shares_of(recount: Recount) -> tuple[Share, ...]:
    """Every instrument that had to be quoted, the least quoted first."""
    book = recount.book
    due_ns = book.presence.sum(axis=1) - book.presence[:, Presence.NOT_DUE]
    made = [
        Share(
            row, unpack(book.instruments[row]["isin"]), int(due_ns[row]),
            tuple(book.presence[row].tolist()), int(book.shown[row]["versions"]),
            int(book.shown[row]["far_bps_e2"]),
        )
        for row in np.flatnonzero(due_ns).tolist()
    ]  # fmt: skip
    return tuple(sorted(made, key=lambda share: (share.live_bps, share.isin)))


def _presence(recount: Recount, shares: tuple[Share, ...]) -> list[Finding]:
    instruments = recount.book.instruments
    cases: dict[Rule, list[tuple[Share, int]]] = {}
    for share in shares:
        row = instruments[share.row]
        excused_ns = share.ns[Presence.HALTED]
        if row["sms_e6"] <= 0 or row["lis_e6"] <= 0:
            due = {Rule.NO_THRESHOLD: share.due_ns - share.ns[Presence.LIVE]}
        elif share.ns[Presence.LIVE] == 0 and excused_ns < share.due_ns:
            due = {Rule.NEVER_QUOTED: share.due_ns - excused_ns}
        else:
            due = {
                Rule.NOT_RUNNING: share.ns[Presence.NOT_RUNNING],
                Rule.NO_REASON: share.ns[Presence.OTHER],
                Rule.NOT_QUOTED: sum(share.ns[why] for why in MARKETS_WANT),
            }
        for rule, missing_ns in (due | {Rule.EXCUSED: excused_ns}).items():
            if missing_ns > 0:
                cases.setdefault(rule, []).append((share, missing_ns))
    found = []
    for rule, those in cases.items():
        worst = sorted(those, key=lambda one: -one[1])[:CASES_MAX]
        found.append(Finding(rule, len(those), tuple(_missing(*one) for one in worst)))
    if not recount.hours:
        found.append(Finding(Rule.NO_HOURS, 1))
    return found


def _missing(share: Share, missing_ns: int) -> Case:
    parts = tuple(
        (why.name.lower().replace("_", " "), "duration_ns", share.ns[why])
        for why in Presence
        if why not in (Presence.LIVE, Presence.NOT_DUE) and share.ns[why]
    )
    published = ("published hours", "duration_ns", share.due_ns)
    return Case(share.isin, "", (("not quoted", "duration_ns", missing_ns), published, *parts))


# --- what the recount told --------------------------------------------------------------------


def _recorded(recount: Recount) -> list[Finding]:
    book = recount.book
    return [
        Finding(rule, int(book.tally[rule]), _cases(recount, rule))
        for rule in Rule
        if book.tally[rule] > 0
    ]


def _cases(recount: Recount, rule: Rule) -> tuple[Case, ...]:
    book, about = recount.book, ABOUT[rule]
    rows = book.cases[rule * CASES_MAX : rule * CASES_MAX + int(book.kept[rule])]
    made = []
    for row in sorted(rows.tolist(), key=lambda row: (-row[0], row[2])):
        case = dict(zip(book.cases.dtype.names, row, strict=True))
        client = case["client"]
        numbers = tuple(
            (name, unit.value, case[letter])
            for (name, unit), letter in zip(about.numbers, "abcd", strict=False)
        )
        instrument = case["instrument"]
        made.append(
            Case(
                unpack(book.instruments[instrument]["isin"]) if instrument >= 0 else "",
                client_name(recount, client), numbers, case["ts_ns"], case["position"],
                case["seq"], case["order_id"], case["exec_id"], case["quote_id"],
            )
        )  # fmt: skip
    return tuple(made)


def client_name(recount: Recount, client: int) -> str:
    """Name of a client's row, "" for none."""
    if not 0 <= client < len(recount.book.clients):
        return ""
    return unpack([recount.book.clients[client]["name"]]) or f"client {client}"


def _rest(recount: Recount, published: Published | None) -> list[Finding]:
    """What is said of the day as a whole."""
    found = []
    if recount.torn_bytes and not recount.book.tally[Rule.DAMAGED]:
        found.append(Finding(Rule.TORN, recount.torn_bytes))
    if recount.forced >= 0:
        found.append(Finding(Rule.REGIME_FORCED, 1))
    known = regimes.regime_rows()
    rows = recount.book.regimes[: int(recount.book.run[0]["regimes"])]
    if rows.tobytes() != known.tobytes():
        found.append(Finding(Rule.REGIMES_DIFFER, 1))
    if published is None:
        return [*found, Finding(Rule.NOT_BY_FILE, 1)]
    if published.missing:
        found.append(Finding(Rule.NOT_PUBLISHED, published.missing))
    if published.early:
        found.append(Finding(Rule.PUBLISHED_BEFORE, published.early))
    if published.lines > published.timed:
        found.append(Finding(Rule.UNREADABLE_LINES, published.lines - published.timed))
    return found


# --- distributions ----------------------------------------------------------------------------


def percentile_bps_e2(recount: Recount, percent: int) -> int:
    """Distance that this share of the sides of all quotes does not exceed; 0 for no quotes."""
    counts = recount.book.distances
    total = int(counts.sum())
    if total == 0:
        return 0
    return int(np.searchsorted(np.cumsum(counts), -(-total * percent // 100)))


def beyond(recount: Recount, bps_e2: int) -> int:
    """Sides of quotes further away than this."""
    return int(recount.book.distances[min(bps_e2 + 1, BPS_E2_MAX) :].sum())


def refused_of(recount: Recount) -> list[tuple[str, Severity, int]]:
    """Orders within a firm quote that were not executed: why, how grave that is, how many."""
    made = []
    covered = recount.book.covered
    for reason, verdict in zip(*(where.tolist() for where in np.nonzero(covered)), strict=True):
        name = Reason(reason).name if reason in tuple(Reason) else str(reason)
        name = "TO_DESK" if reason == Reason.NONE else name
        made.append((name, list(Severity)[verdict], int(covered[reason, verdict])))
    return made


def clients_of(recount: Recount) -> tuple[ClientShare, ...]:
    """Every client that sent an order on the day."""
    book = recount.book
    made = []
    for row in np.flatnonzero(book.client_tally["orders"]).tolist():
        tally, limits = book.client_tally[row], book.clients[row]
        refusals = np.flatnonzero(book.refusals[row]).tolist()
        made.append(
            ClientShare(
                client_name(recount, row),
                (
                    int(limits["order_max_eur_e6"]), int(limits["day_max_eur_e6"]),
                    int(limits["fills_max"]),
                ),
                int(tally["orders"]), int(tally["fills"]), int(tally["improved"]),
                int(tally["to_desk"]),
                {reason: int(book.refusals[row, reason]) for reason in refusals},
                tuple(book.zone_fills[row].tolist()),
                tuple(book.zone_milliticks[row].tolist()),
            )
        )  # fmt: skip
    return tuple(made)
