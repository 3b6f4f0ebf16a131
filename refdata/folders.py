"""What a folder needs beside its files: names that last."""

import os
from pathlib import Path


def sync_folder(directory: Path) -> None:
    """A new file's name survives a crash only with its folder written out. Raises OSError."""
    folder = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
