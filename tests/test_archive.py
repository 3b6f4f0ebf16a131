"""Packed files: plain, gzip and zip are the same bytes; bombs, tricks and damage are refused."""

import hashlib
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refdata.archive import Limits, open_xml, sha256
from refdata.rows import Refused
from tests.fitrs_files import write

pytestmark = pytest.mark.pure

TEXT = b"<a>" + bytes(range(32, 60)) * 500 + b"</a>"
TINY = Limits(bytes_max=100_000, ratio_max=20, ratio_from_bytes=10_000)


def read_all(path, limits=TINY, step=1000):
    with open_xml(path, limits) as stream:
        chunks = []
        while chunk := stream.read(step):
            chunks.append(chunk)
    return b"".join(chunks)


def refusal(path, limits=TINY):
    with pytest.raises(Refused) as caught:
        read_all(path, limits)
    (problem,) = caught.value.problems
    assert problem.path == str(path)
    return f"{problem.value} {problem.advice}"


@pytest.mark.parametrize("suffix", [".xml", ".xml.gz", ".zip"])
@pytest.mark.parametrize("step", [1, 1000, -1])
def test_each_packing_gives_the_same_bytes(tmp_path, suffix, step):
    text = TEXT if step != 1 else TEXT[:500]
    limits = TINY._replace(ratio_max=1000)
    assert read_all(write(tmp_path, "FULECR" + suffix, text), limits, step) == text


def test_what_a_file_is_goes_by_its_bytes_and_not_by_its_name(tmp_path):
    packed = write(tmp_path, "a.zip", TEXT).rename(tmp_path / "b.xml")
    assert read_all(packed, TINY._replace(ratio_max=1000)) == TEXT


def test_one_read_is_never_the_whole_file(tmp_path):
    path = write(tmp_path, "a.xml", b"x" * (3 << 20))
    with open_xml(path) as stream:
        assert len(stream.read(-1)) == 1 << 20
        assert len(stream.read(1 << 30)) == 1 << 20


@given(data=st.binary(min_size=1, max_size=300))
def test_whatever_lies_in_a_file_is_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "any"
    for prefix in (b"", b"PK\x03\x04", b"\x1f\x8b\x08"):
        path.write_bytes(prefix + data)
        try:
            read = read_all(path)
        except Refused:
            continue
        assert read == prefix + data or prefix == b"\x1f\x8b\x08"


@pytest.mark.parametrize("suffix", [".xml.gz", ".zip"])
def test_cut_off_anywhere_is_refused(tmp_path, suffix):
    whole = write(tmp_path, "whole" + suffix, TEXT).read_bytes()
    cut = tmp_path / "cut"
    for length in [*range(2, 60), *range(60, len(whole), 7), len(whole) - 1]:
        cut.write_bytes(whole[:length])
        with pytest.raises(Refused):
            read_all(cut, TINY._replace(ratio_max=1000))


@pytest.mark.parametrize("suffix", [".xml.gz", ".zip"])
def test_a_changed_byte_is_refused_or_changes_nothing_that_is_read(tmp_path, suffix):
    """Names, dates and comments of an archive may differ; the XML in it may not."""
    whole = write(tmp_path, "whole" + suffix, TEXT[:300]).read_bytes()
    changed = tmp_path / "changed"
    for place in range(2, len(whole)):
        for bit in (0x01, 0x80):
            data = bytearray(whole)
            data[place] ^= bit
            changed.write_bytes(data)
            try:
                read = read_all(changed)
            except Refused:
                continue
            assert read == TEXT[:300]


def test_a_flipped_bit_in_the_content_is_refused(tmp_path):
    for name in ("a.zip", "a.xml.gz"):
        path = write(tmp_path, name, TEXT)
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 1
        path.write_bytes(data)
        assert "damaged" in refusal(path, TINY._replace(ratio_max=1000))


def test_a_bomb_is_refused_by_its_header(tmp_path):
    path = write(tmp_path, "bomb.zip", b"0" * 99_000)
    assert "more than 20 times" in refusal(path)
    path = write(tmp_path, "large.zip", b"0" * 100_001)
    assert "more than 100000 bytes" in refusal(path)


