"""Zip files that were made to do harm."""

import json
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from model_files import pack

from striate.foundation.checks import UserError
from striate.models.archive import SMALL, Archive

LIMIT = 2**20
OPEN_FILES = Path("/proc/self/fd")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.keras"


def refused(path, text, read="config.json"):
    before = set(path.parent.rglob("*"))
    with pytest.raises(UserError, match=text) as caught, Archive(path) as archive:
        archive.read_json(read, LIMIT)
    assert str(caught.value).startswith(f"Model file {str(path)!r} got ")
    assert set(path.parent.rglob("*")) == before  # nothing was unpacked


def test_what_is_there_is_read(path):
    pack(path, {"config.json": b'{"a": 1}', "more/inside.txt": b"text"})
    with Archive(path) as archive:
        assert archive.read_json("config.json", LIMIT) == {"a": 1}
        assert archive.read("more/inside.txt", LIMIT) == b"text"
        assert archive.open("config.json", LIMIT).read() == b'{"a": 1}'


@pytest.mark.parametrize("data", [b"", b"text", b"PK\x03\x04", b"PK\x05\x06" + b"\xff" * 18, b"\x80\x04K\x01."])
def test_no_zip(path, data):
    path.write_bytes(data)
    refused(
        path,
        r"got no whole zip archive \(.*\); it needs a whole \.keras file\. Save or fetch the file again; nothing was",
    )


def test_no_file(path):
    with pytest.raises(
        UserError, match=r"^Model file '.*' got no such file; it needs a \.keras file\. Check the path\.$"
    ):
        Archive(path)
    with pytest.raises(UserError, match="got no such file"):
        Archive(path.parent)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_truncated(path, share):
    pack(path, {"config.json": json.dumps({"a": [1] * 1000}).encode(), "other": b"x" * 1000})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    refused(path, "got no whole zip archive")


def test_missing_entry(path):
    pack(path, {"other": b""})
    refused(path, r"got no 'config\.json' in it; it needs a whole \.keras file")


NAMES = ["../config.json", "a/../../b", "/etc/passwd", "C:/windows", "..\\b", "a\\b", "a/..", "//host/share", "a:b"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_lead_out_of_it(path, name):
    pack(path, {"config.json": b"{}", name: b"x"})
    refused(path, r"got an entry '.*', a path that leads out of it; it needs entries as Keras and striate write them")


def test_a_name_with_a_zero_byte(path):
    pack(path, {"config.json": b"{}", "config.jsonX..": b"x"})
    path.write_bytes(path.read_bytes().replace(b"config.jsonX..", b"config.json\0.."))
    refused(path, r"got (an entry .* a path that leads out of it|2 entries called 'config\.json'|no whole zip)")


def test_symbolic_links(path):
    link = zipfile.ZipInfo("config.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(path, r"got an entry 'config\.json', a symbolic link")


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_the_same_name_twice(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("config.json", '{"a": 1}')
    refused(path, r"got 2 entries called 'config\.json'")


def test_too_many_entries(path):
    pack(path, {f"{index}": b"" for index in range(10_001)})
    refused(path, r"got 10,001 entries; it needs at most 10,000")


def test_encrypted(path):
    pack(path, {"config.json": b"{}"})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    refused(path, r"got an encrypted entry 'config\.json'")


def test_a_compression_nobody_knows(path):
    pack(path, {"config.json": b"{}"})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        struct.pack_into("<H", data, data.index(signature) + offset, 97)
    path.write_bytes(data)
    refused(path, r"got a damaged 'config\.json' \(.*compression")


def test_larger_than_allowed(path):
    pack(path, {"config.json": b" " * (LIMIT + 1)})
    refused(
        path, r"got 'config\.json' of 1,048,577 bytes \(1,048,577 in the file\); it needs at most 1,048,576 bytes there"
    )


def test_a_bomb_is_not_opened(path, monkeypatch):
    pack(path, {"weights": bytes(SMALL + 1)}, zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("it was read"))
    with (
        Archive(path) as archive,
        pytest.raises(UserError, match=r"got 'weights' of 16,777,217 bytes \(16,\d{3} in the"),
    ):
        archive.read("weights", 2**40)


def test_a_bomb_that_declares_less_than_it_holds(path):
    pack(path, {"config.json": b'{"a": "' + b"a" * 100_000 + b'"}'}, zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(signature) + offset, 10)
    path.write_bytes(data)
    refused(path, r"got a damaged 'config\.json' \(Bad CRC-32")


def test_changed_bytes_fail_their_checksum(path):
    pack(path, {"config.json": b'{"units": 4}'})
    path.write_bytes(path.read_bytes().replace(b'"units": 4', b'"units": 9', 1))
    refused(path, r"got a damaged 'config\.json' \(Bad CRC-32")


JSON = {
    "no JSON": (b"{", r"got 'config\.json' that is no JSON \("),
    "no text": (b"\xff\xfe{}", r"got 'config\.json' that is no JSON \("),
    "a list": (b"[]", r"got 'config\.json' with list as its JSON; it needs a JSON object"),
    "a number": (b"3", "with int as its JSON"),
    "NaN": (b'{"a": NaN}', r"that is no JSON \(NaN is not a JSON number\)"),
    "infinity": (b'{"a": -Infinity}', r"that is no JSON \(-Infinity is not a JSON number\)"),
    "a number of 5000 digits": (b'{"a": ' + b"9" * 5000 + b"}", r"that is no JSON \("),
    "deep lists": (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", r"with JSON nested too deep to be read"),
    "deep dicts": (b'{"a": ' * 100_000 + b"1" + b"}" * 100_000, r"with JSON nested too deep to be read"),
}


@pytest.mark.parametrize("case", JSON)
def test_json_that_is_none(path, case):
    data, text = JSON[case]
    pack(path, {"config.json": data})
    refused(path, text)


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="the system does not list open files")
def test_files_are_closed(path):
    before = len(list(OPEN_FILES.iterdir()))
    pack(path, {"config.json": b"{}"})
    with Archive(path):
        pass
    pack(path, {"../x": b"{}"})
    with pytest.raises(UserError):
        Archive(path)
    assert len(list(OPEN_FILES.iterdir())) == before
