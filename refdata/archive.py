"""A published file as a stream of XML bytes: plain, gzip, or a zip with exactly one XML in it.

Rule: nothing is unpacked to disk or into memory as a whole, and what comes out is counted while it
is read, since the sizes that an archive's header states may be false. All errors are
`rows.Refused`; they can also be raised by a later `read`.
"""

import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from refdata.rows import refused

ZIP_MAGIC, GZIP_MAGIC = b"PK", b"\x1f\x8b"
#: What deflate alone can do; FITRS and FIRDS are published with nothing else.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1
CHUNK_BYTES = 1 << 20


class Limits(NamedTuple):
    """How much may come out of one file. A full FIRDS part is about 0.5 GiB at a ratio of 20."""

    bytes_max: int = 4 << 30
    ratio_max: int = 500
    #: Below this size a high ratio does no harm: a small file may well be very regular.
    ratio_from_bytes: int = 32 << 20


DEFAULT_LIMITS = Limits()


def sha256(path: Path) -> str:
    """Hex digest of the file as it lies there, packed or not; raises `Refused`."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise refused(path, 0, "", "", f"the file cannot be read: {error.strerror}") from None
    return digest.hexdigest()


@contextmanager
def open_xml(path: Path, limits: Limits = DEFAULT_LIMITS) -> Iterator[BinaryIO]:
    """The XML in the file, to be read once from the start; raises `Refused`, as do its reads."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            packed_bytes = path.stat().st_size
            magic = file.read(2)
            file.seek(0)
            if packed_bytes == 0:
                raise refused(path, 0, "", "", "the file is empty: fetch it again")
            stream: io.BufferedIOBase = file
            if magic == ZIP_MAGIC:
                stream, packed_bytes = _only_member(path, file, limits, stack)
            elif magic == GZIP_MAGIC:
                stream = stack.enter_context(gzip.GzipFile(fileobj=file))
        except OSError as error:
            raise refused(path, 0, "", "", f"the file cannot be read: {error}") from None
        yield cast(BinaryIO, _Counted(path, stream, packed_bytes, limits))


class _Counted:
    """`read` of a stream, up to the limits."""

    def __init__(
        self, path: Path, stream: io.BufferedIOBase, packed_bytes: int, limits: Limits
    ) -> None:
        self._path, self._stream, self._limits = path, stream, limits
        self._packed_bytes = packed_bytes
        self._bytes = 0

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        try:
            # Never "all": the size of one read is bounded too.
            chunk = self._stream.read(size if 0 < size < CHUNK_BYTES else CHUNK_BYTES)
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            advice = f"the archive is cut off or damaged ({error}): fetch it again"
            raise refused(self._path, 0, "", "", advice) from None
        self._bytes += len(chunk)
        _check_size(self._path, self._bytes, self._packed_bytes, self._limits)
        return chunk


def _check_size(path: Path, unpacked_bytes: int, packed_bytes: int, limits: Limits) -> None:
    if unpacked_bytes > limits.bytes_max:
        advice = f"it unpacks to more than {limits.bytes_max} bytes: not a published file"
        raise refused(path, 0, "", f"{unpacked_bytes} bytes", advice)
    ratio_counts = unpacked_bytes > limits.ratio_from_bytes
    if ratio_counts and unpacked_bytes > limits.ratio_max * packed_bytes:
        advice = f"it unpacks to more than {limits.ratio_max} times its size: not a published file"
        raise refused(path, 0, "", f"{unpacked_bytes} from {packed_bytes} bytes", advice)


def _only_member(
    path: Path, file: BinaryIO, limits: Limits, stack: ExitStack
) -> tuple[io.BufferedIOBase, int]:
    """The one XML of a zip, and its packed size."""
    try:
        archive = stack.enter_context(zipfile.ZipFile(file))
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        advice = f"the zip is cut off or damaged ({error}): fetch it again"
        raise refused(path, 0, "", "", advice) from None
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        names = ", ".join(member.filename for member in members[:5])
        advice = f"pack exactly one XML into a zip, not {len(members)} files"
        raise refused(path, 0, "", names, advice)
    (member,) = members
    name = member.filename
    # Nothing is written under this name; a name that tries is still no published file's.
    if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
        raise refused(path, 0, "", name, "the name in the zip leads out of it: fetch it again")
    if not name.lower().endswith(".xml"):
        raise refused(path, 0, "", name, "the file in the zip is not an .xml")
    if member.flag_bits & ENCRYPTED:
        raise refused(path, 0, "", name, "the zip is encrypted: unpack it first")
    if member.compress_type not in METHODS:
        value = f"{name}: method {member.compress_type}"
        raise refused(path, 0, "", value, "pack it with deflate: no other method is read")
    _check_size(path, member.file_size, member.compress_size, limits)
    try:
        stream = stack.enter_context(archive.open(member))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
        advice = f"the zip is damaged ({error}): fetch it again"
        raise refused(path, 0, "", name, advice) from None
    return cast(io.BufferedIOBase, stream), member.compress_size
