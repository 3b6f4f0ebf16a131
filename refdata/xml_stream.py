"""Elements of an ISO 20022 message, one by one, in memory that does not grow with the file.

Names are local names: the version in a namespace is not looked at. A document type, and with it any
entity of its own, refuses the file; nothing outside the file is ever read.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from lxml import etree

from refdata.archive import DEFAULT_LIMITS, Limits, open_xml
from refdata.rows import refused

#: An element of lxml, which has no types of its own.
Element = Any
#: What lies between two records is held until the second one: a file of something else, however
#: large, is not read to its end.
GAP_BYTES_MAX = 16 << 20
#: Different unknown paths that are counted apart; further ones count as `FURTHER`.
UNKNOWN_MAX = 200
FURTHER = "further elements"


class Found(NamedTuple):
    """An element that has been read to its end, and the local name of the one around it.

    It is emptied when the next one is asked for: take out of it what is needed.
    """

    name: str
    within: str
    element: Element


#: Values in an element by path: their local names from there on, joined by `/`.
Fields = dict[str, Element]


class _Gap:
    """`read` of a stream, up to a number of bytes from one `found` to the next."""

    def __init__(self, path: Path, stream: BinaryIO, names: Sequence[str]) -> None:
        self._path, self._stream, self._names = path, stream, names
        self._bytes = 0

    def found(self) -> None:
        self._bytes = 0

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(size)
        self._bytes += len(chunk)
        if self._bytes > GAP_BYTES_MAX:
            advice = f"no {' or '.join(self._names)} in {GAP_BYTES_MAX} bytes: another kind of file"
            raise refused(self._path, 0, "", "", advice)
        return chunk


@lru_cache(maxsize=4096)
def local_name(tag: str) -> str:
    """`Id` of `{urn:iso:std:iso:20022:tech:xsd:auth.044.001.03}Id`."""
    return tag.rpartition("}")[2]


def elements(path: Path, names: Sequence[str], limits: Limits = DEFAULT_LIMITS) -> Iterator[Found]:
    """Every element with one of these local names, in document order of their ends.

    Raises `Refused` where the XML is broken or cut off, which may be after many elements: what came
    before is then not to be used either.
    """
    with open_xml(path, limits) as stream:
        gap = _Gap(path, stream, names)
        context = etree.iterparse(
            gap,
            events=("end",),
            tag=[f"{{*}}{name}" for name in names],
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        untested = True
        try:
            for _, element in context:
                if untested:
                    _refuse_doctype(path, element)
                    untested = False
                gap.found()
                around = element.getparent()
                within = "" if around is None else local_name(around.tag)
                yield Found(local_name(element.tag), within, element)
                _forget(element)
        except etree.XMLSyntaxError as error:
            line = error.lineno or 0
            advice = f"not well-formed or cut off ({error.msg}): fetch it again"
            raise refused(path, line, "", "", advice) from None
        if untested and context.root is not None:
            _refuse_doctype(path, context.root)


def text_at(fields: Fields, path: str) -> str:
    """The value under a path without blanks around it; "" where the path is not there."""
    return (fields[path].text or "").strip() if path in fields else ""


def known_leaves(
    element: Element,
    read: Collection[str],
    not_read: Collection[str],
    unknown: Counter[str],
) -> tuple[Fields, str]:
    """The elements without children under the paths `read`, and the first of these paths that is
    not one value, being there twice or with elements in it ("" where each is). Paths in neither are
    counted, but for what lies within one of `not_read`."""
    found: Fields = {}
    doubtful = ""
    for path, child in _leaves(element, "", []):
        if path in read:
            if path in found:
                doubtful = doubtful or path
            found[path] = child
        elif path not in not_read:
            starts = _starts(path)
            doubtful = doubtful or next((start for start in starts if start in read), "")
            if not any(start in not_read for start in starts):
                unknown[path if path in unknown or len(unknown) < UNKNOWN_MAX else FURTHER] += 1
    return found, doubtful


def _leaves(
    element: Element, within: str, into: list[tuple[str, Element]]
) -> list[tuple[str, Element]]:
    """Elements without children, with their paths, in document order."""
    for child in element:
        path = _path(within, child.tag)
        if len(child):
            _leaves(child, path, into)
        else:
            into.append((path, child))
    return into


@lru_cache(maxsize=4096)
def _path(within: str, tag: str) -> str:
    return f"{within}/{local_name(tag)}" if within else local_name(tag)


@lru_cache(maxsize=4096)
def _starts(path: str) -> tuple[str, ...]:
    """`a` and `a/b` of `a/b/c`."""
    parts = path.split("/")
    return tuple("/".join(parts[:count]) for count in range(1, len(parts)))


def _refuse_doctype(path: Path, element: Element) -> None:
    info = element.getroottree().docinfo
    if info.doctype or info.internalDTD is not None or info.externalDTD is not None:
        advice = "remove the DOCTYPE: no published file has one, and entities are not read"
        raise refused(path, 0, "", info.doctype or "DOCTYPE", advice)


def _forget(element: Element) -> None:
    """Free the element and all that lies before it at every level above."""
    element.clear()
    while element is not None:
        around = element.getparent()
        if around is not None:
            while element.getprevious() is not None:
                del around[0]
        element = around