def test_a_bomb_whose_header_lies_is_refused_while_reading(tmp_path):
    path = write(tmp_path, "bomb.zip", b"0" * 99_000)
    data = path.read_bytes()
    size = (99_000).to_bytes(4, "little")
    assert data.count(size) == 2  # in the local header and in the directory
    path.write_bytes(data.replace(size, (500).to_bytes(4, "little")))
    assert "damaged" in refusal(path)
    for name, count, said in (("b", 99_000, "20 times"), ("c", 2_000_000, "100000 bytes")):
        path = write(tmp_path, name + ".gz", b"0" * count)
        limits = TINY._replace(ratio_max=20 if name == "b" else 10**6)
        assert said in refusal(path, limits)


def test_the_limits_themselves_are_allowed(tmp_path):
    assert read_all(write(tmp_path, "a.xml", b"0" * 100_000)) == b"0" * 100_000
    with pytest.raises(Refused):
        read_all(write(tmp_path, "b.xml", b"0" * 100_001))
    small = write(tmp_path, "c.zip", b"0" * 10_000)
    assert len(read_all(small)) == 10_000


def zip_of(path, *members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in members:
            archive.writestr(name, b"<a/>")
    return path


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ((), "exactly one XML into a zip, not 0"),
        (("a.xml", "b.xml"), "exactly one XML into a zip, not 2"),
        (("a.xml", "readme.txt"), "exactly one XML into a zip, not 2"),
        (("a.xml", "a.xml"), "exactly one XML into a zip, not 2"),
        (("../a.xml",), "leads out"),
        (("b/../../a.xml",), "leads out"),
        (("/etc/a.xml",), "leads out"),
        (("C:/a.xml",), "leads out"),
        (("a.zip",), "not an .xml"),
        (("a.xml.exe",), "not an .xml"),
    ],
)
def test_a_zip_has_one_xml_under_an_honest_name(tmp_path, members, said):
    if len(set(members)) < len(members):
        with pytest.warns(UserWarning, match="Duplicate"):
            path = zip_of(tmp_path / "a.zip", *members)
    else:
        path = zip_of(tmp_path / "a.zip", *members)
    assert said in refusal(path)


def test_a_backslash_is_a_path_too(tmp_path):
    path = zip_of(tmp_path / "a.zip", "aQa.xml")
    path.write_bytes(path.read_bytes().replace(b"aQa.xml", b"a\\a.xml"))
    assert "leads out" in refusal(path)


def test_a_folder_in_the_zip_does_no_harm(tmp_path):
    assert read_all(zip_of(tmp_path / "a.zip", "x/", "x/FULECR.XML")) == b"<a/>"


def test_an_encrypted_zip_is_refused(tmp_path):
    path = zip_of(tmp_path / "a.zip", "a.xml")
    data = bytearray(path.read_bytes())
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + place] |= 1
    path.write_bytes(data)
    assert "encrypted" in refusal(path)


def test_an_unusual_method_is_refused(tmp_path):
    path = zip_of(tmp_path / "a.zip", "a.xml", method=zipfile.ZIP_BZIP2)
    assert "method 12 pack it with deflate" in refusal(path)


def test_nothing_and_no_file_are_refused(tmp_path):
    (tmp_path / "empty.xml").write_bytes(b"")
    assert "empty" in refusal(tmp_path / "empty.xml")
    assert "cannot be read" in refusal(tmp_path / "absent.xml")
    assert "cannot be read" in refusal(tmp_path)
    for path in (tmp_path, tmp_path / "absent.xml"):
        with pytest.raises(Refused, match="cannot be read"):
            sha256(path)


def test_the_hash_is_of_the_file_as_it_lies_there(tmp_path):
    path = write(tmp_path, "a.zip", TEXT)
    assert sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sha256(write(tmp_path, "a.xml", b"")) == hashlib.sha256().hexdigest()
