"""A journal is read with the schema it was written with: anything else would be nonsense."""

from pathlib import Path

from engine import journal as jn
from engine.schema import schema_hash
from gateway.errors import UserError
from gateway.journal_files import Reader


class WrongSchema(UserError):
    """The journal was written by a version with other records."""


def check(journal: Path) -> None:
    """Raise WrongSchema unless every process that wrote the journal had today's schema."""
    for frame in Reader(journal, kinds=(jn.BOOT,)).poll():
        written = int(frame.body[:8].view("i8")[0])
        if written != schema_hash():
            raise WrongSchema(
                f"{journal}: frame {frame.seq} was written with schema {written:016x}, this "
                f"version has {schema_hash():016x}: use the version that wrote it"
            )
