"""Lists of pictures, in the forms in which people have them, and what is refused by the number of its line."""

import numpy as np
import pytest
from PIL import Image

from striate.data.readers import read_classification
from striate.foundation.checks import UserError
from striate.tasks import find_task


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(4):
        Image.new("RGB", (8, 6), (60 * number, 0, 0)).save(tmp_path / "photos" / f"{number}.png")
    return tmp_path


def write(folder, text, name="list.csv", encoding="utf-8"):
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


GOOD = "path,label,group,split\nphotos/0.png,owl,p1,train\nphotos/1.png,cat,p1,train\nphotos/2.png,owl,,test\n"


def test_every_column(folder):
    samples = read_classification(write(folder, GOOD))
    assert samples.classes == ("cat", "owl")
    assert [(one.id, one.target, one.group, one.split) for one in samples] == [
        ("photos/0.png", 1, "p1", "train"),
        ("photos/1.png", 0, "p1", "train"),
        ("photos/2.png", 1, None, "test"),
    ]
    assert samples.load(samples[1])[0, 0].tolist() == [60, 0, 0]
    assert samples.origin == "a list of pictures with 2 labels"
    assert find_task(folder / "list.csv").name == "classification"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    "head", ["File{0}Class", "filename{0}label", "\ufeffimage{0}TARGET", "n{0}path{0}label{0}more"]
)
def test_other_forms(folder, delimiter, head):
    first = f"1{delimiter}" if head.startswith("n") else ""
    lines = [head.format(delimiter), *(f"{first}photos/{n}.png{delimiter}{'ab'[n % 2]}" for n in range(4)), ""]
    samples = read_classification(write(folder, "\r\n".join(lines), "list.tsv"))
    assert [one.target for one in samples] == [0, 1, 0, 1]
    assert all(one.group is one.split is None for one in samples)


def test_names_with_commas_quotes_and_letters_of_all_kinds(folder):
    name = 'photos/ä, "so" 猫.png'
    Image.new("L", (8, 6)).save(folder / name)
    quoted = name.replace('"', '""')
    samples = read_classification(write(folder, f'path,label\n"{quoted}","a, b"\nphotos/0.png,c\n'))
    assert (samples[0].id, samples.classes) == (name, ("a, b", "c"))


REFUSED = {
    "": "no pictures; it needs a head and a line for each picture",
    "path,label\n": "no pictures",
    "path,colour\nphotos/0.png,red\n": "the columns path, colour; it needs one that is called label, or class, target",
    "label\nred\n": "it needs one that is called path, or file",
    "path,label\nphotos/0.png,a\nphotos/1.png,\n": "line 3 got no label",
    "path,label\n,a\nphotos/1.png,b\n": "line 2 got no path",
    "path,label\nphotos/0.png,a\nphotos/1.png,a\n": "only the label 'a'; it needs at least two labels",
    "path,label\nphotos/0.png,a\nphotos/9.png,b\n": "line 3 got no file 'photos/9.png'; it needs a file that is there",
    "path,label\nphotos/0.png,a\n../x.png,b\n": "line 3 got '../x.png', outside the folder of the list",
    "path,label\n/etc/passwd,a\nphotos/0.png,b\n": "line 2 got '/etc/passwd', outside the folder of the list",
    "path,label\nphotos/0.png,a\n./photos/0.png,b\n": "line 3 got './photos/0.png', which stands in line 2 already",
    "path,label,split\nphotos/0.png,a,learn\nphotos/1.png,b,test\n": "line 2 got the split 'learn'; it needs one of",
    "path,label\nphotos/0.png,a|b\nphotos/1.png,b\n": r"line 2 got several labels \(a\|b\); it needs one label",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused(folder, text):
    with pytest.raises(UserError, match=REFUSED[text]):
        read_classification(write(folder, text))


def test_other_encodings_are_refused(folder):
    Image.new("L", (8, 6)).save(folder / "ä.png")
    with pytest.raises(UserError, match="bytes that are no UTF-8"):
        read_classification(write(folder, "path,label\nä.png,a\nphotos/0.png,b\n", encoding="latin-1"))


def test_links_that_lead_outside_are_refused(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(outside)
    (folder / "link.png").symlink_to(outside)
    with pytest.raises(UserError, match=r"line 3 got 'link\.png', outside the folder of the list"):
        read_classification(write(folder, "path,label\nphotos/0.png,a\nlink.png,b\n"))
