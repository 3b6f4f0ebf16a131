"""Every input of a build, read whole or refused, before anything is decided.

What the registers say is kept by ISIN: records in the order of files and places, and what could
not be used beside it, so that nobody answers for an instrument as if a bad record were not there.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from refdata.archive import sha256
from refdata.ecb import EcbRates, read_ecb
from refdata.firds import FirdsFile, FirdsInstrument, FirdsRecord, fold, read_firds
from refdata.firm import Firm, FirmInstrument, read_firm_instruments
from refdata.fitrs import FitrsFile, FitrsRecord, read_fitrs
from refdata.published import BadRecord
from refdata.rows import Problem, Refused

Progress = Callable[[str, int, int], None]  # what is read, of how many files, how many are done


class Input(NamedTuple):
    """A file that went into a build."""

    kind: str
    name: str
    sha256: str
    day: str


class Collected(NamedTuple):
    """All that was read. `wanted` is None where every ISIN of the registers is."""

    firm: Firm
    own: dict[str, FirmInstrument]
    records: dict[str, list[FitrsRecord]]
    bad: dict[str, list[BadRecord]]
    firds: dict[str, FirdsInstrument]
    rates: EcbRates | None
    inputs: list[Input]
    newest: date | None  # day of the newest FITRS file
    remarks: list[str]


def nothing(what: str, done: int, count: int) -> None:
    """No progress shown."""


def collect(firm: Firm, progress: Progress = nothing) -> Collected:
    """Read the firm's list, the registers and the rates. Raises `rows.Refused`."""
    count = len(firm.fitrs) + len(firm.firds) + 2
    own = {row.isin: row for row in read_firm_instruments(firm.instruments)}
    wanted = own.keys() if firm.universe == "firm" else None
    inputs = [_input("firm", firm.path), _input("instruments", firm.instruments)]
    records: dict[str, list[FitrsRecord]] = defaultdict(list)
    bad: dict[str, list[BadRecord]] = defaultdict(list)
    files: list[FitrsFile] = []
    remarks: list[str] = []
    for done, path in enumerate(firm.fitrs):
        progress(path.name, done, count)
        file, stream = read_fitrs(path, with_sint=False)
        files.append(file)
        unusable: list[BadRecord] = []
        for record in stream:
            if isinstance(record, BadRecord):
                unusable.append(record)
            elif wanted is None or record.isin in wanted:
                records[record.isin].append(record)
        inputs.append(Input("fitrs", file.name, file.sha256, _day(file.day)))
        remarks += _keep(file, unusable, bad)
    authorities = sorted({file.authority for file in files if file.authority})
    if len(authorities) > 1:
        # A result of one authority would replace or contradict the other's of the same period.
        remarks.append(f"results of more than one authority: {', '.join(authorities)}")
    _check_parts(firm.path, "fitrs", files)
    named = own.keys() | records.keys()
    firds = _read_firds(firm, named, bad, inputs, remarks, progress, count)
    rates = None
    if firm.ecb is not None:
        progress(firm.ecb.name, count - 2, count)
        rates = read_ecb(firm.ecb)
        inputs.append(_input("ecb", firm.ecb))
    progress("done", count, count)
    days = [file.day for file in files if file.day is not None]
    newest = max(days) if len(days) == len(files) and days else None
    return Collected(firm, own, records, bad, firds, rates, inputs, newest, remarks)


def _keep(
    file: FitrsFile | FirdsFile, unusable: list[BadRecord], bad: dict[str, list[BadRecord]]
) -> Iterator[str]:
    """Keep the bad records of a file by ISIN; answers remarks on it.

    A bad record is said here too: its ISIN may be what cannot be read, or of no instrument.
    """
    for record in unusable:
        bad[record.isin].append(record)
    if unusable:
        yield f"records that cannot be used: {len(unusable)}, the first is {unusable[0]}"
    if file.unknown:
        shown = ", ".join(f"{name} ({times})" for name, times in file.unknown.most_common(5))
        yield f"{file.name}: elements that are not in the schema: {shown}"


def _read_firds(
    firm: Firm,
    named: Collection[str],
    bad: dict[str, list[BadRecord]],
    inputs: list[Input],
    remarks: list[str],
    progress: Progress,
    count: int,
) -> dict[str, FirdsInstrument]:
    """The instruments of FIRDS that are `named`; all others may be many times as many."""
    files: list[FirdsFile] = []

    def stream() -> Iterator[FirdsRecord]:
        for done, path in enumerate(firm.firds):
            progress(path.name, len(firm.fitrs) + done, count)
            file, records = read_firds(path)
            files.append(file)
            inputs.append(Input("firds", file.name, file.sha256, _day(file.day)))
            unusable: list[BadRecord] = []
            for record in records:
                if isinstance(record, BadRecord):
                    unusable.append(record)
                elif record.isin in named:
                    yield record
            remarks.extend(_keep(file, unusable, bad))

    firds = fold(stream()) if firm.firds else {}
    _check_parts(firm.path, "firds", files)
    return firds


def _check_parts(path: Path, setting: str, files: Sequence[FitrsFile | FirdsFile]) -> None:
    """Refuse a publication of which a part is missing: its instruments would just be gone."""
    parts: dict[tuple[str, str, str], dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for file in files:
        if file.parts:
            parts[file.kind, _day(file.day), file.cfi_letter][file.parts].add(file.part)
    problems = []
    for (kind, day, letter), by_count in parts.items():
        for count, found in by_count.items():
            missing = sorted(set(range(1, count + 1)) - found)
            if missing:
                value = f"{kind} {letter} {day}".replace("  ", " ")
                advice = f"parts {missing} of {count} are missing: fetch them"
                problems.append(Problem(str(path), 0, setting, value, advice))
    if problems:
        raise Refused(problems)


def _input(kind: str, path: Path) -> Input:
    return Input(kind, path.name, sha256(path), "")


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""
