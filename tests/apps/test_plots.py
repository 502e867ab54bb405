"""Figures are drawn from one epoch on, from numbers that are none, and for any name, without a warning."""

import re
import threading
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from PIL import Image

from striate.apps import plots
from striate.apps.breakdown import Confusion, ReliabilityPoint, reliability
from striate.apps.run_files import Curves
from striate.foundation.checks import UserError

HEAD = "epoch,seconds,loss,val_loss,accuracy,val_accuracy\n"
TABLES = {
    "one epoch": HEAD + "1,2,0.7,0.6,0.5,0.6\n",
    "many epochs": HEAD + "".join(f"{epoch},2,{1 / epoch},{2 / epoch},0.5,0.6\n" for epoch in range(1, 400)),
    "numbers that are none": HEAD + "1,2,nan,inf,0.5,NA\n2,2,,-inf,0.6,nan\n",
    "nothing but NaN": "epoch,loss\n1,nan\n2,nan\n",
    "a loss alone": "epoch,loss\n1,0.7\n2,0.6\n",
    "no loss": "epoch,dice\n1,0.7\n2,0.6\n",
    "huge and tiny": "epoch,loss\n1,1e300\n2,1e-300\n",
    "names of all kinds": "epoch,loss,$\\frac{a$ 猫 <b>,val_$\\frac{a$ 猫 <b>\n1,1,1,1\n",
}


@pytest.mark.parametrize("kind", TABLES)
def test_progress_is_drawn(tmp_path, kind):
    (tmp_path / "metrics.csv").write_text(TABLES[kind], encoding="utf-8")
    path = plots.draw_progress(tmp_path)
    assert path == tmp_path / "progress.png"
    with Image.open(path) as picture:
        width, height = picture.size
        assert len(np.unique(np.asarray(picture.convert("L")))) > 10
    assert width > height
    assert not list(tmp_path.glob(".progress*"))


@pytest.mark.parametrize("content", [None, "", "epoch,loss\n"])
def test_progress_without_an_epoch_is_refused(tmp_path, content):
    (tmp_path / "run.json").write_text("{}")
    if content is not None:
        (tmp_path / "metrics.csv").write_text(content)
    with pytest.raises(UserError, match=r"got metrics.csv with no finished epoch; it needs a whole metrics.csv"):
        plots.draw_progress(tmp_path)


def curves(**values):
    arrays = {name: np.array(value, dtype=float) for name, value in values.items()}
    return Curves(list(range(1, len(next(iter(arrays.values()))) + 1)), arrays, "val_loss", 2)


def drawn(figure):
    """The lines of a figure's first panel by their label."""
    return {line.get_label(): line for line in figure.axes[0].lines}


def test_curve_shows_the_numbers_and_the_best_epoch():
    lines = drawn(plots.curve_figure(curves(loss=[3, 2, 1], val_loss=[3, 1, np.nan]), "loss"))
    assert list(lines) == ["training", "validation", "best: epoch 2"]
    np.testing.assert_array_equal(lines["training"].get_xydata(), [[1, 3], [2, 2], [3, 1]])
    np.testing.assert_array_equal(lines["validation"].get_ydata(), [3, 1, np.nan])
    assert set(lines["best: epoch 2"].get_xdata()) == {2}
    assert lines["training"].get_linestyle() != lines["validation"].get_linestyle()


def test_curve_that_was_not_measured_is_not_drawn():
    assert list(drawn(plots.curve_figure(curves(f1=[0.1, 0.2, 0.3]), "f1"))) == ["training", "best: epoch 2"]


def test_ticks_are_whole_epochs():
    figure = plots.curve_figure(curves(loss=[2, 1]), "loss")
    figure.draw_without_rendering()
    assert all(float(tick).is_integer() for tick in figure.axes[0].get_xticks())


def confusion(count, name="class {}"):
    names = [name.format(index) for index in range(count)]
    return Confusion(names, names, np.eye(count, dtype=int) * 9 + 1)


@pytest.mark.parametrize("count", [1, 2, 30, 100, 400])
def test_confusion_is_drawn(count):
    figure = plots.confusion_figure(confusion(count))
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), confusion(count).shares)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert ("class 0" in labels) == (count <= 40)
    assert len(plots.svg(figure, "heat map")) < 100_000


def test_reliability_shows_the_points():
    draws = np.random.default_rng(0)
    points = reliability(draws.random(200), draws.random(200) < 0.5)
    figure = plots.reliability_figure(points)
    line = figure.axes[0].lines[1]
    np.testing.assert_allclose(line.get_xydata(), [[point.confidence, point.accuracy] for point in points])
    assert [bar.get_height() for bar in figure.axes[1].patches] == [point.count for point in points]


def test_reliability_of_one_point():
    assert plots.svg(plots.reliability_figure([ReliabilityPoint(1.0, 1.0, 0.2, 1.0, 1)]), "one")


NAMES = [
    "<script>alert(1)</script>",
    "$\\frac{$",
    "猫の写真",
    "caf\udce9",
    "a\x00\x0b\ufffe",
    "x" * 500,
    "]]>&amp;",
    "",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_drawn(name):
    names = [name, "other"]
    picture = plots.svg(plots.confusion_figure(Confusion(names, names, np.eye(2, dtype=int))), f"of {name}")
    root = ElementTree.fromstring(re.sub(r'aria-label="[^"]*"', "", picture))
    texts = [text.text for text in root.iter("text")]
    assert plots.short(name) in texts or not name
    assert "script" not in {element.tag for element in root.iter()}
    assert all(len(text) <= 24 for text in texts if text)


def test_svg_takes_colours_and_font_from_the_page():
    picture = plots.svg(plots.curve_figure(curves(loss=[2, 1], val_loss=[2, 1]), "loss"), 'the "loss"')
    root = ElementTree.fromstring(picture)
    assert root.attrib == {"viewBox": "0 0 302.4 208.8", "role": "img", "aria-label": 'the "loss"'}
    assert not re.findall(r"(?:fill|stroke): #", picture)
    assert {"ink", "muted", "rule", "blue", "orange"} == set(re.findall(r"var\(--(\w+)\)", picture))
    assert "font-family" not in picture
    assert "DejaVu" not in picture
    assert not list(root.iter("style")) + list(root.iter("metadata"))


def test_svgs_in_one_page_do_not_share_ids():
    pictures = [plots.svg(plots.curve_figure(curves(loss=[2, 1]), "loss"), label) for label in ("one", "two")]
    ids = [set(re.findall(r' id="([^"]*)"', picture)) for picture in pictures]
    assert not ids[0] & ids[1]
    for picture, known in zip(pictures, ids, strict=True):
        used = re.findall(r"url\(#([^)]*)\)", picture) + re.findall(r'href="#([^"]*)"', picture)
        assert used
        assert set(used) <= known


def test_users_style_neither_shows_nor_changes(tmp_path):
    (tmp_path / "metrics.csv").write_text(TABLES["one epoch"])
    plain = plots.draw_progress(tmp_path).read_bytes()
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30, "text.usetex": True}):
        before = dict(matplotlib.rcParams)
        assert plots.draw_progress(tmp_path).read_bytes() == plain
        assert dict(matplotlib.rcParams) == before


def test_threads_do_not_disturb_each_other():
    expected = plots.svg(plots.curve_figure(curves(loss=[2, 1]), "loss"), "one")
    before, found = dict(matplotlib.rcParams), []

    def work():
        found.append(plots.svg(plots.curve_figure(curves(loss=[2, 1]), "loss"), "one"))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 2
    assert dict(matplotlib.rcParams) == before
