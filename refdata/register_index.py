"""The lists of files that ESMA and the FCA publish: what to ask, and what an answer says.

ESMA's Solr interface is that of ESMA65-8-5240 section 3.5 (FITRS, 30 September 2025) and
ESMA65-8-5014 section 7.2 (FIRDS, 9 February 2022). Of an answer those show the path of
`download_link` and that the number of records is an attribute of the result list; `file_name`,
`file_type`, the date, `checksum` (MD5) and `timestamp` are as answers have been seen to be, and
may be missing. No network here: `gateway.register_download` asks.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from refdata.rows import Problem, Refused

Register = Literal["fitrs", "firds"]
Kind = Literal["full", "delta", "cancelled"]
REGISTERS: tuple[Register, ...] = ("fitrs", "firds")

#: Files for one answer, as in ESMA's examples.
PAGE_ROWS = 100
#: A register has some 30,000 files in all.
FILES_MAX = 50_000

MD5_FORM = re.compile(r"[0-9a-f]{32}")
DAY_FORM = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(T[0-9:.]+Z)?")
PARTS = r"_(?P<part>[0-9]{1,4})of(?P<parts>[0-9]{1,4})\.zip"
#: FULECR_20171104_E_1of1.zip, DLTECR_20171106_01of01.zip: ESMA65-8-5240 section 3.3.1.
FITRS_NAME = re.compile(r"(?P<kind>FULECR|DLTECR)_(?P<day>[0-9]{8})(_(?P<cfi>[A-Z]))?" + PARTS)
#: FULINS_D_20170625_02of02.zip, DLTINS_20170625_01of01.zip, FULCAN: ESMA65-8-5014 section 6.
FIRDS_NAME = re.compile(
    r"(?P<kind>FULINS|DLTINS|FULCAN)(_(?P<cfi>[A-Z]))?_(?P<day>[0-9]{8})" + PARTS
)
KINDS: dict[str, tuple[Register, Kind]] = {
    "FULECR": ("fitrs", "full"),
    "DLTECR": ("fitrs", "delta"),
    "FULINS": ("firds", "full"),
    "DLTINS": ("firds", "delta"),
    "FULCAN": ("firds", "cancelled"),
}


class Source(NamedTuple):
    """Where the index of a register is. `sure` is False where no official text was read."""

    jurisdiction: str
    register: Register
    base_url: str
    path: str
    interface: Literal["solr", "elastic"]
    day_field: str
    hosts: tuple[str, ...]  # from which files may come, besides that of the index
    citation: str
    sure: bool


SOURCES = (
    Source("EU", "fitrs", "https://registers.esma.europa.eu/solr",
           "esma_registers_fitrs_files/select", "solr", "creation_date",
           ("fitrs.esma.europa.eu",), "ESMA65-8-5240 section 3.5", True),
    # The instructions show the query and not its address, which follows that of FITRS.
    Source("EU", "firds", "https://registers.esma.europa.eu/solr",
           "esma_registers_firds_files/select", "solr", "publication_date",
           ("firds.esma.europa.eu",), "ESMA65-8-5014 section 7.2", False),
    # From third parties' use of it; not read in the FCA's text, not tried.
    Source("UK", "fitrs", "https://api.data.fca.org.uk", "fca_data_fitrs_files", "elastic",
           "publication_date", ("data.fca.org.uk",), "FCA FITRS technical specification", False),
    Source("UK", "firds", "https://api.data.fca.org.uk", "fca_data_firds_files", "elastic",
           "publication_date", ("data.fca.org.uk",), "FCA FIRDS technical specification", False),
)  # fmt: skip


class FileName(NamedTuple):
    """What the name of a register file says; `cfi` is the first letter, "" in a delta file."""

    register: Register
    kind: Kind
    prefix: str
    day: date
    cfi: str
    part: int
    parts: int


class RegisterFile(NamedTuple):
    """One file of an index. `checksum` is its MD5, "" where the index has none; `indexed_at` is
    when the index says it changed, text that sorts by time, or ""."""

    name: str
    url: str
    published: date
    checksum: str
    indexed_at: str
    named: FileName


class Page(NamedTuple):
    """One answer: how many files there are in all, how many this has, and those that are ours."""

    found: int
    rows: int
    files: list[RegisterFile]


def host_of(url: str) -> str:
    """The host of an http or https address; "" of anything else."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
    except ValueError:  # such as a [ that is not closed
        return ""


def source_of(register: str, jurisdiction: str = "EU") -> Source:
    """LookupError where there is none."""
    for source in SOURCES:
        if source.register == register and source.jurisdiction == jurisdiction:
            return source
    raise LookupError(f"no register {register} of {jurisdiction}: fitrs or firds, of EU or UK")


def query_url(source: Source, base_url: str, first: date, last: date, start: int) -> str:
    """The address that lists the files of these days, both included, from the `start`th on."""
    index = f"{base_url.rstrip('/')}/{source.path}"
    if source.interface == "solr":
        days = f"{source.day_field}:[{first}T00:00:00Z TO {last}T23:59:59Z]"
        return f"{index}?q=*&fq={quote(days)}&wt=xml&start={start}&rows={PAGE_ROWS}"
    days = f"{source.day_field}:[{first} TO {last}]"
    return f"{index}?q={quote(days)}&from={start}&size={PAGE_ROWS}"


def parse_page(source: Source, data: bytes, url: str) -> Page:
    """An answer to `query_url`; raises `rows.Refused`, which names the address and the field."""
    documents = _solr if source.interface == "solr" else _elastic
    found, fields = documents(data, url)
    files = []
    for position, field in enumerate(fields, 1):
        file = _file(source, field, url, position)
        if file is not None:
            files.append(file)
    return Page(found, len(fields), files)


