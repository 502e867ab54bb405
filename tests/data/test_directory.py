import numpy as np
import pytest
import torch
from keras.preprocessing.image import smart_resize
from keras.src.utils import dataset_utils, image_dataset_utils
from keras.utils import to_categorical

from striate.data import decode, image_dataset_from_directory, resize
from striate.foundation.checks import UnsupportedError, UserError


def read(folder, **arguments):
    return image_dataset_from_directory(folder, verbose=False, **{"image_size": (8, 6), **arguments})


def keras_index(folder, labels="inferred", shuffle=True, seed=1, **arguments):
    formats = image_dataset_utils.ALLOWLIST_FORMATS
    return dataset_utils.index_directory(
        str(folder), labels, formats, shuffle=shuffle, seed=seed, verbose=False, **arguments
    )


def all_labels(dataset):
    return torch.cat([y for _, y in dataset])


@pytest.mark.parametrize("seed", [0, 1, 42])
@pytest.mark.parametrize("arguments", [{}, {"class_names": ["dog", "cat"]}, {"class_names": ["dog"]}])
def test_files_come_in_keras_s_order(cats_and_dogs, seed, arguments):
    paths, _, names = keras_index(cats_and_dogs, seed=seed, **arguments)
    dataset = read(cats_and_dogs, seed=seed, **arguments)
    assert [str(path) for path in dataset.file_paths] == paths
    assert dataset.class_names == names


def test_without_shuffling(cats_and_dogs):
    paths, labels, _ = keras_index(cats_and_dogs, shuffle=False)
    dataset = read(cats_and_dogs, shuffle=False)
    assert dataset.file_paths == paths
    assert all_labels(dataset).tolist() == labels.tolist()
    pictures = torch.cat([x for x, _ in dataset])
    for picture, path in zip(pictures, paths, strict=True):
        assert np.array_equal(picture, resize(decode(path), (8, 6), antialias=False))


@pytest.mark.parametrize("subset", ["training", "validation"])
@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5])
def test_the_partition_is_keras_s(cats_and_dogs, subset, fraction):
    paths, labels, _ = keras_index(cats_and_dogs)
    expected, _ = dataset_utils.get_training_or_validation_split(paths, labels, fraction, subset)
    dataset = read(cats_and_dogs, seed=1, validation_split=fraction, subset=subset)
    assert dataset.file_paths == expected
    both = read(cats_and_dogs, seed=1, validation_split=fraction, subset="both")
    assert both[subset == "validation"].file_paths == expected


def test_labels_belong_to_their_pictures(cats_and_dogs):
    plain = read(cats_and_dogs, shuffle=False)
    expected = {x.numpy().tobytes(): int(y) for batch in plain for x, y in zip(*batch, strict=True)}
    shuffled = read(cats_and_dogs, seed=3)
    for _ in range(2):
        seen = {x.numpy().tobytes(): int(y) for batch in shuffled for x, y in zip(*batch, strict=True)}
        assert seen == expected
    first, second = all_labels(shuffled), all_labels(shuffled)
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize("mode", ["int", "categorical", "binary", None])
def test_label_modes(cats_and_dogs, mode):
    dataset = read(cats_and_dogs, shuffle=False, label_mode=mode, batch_size=20)
    labels = [0] * 5 + [1] * 6
    (element,) = dataset
    if mode is None:
        assert element.shape == (11, 8, 6, 3)
        assert dataset.class_names is None
        return
    expected = {
        "int": np.array(labels, "int32"),
        "categorical": to_categorical(labels).astype("float32"),
        "binary": np.array(labels, "float32")[:, None],
    }[mode]
    assert element[1].numpy().dtype == expected.dtype
    assert np.array_equal(element[1].numpy(), expected)


def test_given_labels(cats_and_dogs):
    labels = [5, 3, 3] * 3 + [5, 3]
    dataset = read(cats_and_dogs, labels=labels, shuffle=False)
    assert all_labels(dataset).tolist() == labels
    assert dataset.class_names == ["3", "5"]
    paths, shuffled, _ = keras_index(cats_and_dogs, labels=list(labels), seed=1)
    dataset = read(cats_and_dogs, labels=labels, seed=1, validation_split=0.99, subset="validation")
    assert dataset.file_paths == paths[1:]
    assert all_labels(dataset.take(-1)).sort().values.tolist() == sorted(shuffled[1:])


