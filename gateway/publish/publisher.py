"""The publication of our quotes, step by step: journal, files, board, delays. No sockets here.

What is new in the journal goes to the day's file and to the board in the same step, with one time
of publication. Where the disk takes nothing the board goes on, and the file catches up from the
journal.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from gateway.journal_files import Reader, segments
from gateway.publish.board import Board
from gateway.publish.delayed import DelayedFiles, IsBusinessDay, monday_to_friday
from gateway.publish.delays import Delays
from gateway.publish.quotes_file import QuotesFile, day_of, path_of
from gateway.publish.record import Firm, QuoteRecord, Version, record_of, series_name, stamp
from gateway.publish.settings import Publication
from gateway.publish.source import CheckpointDamaged, JournalChanged, Source, mark_of_journal

BATCH = 256  # records that are published at the same moment
SECOND_NS = 10**9
CHECKPOINT_NS = 300 * SECOND_NS
FIRST_CHECKPOINT_NS = 10 * SECOND_NS  # the way to here may have been long

Progress = Callable[[str, int, int], None]

log = structlog.get_logger()


def _silently(name: str, done: int, count: int) -> None:
    """Shows no progress."""


class Publisher:
    """Publishes one journal's quotes under one folder; the clock is `now_ns`.

    `place` is a file for its own use, which says more of the firm than the public may know.
    """

    def __init__(
        self, journal: Path, folder: Path, place: Path, settings: Publication,
        now_ns: Callable[[], int] = time.time_ns,
        is_business_day: IsBusinessDay = monday_to_friday,
    ) -> None:  # fmt: skip
        self.journal, self.folder, self.settings = journal, folder, settings
        self._checkpoint = place
        self.now_ns = now_ns
        self.started_ns = now_ns()
        self.board = Board()
        self.delays = Delays(self.started_ns)
        self.file = QuotesFile(folder)
        self.delayed = DelayedFiles(folder, settings.delayed_minutes, is_business_day)
        self.source: Source | None = None
        self.published = 0  # records, by this process
        self._behind: Source | None = None  # reads again what the file could not take
        self._missed: list[Version] = []  # taken from it, and not in the file yet
        self.file_error = ""
        self.delayed_error = ""
        self._retry_ns = 0
        self._delayed_retry_ns = 0
        self._look_ns = 0
        self._checkpoint_ns = self.started_ns + FIRST_CHECKPOINT_NS
        self._published_ns = self.file.published_ns

    @property
    def waits_for_journal(self) -> bool:
        """Whether the engine has not begun a journal yet."""
        return self.source is None

    # --- a step -------------------------------------------------------------------------------

    def step(self) -> bool:
        """One turn; whether there may be more to do at once.

        Raises JournalDamaged, WrongSchema and JournalChanged, behind which nothing is published.
        """
        now_ns = self.now_ns()
        if self.source is None and not self.find_journal():
            return False
        assert self.source is not None
        before = self.source.reader.position
        versions = self.source.take(BATCH)
        if versions:
            self._publish(versions)
        more = bool(versions) or self.source.reader.position != before
        if not more:
            self._look_for_another(now_ns)
        if self.file_error and now_ns >= self._retry_ns:
            more |= self._catch_up()
        if now_ns >= self._delayed_retry_ns:
            more |= self._delay(now_ns)
        if now_ns >= self._checkpoint_ns:
            self._store(now_ns)
        return more

    def close(self) -> None:
        """Keep the place and let go of the files; what is in them stays."""
        self._store(self.now_ns())
        for source in (self.source, self._behind):
            if source is not None:
                source.close()
        self.file.close()

    def _publish(self, versions: list[Version]) -> None:
        assert self.source is not None
        records, lines = self._records(versions, self.source)
        if not self.file_error:
            self._write(records, lines)
        self._show(records, lines)
        self.published += len(records)
        self.delays.add([version.entered_ns for version in versions], self.now_ns())

    def _records(
        self, versions: list[Version], source: Source
    ) -> tuple[list[QuoteRecord], list[bytes]]:
        """The records of versions that are published now, and as JSON."""
        self._published_ns = max(self.now_ns(), self._published_ns)  # a clock may be set back
        firm = Firm(self.settings.lei, source.mic, self.settings.name)
        series = series_name(source.mark)
        records = [record_of(each, series, firm, self._published_ns) for each in versions]
        return records, [record.model_dump_json().encode() for record in records]

    def _write(self, records: list[QuoteRecord], lines: list[bytes]) -> bool:
        try:
            self.file.append(lines, records[-1], self._published_ns)
        except OSError as error:
            if not self.file_error:
                log.error("quotes are in no file until the disk takes them", error=str(error))
            self.file_error = str(error)
            self._retry_ns = self.now_ns() + SECOND_NS
            return False
        return True

    def _catch_up(self) -> bool:
        """What the file has missed, from the journal; whether there is more at once."""
        assert self.source is not None
        if self._behind is None:
            self._behind = self._from_place()
        if not self._missed:
            # never ahead of what is published, or it would be written twice
            count = min(BATCH, self.source.sequence - self._behind.sequence)
            in_file = self._in_file(self._behind)
            taken = self._behind.take(count)
            self._missed = [version for version in taken if version.sequence > in_file]
        if self._missed and not self._write(*self._records(self._missed, self._behind)):
            return False
        self._missed = []
        if self._behind.sequence >= self.source.sequence:
            self._behind.close()
            self._behind, self.file_error = None, ""
            log.info("quotes are in the file again", sequence=self.source.sequence)
        return True

    def _delay(self, now_ns: int) -> bool:
        try:
            more = self.delayed.step(now_ns)
        except OSError as error:
            if not self.delayed_error:
                log.error("delayed data is not written", error=str(error))
            self.delayed_error = str(error)
            self._delayed_retry_ns = now_ns + SECOND_NS
            return False
        self.delayed_error = ""
        return more

    # --- the journal --------------------------------------------------------------------------

    def find_journal(self, progress: Progress = _silently) -> bool:
        """Whether there is a journal; the place behind what was published of it is found.

        Looks once a second. Raises JournalDamaged, WrongSchema and JournalChanged.
        """
        now_ns = self.now_ns()
        if now_ns < self._look_ns:
            return False
        self._look_ns = now_ns + SECOND_NS
        if mark_of_journal(self.journal) is None:
            segments(self.journal)
            for _ in Reader(self.journal).poll():  # a damaged first frame says so
                break
            return False
        self.source = self._opened(progress)
        self.board.begin(series_name(self.source.mark))
        standing = self.source.standing()
        if standing:
            self._show(*self._records(standing, self.source))
        return True

    def _show(self, records: list[QuoteRecord], lines: list[bytes]) -> None:
        for record, line in zip(records, lines, strict=True):
            self.board.put(record.instrument_identification_code, record.sequence, line)

    def _opened(self, progress: Progress) -> Source:
        """The journal behind the file's last record. Raises JournalChanged."""
        source, last = self._from_place(), self.file.last
        in_file, read = self._in_file(source), True
        while source.sequence < in_file and read:
            position = source.reader.position
            taken = source.take(min(BATCH, in_file - source.sequence))
            if last and taken and taken[-1].sequence == in_file:
                self._check(taken[-1], last)
            read = bool(taken) or source.reader.position != position
            progress("quotes published before", source.sequence, in_file)
        if last and source.sequence < in_file:
            raise self._changed(last, f"the journal has only {source.sequence:,} records")
        return source

    def _in_file(self, source: Source) -> int:
        """How many records of a journal are in the file."""
        last = self.file.last
        return last.sequence if last and last.series == series_name(source.mark) else 0

    def _from_place(self) -> Source:
        """The journal from the place that was kept, or from its start."""
        source = Source(self.journal)
        try:
            source.restore(self._checkpoint, self._in_file(source))
        except FileNotFoundError:
            pass
        except (OSError, CheckpointDamaged) as error:
            log.warning("the journal is read from its start", error=str(error))
        return source

    def _check(self, version: Version, last: QuoteRecord) -> None:
        firm = Firm(self.settings.lei, version.mic, self.settings.name)
        expected = record_of(version, last.series, firm, 0)
        names = ("update_date_and_time", "instrument_identification_code", "quote_id", "state")
        for name in names:
            if getattr(expected, name) != getattr(last, name):
                raise self._changed(last, f"{name} is {getattr(expected, name)!r} there")

    def _changed(self, last: QuoteRecord, why: str) -> JournalChanged:
        return JournalChanged(
            f"{self.journal} is not the journal that was published: of record {last.sequence:,} "
            f"of series {last.series}, {why}: restore the journal, or move {self.folder} away "
            "and publish the whole journal again"
        )

    def _look_for_another(self, now_ns: int) -> None:
        """Once a second: whether the engine has begun another journal in the same place."""
        if now_ns < self._look_ns:
            return
        self._look_ns = now_ns + SECOND_NS
        assert self.source is not None
        mark = mark_of_journal(self.journal)
        if mark is None or mark == self.source.mark:
            return
        log.info("another journal: a new series", series=series_name(mark))
        if self.file_error:
            log.error("the last quotes of the journal before are in no file")
        for source in (self.source, self._behind):
            if source is not None:
                source.close()
        self.source = self._behind = None
        self._missed = []
        self._look_ns = 0

    def _store(self, now_ns: int) -> None:
        """Keep the place, so that a restart need not read the whole journal."""
        source = self.source
        self._checkpoint_ns = now_ns + CHECKPOINT_NS
        if source is None or self.file_error or not source.is_between_frames:
            return
        try:
            self.file.sync()  # never behind the place
            source.store(self._checkpoint)
        except OSError as error:
            log.warning("the place in the journal is not kept", error=str(error))

    # --- what it says of itself ---------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Counts, delays and places, for people and machines."""
        source = self.source
        last = self.file.last
        return {
            "waits_for_journal": self.waits_for_journal,
            "series": self.board.series or None,
            "sequence": source.sequence if source else 0,
            "instruments": len(self.board),
            "published": self.published,
            "delay": self.delays.as_dict(),
            "file": {
                "name": path_of(self.folder, day_of(self.file.published_ns)).name if last else None,
                "sequence": last.sequence if last else 0,
                "error": self.file_error or None,
            },
            "delayed": {
                "minutes": self.settings.delayed_minutes,
                "lines": self.delayed.lines,
                "error": self.delayed_error or None,
            },
            "started": stamp(self.started_ns),
        }