def parse_file_name(name: str) -> FileName | None:
    """None for files of other kinds: non-equity results, invalid records, sub-classes."""
    match = FITRS_NAME.fullmatch(name) or FIRDS_NAME.fullmatch(name)
    if match is None:
        return None
    register, kind = KINDS[match["kind"]]
    part, parts = int(match["part"]), int(match["parts"])
    try:
        day = date(int(match["day"][:4]), int(match["day"][4:6]), int(match["day"][6:]))
    except ValueError:
        return None
    if not 1 <= part <= parts or (kind == "full") != (match["cfi"] is not None):
        return None
    return FileName(register, kind, match["kind"], day, match["cfi"] or "", part, parts)


def choose(files: Iterable[RegisterFile], kind: str = "all", cfi: str = "") -> list[RegisterFile]:
    """Files of a kind (`full`, `delta`, `all`), full ones of the CFI letters (blank: of all), in
    order of day and name.

    Delta and cancellation files have no letter and stay. Of a name that is there twice the one
    indexed last counts, since a file can be published again under its name.
    """
    latest: dict[str, RegisterFile] = {}
    for file in files:
        wanted = kind == "all" or file.named.kind == kind
        if not wanted or (cfi and file.named.cfi and file.named.cfi not in cfi):
            continue
        other = latest.get(file.name)
        if other is None or (other.indexed_at, other.published) < (file.indexed_at, file.published):
            latest[file.name] = file
    return sorted(latest.values(), key=lambda file: (file.named.day, file.name))


def missing_parts(files: Iterable[RegisterFile]) -> list[str]:
    """Each set of "1of2, 2of2" that is not whole, in words; half a set is half the thresholds."""
    parts_by_set: dict[tuple[str, date, str, int], set[int]] = defaultdict(set)
    for file in files:
        named = file.named
        parts_by_set[named.prefix, named.day, named.cfi, named.parts].add(named.part)
    return [
        f"{prefix} {cfi + ' ' if cfi else ''}of {day}: part {part} of {parts} is missing"
        for (prefix, day, cfi, parts), present in sorted(parts_by_set.items())
        for part in range(1, parts + 1)
        if part not in present
    ]


def _file(source: Source, field: dict[str, str], url: str, position: int) -> RegisterFile | None:
    """None where the file is of a kind that is not read."""
    link = field.get("download_link", "")
    name = field.get("file_name", "") or link.rsplit("/", 1)[-1]
    named = parse_file_name(name)
    if named is None or named.register != source.register:
        return None

    def refuse(column: str, advice: str) -> Refused:
        return _refused(url, position, column, field.get(column, ""), advice)

    if not host_of(link):
        raise refuse("download_link", f"the index gives no address for {name}")
    checksum = field.get("checksum", "").lower()
    if checksum and MD5_FORM.fullmatch(checksum) is None:
        raise refuse("checksum", f"32 hexadecimal digits are expected for {name}")
    day_column = source.day_field
    if not field.get(day_column):
        day_column = "publication_date" if field.get("publication_date") else "creation_date"
    published = _day(field.get(day_column, ""))
    if published is None:
        raise refuse(day_column, f"a day such as 2026-08-29T00:00:00Z is expected for {name}")
    return RegisterFile(name, link, published, checksum, field.get("timestamp", ""), named)


def _day(text: str) -> date | None:
    match = DAY_FORM.fullmatch(text)
    try:
        return None if match is None else date.fromisoformat(match[1])
    except ValueError:
        return None


def _solr(data: bytes, url: str) -> tuple[int, list[dict[str, str]]]:
    """/response/result[@numFound]/doc/*[@name]."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise _refused(url, 0, "", "<!DOCTYPE", "an index is XML without a document type")
    try:
        # UTF-8 alone: in another encoding a document type would pass the line above.
        root = ElementTree.fromstring(data.decode("utf-8"))
    except (ElementTree.ParseError, UnicodeDecodeError) as error:
        shown = data[:80].decode("latin-1")
        raise _refused(url, 0, "", shown, f"an index in XML is expected: {error}") from None
    result = root.find("result")
    found = "" if result is None else result.get("numFound", "")
    if root.tag != "response" or result is None or not _is_count(found):
        raise _refused(url, 0, "numFound", found, "/response/result with its numFound is expected")
    documents = [
        {entry.get("name", ""): (entry.text or "").strip() for entry in document}
        for document in result.iterfind("doc")
    ]
    return int(found), documents


def _elastic(data: bytes, url: str) -> tuple[int, list[dict[str, str]]]:
    """hits.total (a number, or an object with `value`) and hits.hits[]._source."""
    try:
        tree: Any = json.loads(data)
        hits = tree["hits"]
        total = hits["total"]
        found = str(total["value"] if isinstance(total, dict) else total)
        sources = [hit["_source"] for hit in hits["hits"]]
        documents = [
            {str(key): "" if value is None else str(value).strip() for key, value in source.items()}
            for source in sources
        ]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        shown = data[:80].decode("latin-1")
        raise _refused(url, 0, "", shown, "an index in JSON with hits is expected") from None
    if not _is_count(found):
        raise _refused(url, 0, "hits.total", found, "a number of files is expected")
    return int(found), documents


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _refused(url: str, position: int, column: str, value: str, advice: str) -> Refused:
    return Refused([Problem(url, position, column, value[:80], advice)])
