import dataclasses

import numpy as np
import pytest

from striate.data import Sample, SampleSet, verify
from striate.data.samples import PictureFiles, Rows
from striate.foundation.checks import UserError


@pytest.fixture
def files(tmp_path, make_picture):
    paths = [make_picture(tmp_path / f"{number}.png", number) for number in range(6)]
    samples = [Sample(path.name, number % 2, str(path)) for number, path in enumerate(paths)]
    return SampleSet(samples, ("even", "odd"), PictureFiles("RGB"), "six files", [("x.txt", "not a picture")])


def rows(array, **changes):
    samples = [Sample(f"row-{number}", number % 2) for number in range(len(array))]
    samples[0] = dataclasses.replace(samples[0], **changes)
    return SampleSet(samples, ("even", "odd"), Rows({"row": array}), "rows")


def test_a_sequence_of_samples(files):
    assert len(files) == 6
    assert files[1].id == "1.png"
    assert files[-1] == list(files)[5]
    assert [sample.id for sample in files[1:3]] == ["1.png", "2.png"]
    assert [sample.id for sample in files.subset([4, 0])] == ["4.png", "0.png"]
    assert files.counts() == {"even": 3, "odd": 3}
    assert repr(files) == "<SampleSet of 6 samples, 2 classes: six files>"


def test_a_subset_keeps_everything_else(files):
    part = files.subset([0])
    assert (part.classes, part.origin, part.quarantined) == (files.classes, files.origin, files.quarantined)
    part.quarantined.append(("y", "z"))
    assert len(files.quarantined) == 1


def test_loading(files):
    assert files.load(files[3]).shape == (4, 6, 3)
    array = np.arange(2 * 3 * 4, dtype="uint8").reshape(2, 3, 4)
    picture = rows(array).load(rows(array)[1])
    assert picture.shape == (3, 4, 1)
    assert np.array_equal(picture[..., 0], array[1])
    picture[:] = 0
    assert array[1].any()
    assert rows(np.zeros((2, 3, 4, 3))).load(Sample("row-1", 0)).shape == (3, 4, 3)


def test_pictures_are_turned_upright(tmp_path, make_picture):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    path = make_picture(tmp_path / "a.png")
    Image.open(path).save(path, exif=exif)
    assert PictureFiles().load(Sample("a.png", 0, str(path))).shape == (6, 4, 3)


def test_the_digest_sees_every_change(files, tmp_path):
    array = np.zeros((4, 2, 2), "uint8")
    digests = {rows(array).digest()}
    assert digests == {rows(array.copy()).digest()}
    changed = array.copy()
    changed[3, 1, 1] = 1
    digests.add(rows(changed).digest())
    digests |= {
        rows(array, **{name: value}).digest() for name, value in (("target", 1), ("group", "g"), ("split", "test"))
    }
    digests.add(rows(array)[::-1].digest())
    assert len(digests) == 6
    before = files.digest()
    assert len(before) == 64
    (tmp_path / "3.png").write_bytes((tmp_path / "3.png").read_bytes() + b"\0")
    assert files.digest() != before


def test_verify_quarantines_what_is_broken(files, tmp_path):
    (tmp_path / "1.png").write_bytes(b"")
    (tmp_path / "2.png").unlink()
    seen = []
    sound = verify(files, lambda done, total: seen.append((done, total)))
    assert [sample.id for sample in sound] == ["0.png", "3.png", "4.png", "5.png"]
    assert seen == [(number, 6) for number in range(1, 7)]
    assert [reason for _, reason in sound.quarantined] == [
        "not a picture",
        "an empty file (0 bytes); needs a picture",
        "no such file; needs a picture",
    ]
    assert sound.quarantined[1][0] == str(tmp_path / "1.png")
    assert len(files) == 6
    assert len(files.quarantined) == 1


def test_verify_finds_nan_in_arrays():
    array = np.zeros((4, 2, 2), "float32")
    array[2, 0, 1] = np.nan
    assert verify(rows(array)).quarantined == [("row-2", "NaN or infinity")]


def test_verify_refuses_to_empty_a_class(files, tmp_path):
    for number in (1, 3, 5):
        (tmp_path / f"{number}.png").write_bytes(b"no picture")
    text = (
        r"verify got no readable sample of odd \(for example .*1.png: a file that is no picture.*\); it needs at least"
    )
    with pytest.raises(UserError, match=text):
        verify(files)


def test_broken_files_are_named_when_loaded(files, tmp_path):
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"Reading '.*1\.png' got a file that is no picture"):
        files.load(files[1])
    (tmp_path / "2.png").unlink()
    with pytest.raises(
        UserError, match=r"Reading '.*2\.png' got No such file or directory; it needs a file it may read"
    ):
        files.digest()


def test_two_samples_with_one_id():
    with pytest.raises(UserError, match=r"SampleSet got two samples with one id; it needs ids that differ"):
        SampleSet([Sample("a", 0), Sample("a", 1)], ("x", "y"), Rows({}), "")