@pytest.mark.parametrize(("color_mode", "channels"), [("rgb", 3), ("rgba", 4), ("grayscale", 1)])
@pytest.mark.parametrize("batch_size", [None, 4])
def test_pictures(cats_and_dogs, color_mode, channels, batch_size):
    dataset = read(cats_and_dogs, color_mode=color_mode, batch_size=batch_size, image_size=7)
    x, y = next(iter(dataset))
    assert x.shape == ((7, 7, channels) if batch_size is None else (4, 7, 7, channels))
    assert x.dtype == torch.float32
    assert 1 < x.max() < 255.001
    assert y.shape == (() if batch_size is None else (4,))
    assert len(dataset) == (11 if batch_size is None else 3)


@pytest.mark.parametrize("size", [(8, 6), (3, 9), (5, 5), (20, 4)])
def test_cropping_is_keras_s(cats_and_dogs, size):
    dataset = read(cats_and_dogs, shuffle=False, image_size=size, crop_to_aspect_ratio=True, batch_size=20)
    ((pictures, _),) = dataset
    for picture, path in zip(pictures, dataset.file_paths, strict=True):
        expected = smart_resize(decode(path).astype("float32"), size)
        np.testing.assert_allclose(picture, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("size", [(8, 6), (3, 9), (5, 5), (21, 4)])
def test_padding_keeps_the_whole_picture(cats_and_dogs, size):
    dataset = read(cats_and_dogs, shuffle=False, image_size=size, pad_to_aspect_ratio=True, batch_size=20)
    ((pictures, _),) = dataset
    for picture, path in zip(pictures, dataset.file_paths, strict=True):
        whole = decode(path)
        ratio = max(whole.shape[0] / size[0], whole.shape[1] / size[1])
        height, width = int(whole.shape[0] / ratio), int(whole.shape[1] / ratio)
        assert height == size[0] or width == size[1]
        top, left = (size[0] - height) // 2, (size[1] - width) // 2
        inner = picture[top : top + height, left : left + width]
        assert np.array_equal(inner, resize(whole, (height, width), antialias=False))
        assert picture.sum() == pytest.approx(float(inner.sum()))


def test_nearest(cats_and_dogs):
    x = next(iter(read(cats_and_dogs, interpolation="nearest", image_size=20)))[0]
    assert torch.equal(x, x.round())


def test_links(cats_and_dogs, tmp_path, make_picture):
    make_picture(tmp_path / "more/9.png")
    (cats_and_dogs / "cat/more").symlink_to(tmp_path / "more")
    (cats_and_dogs / "cat/loop").symlink_to(cats_and_dogs)
    assert len(read(cats_and_dogs).file_paths) == 11
    assert len(read(cats_and_dogs, follow_links=True).file_paths) == 12


def test_other_files_and_hidden_folders_are_left_out(cats_and_dogs):
    (cats_and_dogs / "cat/notes.txt").write_text("")
    (cats_and_dogs / ".hidden").mkdir()
    (cats_and_dogs / "README").write_text("")
    assert read(cats_and_dogs).class_names == ["cat", "dog"]
    assert len(read(cats_and_dogs).file_paths) == 11


def test_without_a_seed_torchs_decides(cats_and_dogs):
    def order(seed):
        torch.manual_seed(seed)
        return read(cats_and_dogs).file_paths

    state = np.random.get_state()[1].tolist()
    assert order(1) == order(1)
    assert order(1) != order(2)
    assert np.random.get_state()[1].tolist() == state


def test_it_says_what_it_found(cats_and_dogs, capsys):
    image_dataset_from_directory(cats_and_dogs, seed=1, validation_split=0.2, subset="both")
    assert capsys.readouterr().out == "Found 11 pictures in 2 classes.\n9 are for training, 2 for validation.\n"
    image_dataset_from_directory(cats_and_dogs, labels=None)
    assert capsys.readouterr().out == "Found 11 pictures.\n"


def test_broken_pictures_are_named(cats_and_dogs):
    (cats_and_dogs / "dog/3.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"Reading '.*dog/3\.jpg' got an empty file \(0 bytes\)"):
        list(read(cats_and_dogs))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"labels": "guess"}, r"labels='guess'; it needs 'inferred', None or a list of numbers"),
        ({"labels": [1, 2]}, r"2 labels for 11 pictures; it needs one label per picture"),
        ({"labels": None, "class_names": ["cat"]}, r"class_names with no labels; it needs labels='inferred' there"),
        ({"labels": [0] * 11, "class_names": ["cat"]}, r"class_names with a list of labels"),
        ({"class_names": ["cat", "cow"]}, r"class_names with 'cow'; it needs names of its folders: cat, dog"),
        ({"class_names": ["cat", "cat"]}, r"class_names with a name twice"),
        ({"label_mode": "float"}, r"label_mode='float'; it needs one of 'int', 'categorical', 'binary'"),
        ({"label_mode": "binary", "class_names": ["cat"]}, r"label_mode='binary' with 1 classes; it needs two classes"),
        (
            {"label_mode": "categorical", "labels": [1, 2] * 5 + [1]},
            r"label_mode='categorical' with labels from 1 to 2",
        ),
        ({"color_mode": "bgr"}, r"color_mode='bgr'; it needs one of 'rgb', 'rgba', 'grayscale'"),
        ({"batch_size": 0}, r"batch_size=0; it needs a whole number of at least 1"),
        ({"image_size": (0, 5)}, r"image_size=\(0, 5\)"),
        ({"validation_split": 1.5, "subset": "both", "seed": 1}, r"validation_split=1.5; it needs a fraction above 0"),
        ({"validation_split": 0.2}, r"validation_split=0.2 with subset=None; it needs both of them or neither"),
        ({"subset": "training"}, r"validation_split=None with subset='training'"),
        ({"subset": "train", "validation_split": 0.2}, r"subset='train'; .* Did you mean 'training'"),
        ({"validation_split": 0.2, "subset": "both"}, r"validation_split without seed; .* else they overlap"),
        (
            {"validation_split": 0.01, "subset": "both", "seed": 1},
            r"validation_split=0.01 of 11 pictures; it needs at least",
        ),
        ({"interpolation": "cubic"}, r"interpolation='cubic'; it needs one of 'bilinear', 'nearest', 'bicubic'"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, r"crop_to_aspect_ratio=True and pad_to_aspect"),
    ],
)
def test_refusals(cats_and_dogs, arguments, text):
    with pytest.raises(UserError, match=rf"image_dataset_from_directory got {text}"):
        read(cats_and_dogs, **arguments)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("interpolation", m) for m in ("bicubic", "area", "lanczos3", "gaussian")],
        ("data_format", "channels_first"),
        ("format", "grain"),
    ],
)
def test_unsupported_arguments_are_refused_by_name(cats_and_dogs, name, value):
    with pytest.raises(
        UnsupportedError, match=rf"{name}='{value}'; .* does not support other values .* Leave {name} out"
    ):
        read(cats_and_dogs, **{name: value})


def test_folders_without_pictures(tmp_path):
    with pytest.raises(UserError, match=r"directory='.*none'; it needs a folder that is there"):
        read(tmp_path / "none")
    for labels in ("inferred", None):
        with pytest.raises(UserError, match=r"directory='.*' without pictures; it needs pictures \(.bmp, .gif"):
            read(tmp_path, labels=labels)


def test_cats_and_dogs_themselves(real_data):
    folder = real_data("cats_dogs") / "train"
    dataset = read(folder, seed=7, validation_split=0.2, subset="training")
    paths, _, _ = keras_index(folder, seed=7)
    assert dataset.file_paths == paths[:-400]
    assert len(dataset) == 50
    x, y = next(iter(dataset))
    assert x.shape == (32, 8, 6, 3)
    assert 0 < y.sum() < 32
