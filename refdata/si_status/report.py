"""The assessment as a report: what was assessed, from which data, with which caveats; HTML.

The page is one file without scripts or network: tables with every number, a chart for each
instrument and test, light and dark.
"""

from collections.abc import Collection, Sequence
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from refdata.si_status import words
from refdata.si_status.assess import (
    Assessment,
    Flows,
    Limb,
    LimbName,
    Outcome,
    Totals,
    assess_quarter,
    coverage_of,
    substantial_of,
)
from refdata.si_status.quarters import Quarter
from refdata.si_status.thresholds import THRESHOLDS, Determination, determination_on

TEMPLATES = Path(__file__).parent / "templates"
#: Instruments with a chart of their own: the tables have them all.
CHARTS_MAX = 100
#: A chart, in its own units.
CHART_WIDTH, CHART_HEIGHT, CHART_TOP, CHART_BASE = 320, 150, 22, 112
BAR_WIDTH_MAX = 36
VALUE_WIDTH, LABEL_WIDTH = 48, 48  # room that a value and a quarter need to be legible


class Report(NamedTuple):
    """Assessments, oldest quarter first, with the names of their sources and notes on them."""

    assessments: tuple[Assessment, ...]
    quarters: tuple[Quarter, ...]
    jurisdiction: str
    trades_from: str
    totals_from: str
    notes: tuple[str, ...]

    @property
    def determinations(self) -> tuple[Determination, ...]:
        """The rules of the quarters, each once."""
        rows = [determination_on(q.published_by, self.jurisdiction) for q in self.quarters]
        return tuple(dict.fromkeys(rows))

    @property
    def banner(self) -> str:
        """The monitoring notice, or ""."""
        return words.banner(self.determinations)


def make(
    flows: Flows,
    totals: dict[tuple[str, Quarter], Totals],
    quarters: Sequence[Quarter],
    *,
    jurisdiction: str = "EU",
    listed_days: Collection[date] | None = None,
    trades_from: str = "",
    totals_from: str = "",
) -> Report:
    """All quarters. Raises LookupError and ValueError as `assess.assess_quarter` does."""
    found = [
        assessment
        for quarter in quarters
        for assessment in assess_quarter(
            flows, totals, quarter, jurisdiction=jurisdiction, listed_days=listed_days
        )
    ]
    notes = _notes(flows, quarters, listed_days)
    return Report(
        tuple(found), tuple(quarters), jurisdiction, trades_from, totals_from, tuple(notes)
    )


def _notes(
    flows: Flows, quarters: Sequence[Quarter], listed_days: Collection[date] | None
) -> list[str]:
    """What a reader has to know of the data as a whole."""
    if listed_days is None:
        notes = ["Trading days are Monday to Friday: no list of trading days was given."]
    else:
        notes = ["Trading days are those of the list that was given."]
    covered = coverage_of(flows)
    if covered is None:
        return notes
    first, last = covered
    notes.append(f"The firm's trades are from {first.isoformat()} to {last.isoformat()}.")
    for quarter in quarters:
        early, late = quarter.data_quarters
        if first >= late.first_day or last < late.first_day:
            half = late if last < late.first_day else early
            notes.append(
                f"{quarter}: the data contain no trade of the firm in {half}: if there were any, "
                "the numbers of this assessment are too low."
            )
    return notes


def as_dict(report: Report) -> dict[str, Any]:
    """Plain JSON of the whole report."""
    return {
        "jurisdiction": report.jurisdiction,
        "trades": report.trades_from,
        "eu_totals": report.totals_from,
        "banner": report.banner,
        "quarters": [_quarter_dict(quarter) for quarter in report.quarters],
        "notes": list(report.notes),
        "assessments": [words.as_dict(assessment) for assessment in report.assessments],
    }


def _quarter_dict(quarter: Quarter) -> dict[str, Any]:
    return {
        "quarter": str(quarter),
        "data_from": quarter.data_from.isoformat(),
        "data_until": quarter.data_to.isoformat(),
        "starts_on": quarter.starts_on().isoformat(),
        "published_by": quarter.published_by.isoformat(),
        "comply_by": quarter.comply_by.isoformat(),
    }


# --- HTML -------------------------------------------------------------------------------------


