"""Zips of pictures: unpacked where they should be, and a corpus of bad ones, each refused with what is wrong with it."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnet_core.data import pictures, uploads
from resnet_core.errors import DataError


def png(shade: int = 7) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((9, 9, 3), shade, np.uint8)).save(out, "PNG")
    return out.getvalue()


def zipped(entries: dict[str, bytes] | list[tuple[str | zipfile.ZipInfo, bytes]], compression=zipfile.ZIP_DEFLATED) -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in entries.items() if isinstance(entries, dict) else entries:
            archive.writestr(name, content)
    out.seek(0)
    return out


GOOD = {f"{name}/{i}.png": png(10 * i) for name in ("cat", "dog") for i in range(3)}


@pytest.fixture
def into(tmp_path) -> Path:
    (tmp_path / "outer" / "into").mkdir(parents=True)
    return tmp_path / "outer" / "into"


@pytest.mark.parametrize("around", ["", "pets/", "one/two/"])
def test_pictures_land_in_their_classes_without_what_is_around_them(into, around):
    content = {around + name: value for name, value in GOOD.items()}
    extra = {f"__MACOSX/{around}cat/._0.png": b"x", f"{around}.DS_Store": b"x", f"{around}cat/Thumbs.db": b"x", f"{around}cat/": b""}
    assert uploads.unpack(zipped(content | extra), into) == 6
    assert sorted(str(path.relative_to(into)) for path in into.rglob("*.*")) == sorted(GOOD)
    assert (into / "cat" / "1.png").read_bytes() == GOOD["cat/1.png"]
    assert pictures.look(into, 32).class_names == ("cat", "dog")


def test_folders_for_training_and_testing_are_kept(into):
    content = {f"data/{split}/{name}": value for split in ("train", "val") for name, value in GOOD.items()}
    uploads.unpack(zipped(content), into)
    assert pictures.look(into, 32).test == (3, 3)


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def encrypted() -> io.BytesIO:
    content = bytearray(zipped(GOOD).getvalue())
    for place in [i for i in range(len(content)) if content[i : i + 4] in (b"PK\1\2", b"PK\3\4")]:
        content[place + (8 if content[place : place + 4] == b"PK\1\2" else 6)] |= 1
    return io.BytesIO(bytes(content))


def lying() -> io.BytesIO:
    """The table of contents announces fewer bytes than there are."""
    content = bytearray(zipped({"a/1.png": png(), "b/1.png": png()}, zipfile.ZIP_STORED).getvalue())
    place = content.index(b"PK\1\2")
    size = int.from_bytes(content[place + 24 : place + 28], "little")
    content[place + 24 : place + 28] = (size - 20).to_bytes(4, "little")
    return io.BytesIO(bytes(content))


def flipped() -> io.BytesIO:
    content = bytearray(zipped({"a/1.png": png(), "b/1.png": png()}, zipfile.ZIP_STORED).getvalue())
    content[60] ^= 255
    return io.BytesIO(bytes(content))


def two_names() -> io.BytesIO:
    content = zipped({"a/x1.png/../../../y.png": png(), "b/1.png": png()}).getvalue()
    return io.BytesIO(content)


BAD = {
    "no archive": (lambda: io.BytesIO(b"PK\3\4 and nothing more"), "no zip archive"),
    "empty": (lambda: io.BytesIO(b""), "no zip archive"),
    "nothing in it": (lambda: zipped({}), "no picture in the zip archive"),
    "truncated": (lambda: io.BytesIO(zipped(GOOD).getvalue()[:-30]), "no zip archive"),
    "up": (lambda: zipped(GOOD | {"cat/../../evil.png": png()}), r"evil.png: its path leads out"),
    "up at once": (lambda: zipped(GOOD | {"../evil.png": png()}), "its path leads out"),
    "absolute": (lambda: zipped(GOOD | {"/tmp/evil.png": png()}), "its path leads out"),
    "windows": (lambda: zipped(GOOD | {"cat\\..\\..\\evil.png": png()}), "its path leads out"),
    "drive": (lambda: zipped(GOOD | {"C:/evil/1.png": png()}), "its path leads out"),
    "zero byte": (lambda: io.BytesIO(zipped(GOOD | {"cat/1.png~.exe.png": png()}).getvalue().replace(b"~", b"\0")), "its path leads out"),
    "in disguise": (two_names, "its path leads out"),
    "link": (lambda: zipped([*GOOD.items(), (link("cat/link.png"), b"/etc/passwd")]), "it is a link"),
    "encrypted": (encrypted, "it is encrypted"),
    "program": (lambda: zipped(GOOD | {"cat/run.sh": b"#!/bin/sh"}), "run.sh: its name is not that"),
    "zip in zip": (lambda: zipped(GOOD | {"cat/more.zip": zipped(GOOD).getvalue()}), "its name is not that"),
    "text called png": (lambda: zipped(GOOD | {"cat/text.png": b"hello"}), "text.png: it is a text, and no PNG"),
    "noise called png": (lambda: zipped(GOOD | {"cat/noise.png": bytes(range(128, 256))}), "noise.png: it is no picture"),
    "pdf called png": (lambda: zipped(GOOD | {"cat/paper.png": b"%PDF-1.7 and so on"}), "paper.png: it is .*PDF"),
    "bomb": (lambda: zipped(GOOD | {"cat/bomb.png": png() + bytes(20_000_000)}), "times its size, as no picture does"),
    "too large": (lambda: zipped(GOOD | {"cat/big.png": bytes((32 << 20) + 1)}), "33,554,433 bytes; at most"),
    "lies about a size": (lying, "another size|no zip archive|cannot be unpacked"),
    "flipped": (flipped, "no zip archive, or a damaged one"),
    "twice": (lambda: zipped([("cat/1.png", png()), ("CAT/1.PNG", png()), ("dog/1.png", png())]), "in the archive twice"),
    "deep": (lambda: zipped(GOOD | {"/".join("abcdefg") + "/1.png": png()}), "folders deep"),
    "long": (lambda: zipped(GOOD | {"cat/" + "x" * 220 + ".png": png()}), "a name that is too long"),
    "loose": (lambda: zipped(GOOD | {"1.png": png()}), "1.png: it lies in no folder of a class"),
    "unknown method": (lambda: _method(99), "cannot be unpacked|no zip archive"),
}


def _method(number: int) -> io.BytesIO:
    content = bytearray(zipped(GOOD).getvalue())
    for place in [i for i in range(len(content)) if content[i : i + 4] in (b"PK\1\2", b"PK\3\4")]:
        at = place + (10 if content[place : place + 4] == b"PK\1\2" else 8)
        content[at : at + 2] = number.to_bytes(2, "little")
    return io.BytesIO(bytes(content))


@pytest.mark.parametrize("case", BAD)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_bad_archives_are_refused_with_what_is_wrong(into, case):
    made, complaint = BAD[case]
    with pytest.raises(DataError, match=complaint):
        uploads.unpack(made(), into)
    assert [path for path in into.parent.rglob("*") if "evil" in path.name] == []
    assert list(into.parent.iterdir()) == [into]


def test_too_many_entries_and_too_many_bytes_are_refused_before_anything_is_written(into, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_ENTRIES", 5)
    with pytest.raises(DataError, match="6 entries; at most 5"):
        uploads.unpack(zipped(GOOD), into)
    monkeypatch.undo()
    monkeypatch.setattr(uploads, "MOST_BYTES", 100)
    with pytest.raises(DataError, match="GB are read"):
        uploads.unpack(zipped(GOOD), into)
    assert list(into.iterdir()) == []


def test_every_flipped_byte_of_a_small_archive_ends_in_a_message_or_in_pictures(tmp_path):
    content = zipped({"a/1.png": png(), "b/1.png": png()}).getvalue()
    for i in range(len(content)):
        broken = bytearray(content)
        broken[i] ^= 0x55
        into = tmp_path / str(i)
        into.mkdir()
        try:
            uploads.unpack(io.BytesIO(bytes(broken)), into)
        except DataError:
            continue
        assert all(path.is_dir() or zlib.crc32(path.read_bytes()) == zlib.crc32(png()) for path in into.rglob("*"))
