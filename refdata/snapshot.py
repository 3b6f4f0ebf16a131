"""One immutable file per build: the rows that the engine takes, and how they came about.

First line `SI-REFDATA 1 <sha256 of the rest>`, then a zip:
`about.json` (day, inputs with their hashes, report, approval), `instruments.npy` (rows of
schema.instrument, sorted by ISIN), `names.json` (one per row), `records.json` (what the registers
say of each ISIN in every period). The same inputs give the same bytes: no clock is asked.
"""

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import schema
from engine.enums import AssetClass
from engine.limits import ISIN_WORDS
from refdata.instruments import MIC_FORM
from refdata.regulation.classify import Thresholds
from refdata.rows import refused

MAGIC = b"SI-REFDATA 1 "
HEAD_SIZE = len(MAGIC) + 64 + 1
SUFFIX = ".snapshot"
HASH_DIGITS = 15  # 60 bits, so that the word of a record is positive
EPOCH = date(1970, 1, 1)
CENT = Decimal("0.01")
ISIN_SIZE = 12
ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class Snapshot(NamedTuple):
    """A build. `instruments["mrm_venue"]` counts in `venues`; `names` go with the rows."""

    path: Path
    sha256: str
    as_of: date
    jurisdiction: str
    venues: list[str]
    instruments: NDArray[np.void]
    names: list[str]
    about: dict[str, Any]

    @property
    def word(self) -> int:
        """The hash's first 60 bits, as the engine's records have it."""
        return hash_word(self.sha256)

    def row_of(self, isin: str) -> Any:
        """The engine's row of an ISIN, or None."""
        if len(isin) != ISIN_SIZE or not isin.isascii():
            return None
        words = np.array(schema.pack(isin, ISIN_WORDS))
        found = np.flatnonzero((self.instruments["isin"] == words).all(axis=1))
        return self.instruments[found[0]] if found.size else None


def hash_word(sha256: str) -> int:
    """The first 15 digits of a hexadecimal hash: how a record names its snapshot."""
    return int(sha256[:HASH_DIGITS], 16)


def hash_digits(word: int) -> str:
    """The digits of a record's snapshot; "" where its table came from files."""
    return f"{word:0{HASH_DIGITS}x}" if word else ""


def thresholds_of(isin: str, day: date, path: Path) -> Thresholds:
    """What the snapshot says of an instrument, for `si regime classify`. Raises `rows.Refused`.

    A snapshot holds for its own day: another one is refused, not guessed from its records.
    """
    read_ = read(path)
    row = read_.row_of(isin)
    if row is None:
        raise refused(path, 0, "isin", isin, "it is not in this snapshot")
    if day != read_.as_of:
        raise refused(path, 0, "date", day.isoformat(), f"it holds for {read_.as_of}: build one")
    if not row["lis_e6"]:
        raise refused(path, 0, "isin", isin, "it is closed for want of a threshold: see `show`")
    rate = int(row["eur_per_unit_e9"])
    sms = eur(row["sms_e6"], rate) if row["liquid"] else None
    return Thresholds(
        AssetClass(int(row["asset_class"])), bool(row["liquid"]), sms, eur(row["lis_e6"], rate),
        int(row["tick_band"]), f"{path.name}, record {int(row['loaded_row'])}",
    )  # fmt: skip


def mrm_of(row: Any, venues: Sequence[str]) -> str:
    """MIC of the most relevant market; "" where no instrument of the snapshot has one.

    Of a row that is closed for want of thresholds it says nothing: its column may just be 0.
    """
    place = int(row["mrm_venue"])
    return venues[place] if row["lis_e6"] and place < len(venues) else ""


def eur(amount_e6: int, eur_per_unit_e9: int) -> Decimal:
    """An amount of a row, in EUR to the cent."""
    exact = Decimal(int(amount_e6)) * int(eur_per_unit_e9) / 10**15
    return exact.quantize(CENT, ROUND_HALF_EVEN)


def write(
    folder: Path,
    about: dict[str, Any],
    instruments: NDArray[np.void],
    names: list[str],
    records: dict[str, Any],
) -> Path:
    """Write a snapshot, whole or not at all; answers its path, which has the hash in it."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        _put(made, "about.json", _json(about))
        rows = io.BytesIO()
        np.save(rows, instruments)
        _put(made, "instruments.npy", rows.getvalue())
        _put(made, "names.json", _json(names))
        _put(made, "records.json", _json(records))
    body = data.getvalue()
    sha256 = hashlib.sha256(body).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"refdata-{about['as_of']}-{sha256[:12]}{SUFFIX}"
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(MAGIC + sha256.encode() + b"\n" + body)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def read(path: Path) -> Snapshot:
    """A snapshot whose bytes are those that were written. Raises `rows.Refused`."""
    sha256, members = _open(path, ("about.json", "instruments.npy", "names.json"))
    with _of_this_version(path):
        about = json.loads(members["about.json"])
        names = json.loads(members["names.json"])
        instruments = np.load(io.BytesIO(members["instruments.npy"]), allow_pickle=False)
        if instruments.dtype != schema.instrument:
            raise ValueError(f"rows of {instruments.dtype.itemsize} bytes")
        if instruments.shape != (len(names),):
            raise ValueError(f"{len(names)} names for {instruments.size} rows")
        venues = instruments["mrm_venue"]
        if venues.size and not 0 <= venues.min() <= venues.max() < max(len(about["venues"]), 1):
            raise ValueError(f"MRMs beyond its {len(about['venues'])} venues")
        if not all(MIC_FORM.fullmatch(mic) for mic in about["venues"]):
            raise ValueError(f"venues that are no MICs: {about['venues']}")
        return Snapshot(
            path, sha256, date.fromisoformat(about["as_of"]), about["jurisdiction"],
            about["venues"], instruments, names, about,
        )  # fmt: skip


def read_records(path: Path) -> dict[str, Any]:
    """What the registers say, by ISIN: every record of every period. Raises `rows.Refused`."""
    _, members = _open(path, ("records.json",))
    with _of_this_version(path):
        records: dict[str, Any] = json.loads(members["records.json"])
    return records


@contextmanager
def _of_this_version(path: Path) -> Iterator[None]:
    """The bytes are as they were written; that they are what is written now is another thing."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, TypeError, ValueError) as error:
        advice = "build it again: it was made for another version of the engine"
        raise refused(path, 0, "", str(error), advice) from None


def _open(path: Path, wanted: tuple[str, ...]) -> tuple[str, dict[str, bytes]]:
    """The hash and the members, after the bytes were compared with it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise refused(path, 0, "", "", f"the file cannot be read: {error.strerror}") from None
    head, body = data[:HEAD_SIZE], data[HEAD_SIZE:]
    if not head.startswith(MAGIC) or not head.endswith(b"\n"):
        shown = head[:20].decode("ascii", "replace")
        raise refused(path, 1, "", shown, "give a file that `si refdata build` wrote")
    sha256 = head[len(MAGIC) : -1].decode("ascii", "replace")
    found = hashlib.sha256(body).hexdigest()
    if found != sha256:
        raise refused(path, 0, "sha256", found, "the file was changed or cut: build it again")
    with _of_this_version(path), zipfile.ZipFile(io.BytesIO(body)) as stored:
        return sha256, {name: stored.read(name) for name in wanted}


def _put(made: zipfile.ZipFile, name: str, data: bytes) -> None:
    made.writestr(zipfile.ZipInfo(name, ZIP_TIME), data, zipfile.ZIP_DEFLATED)


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