class Bar(NamedTuple):
    """One quarter in a chart; positions in the chart's units."""

    label: str
    value: str
    short: str  # the value with fewer digits, "" where there is no room
    shown: str  # the label, "" where there is no room
    outcome: str
    x: int
    y: int
    width: int
    height: int


class Chart(NamedTuple):
    """One test of one instrument over the quarters."""

    title: str
    limit: str
    limit_y: int
    bars: tuple[Bar, ...]


def html(report: Report) -> str:
    """The report as one self-contained page."""
    subjects = list(dict.fromkeys(a.subject for a in report.assessments))
    return environment().get_template("assessment.html.j2").render(
        report=report,
        rows=[_row(assessment) for assessment in report.assessments],
        charts=[(subject, charts_of(report, subject)) for subject in subjects[:CHARTS_MAX]],
        charts_left_out=max(len(subjects) - CHARTS_MAX, 0),
        counts=_counts(report),
        calendar=[words.calendar_line(quarter) for quarter in report.quarters],
        explanations=words.EXPLANATIONS,
        thresholds=[row for row in THRESHOLDS if row.jurisdiction == report.jurisdiction],
        bps=words.bps_text,
        chart=(CHART_WIDTH, CHART_HEIGHT, CHART_BASE),
    )  # fmt: skip


def environment() -> Environment:
    """The templates, everything escaped."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def charts_of(report: Report, subject: str) -> list[Chart]:
    """A chart for each share that the law compares: the tests that the subject has."""
    mine = [a for a in report.assessments if a.subject == subject]
    titles = {
        LimbName.SYSTEMATIC: "Share of the EU's transactions (n / N)",
        LimbName.FIRM: "Share of the firm's turnover (v / V_f)",
        LimbName.EU: "Share of the EU's turnover (v / V)",
    }
    found = []
    for name, title in titles.items():
        tests = [(a, test) for a in mine if (test := a.test(name)) is not None]
        if tests:
            found.append(_chart(title, tests))
    return found


def _chart(title: str, tests: list[tuple[Assessment, Limb]]) -> Chart:
    limit = tests[-1][1].limit
    top = max([limit, *(test.value for _, test in tests if test.value is not None)])
    height = CHART_BASE - CHART_TOP
    step = CHART_WIDTH // (len(tests) + 1)
    width = min(step * 3 // 5, BAR_WIDTH_MAX)
    every = -(-LABEL_WIDTH // step)  # rounded up
    bars = []
    for place, (assessment, test) in enumerate(tests, 1):
        tall = _scaled(test.value or Fraction(0), top, height)
        label, value = str(assessment.quarter), words.value_text(test)
        short = value if test.value is None else words.short_percent(test.value)
        bars.append(
            Bar(
                label, value, short if step >= VALUE_WIDTH else "",
                label if (len(tests) - place) % every == 0 else "", _css(test.outcome),
                place * step - width // 2, CHART_BASE - tall, width, tall,
            )
        )  # fmt: skip
    limit_y = CHART_BASE - _scaled(limit, top, height)
    return Chart(title, words.percent(limit), limit_y, tuple(bars))


def _scaled(value: Fraction, top: Fraction, height: int) -> int:
    """Height of a value in the chart's units, rounded down."""
    return int(value * height // top)


def _css(outcome: Outcome) -> str:
    return outcome.value.replace(" ", "-")


def _row(assessment: Assessment) -> dict[str, Any]:
    """One assessment as the table shows it."""
    threshold = assessment.threshold
    return {
        "subject": assessment.subject,
        "quarter": str(assessment.quarter),
        "asset_class": assessment.asset_class.value,
        "liquid": "liquid" if assessment.liquid else "illiquid",
        "verdict": assessment.verdict.value,
        "css": assessment.verdict.value.replace(" ", "-"),
        "monitoring": assessment.monitoring,
        "substantial": substantial_of(assessment.tests).value if assessment.tests else "",
        "tests": [
            {
                "name": test.name.value,
                "line": words.test_line(test, threshold),
                "css": _css(test.outcome),
            }
            for test in assessment.tests
        ],
        "citation": threshold.citation,
        "remarks": assessment.remarks,
    }


def _counts(report: Report) -> dict[str, int]:
    """How many assessments came out how."""
    counts: dict[str, int] = {}
    for assessment in report.assessments:
        counts[assessment.verdict.value] = counts.get(assessment.verdict.value, 0) + 1
    return counts
