"""Arguments of functions beside the layers that cannot be used: each is refused in one sentence."""

import io
import os

import numpy as np
import pytest
import torch
from PIL import Image

import striate
from striate import (
    activations,
    callbacks,
    datasets,
    initializers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    utils,
)
from striate.foundation.checks import UserError

ZEROS = np.zeros((2, 3, 3))
ARRAY = "it needs an array, a tensor or a list of numbers"
PATH = r"it needs a path: a text or a pathlib\.Path\. Pass for example {}='name'\."
DTYPE = r"it needs the name of a dtype\. Pass for example dtype='float32'\."
SEED = "it needs a whole number"
CLASSES = r"it needs class numbers from 0 to 2\. Mend the labels, or give the output more units\."
SCORES = np.full((2, 3), 1 / 3, "float32")
SPARSE, META = torch.eye(3).to_sparse(), torch.ones(3, device="meta")
MODEL = striate.Sequential([striate.layers.Dense(1, input_shape=(3,))])
MODEL.compile("sgd", "mse")


def fit(x=SCORES, y=SCORES[:, :1], **options):
    """The model trained on numbers that do not matter."""
    return MODEL.fit(x, y, verbose=0, **options)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: utils.load_img(None), r"load_img got path=None; " + PATH.format("path")),
        (lambda: utils.load_img(b"x"), r"load_img got path=b'x'; " + PATH.format("path")),
        (lambda: utils.save_img(5, ZEROS), r"save_img got path=5; " + PATH.format("path")),
        (lambda: utils.save_img("a.png", ZEROS, file_format=1), r"save_img got file_format=1; it needs a text"),
        (lambda: utils.array_to_img("x"), r"array_to_img got x of type str; " + ARRAY),
        (lambda: utils.array_to_img([["a"]]), r"array_to_img got x of dtype <U1; it needs numbers"),
        (lambda: utils.array_to_img(ZEROS, scale="no"), r"array_to_img got scale='no'; it needs True or False"),
        (lambda: utils.array_to_img(ZEROS, dtype="float99"), r"array_to_img got dtype='float99'; " + DTYPE),
        (lambda: utils.img_to_array(object()), r"img_to_array got img of type object; " + ARRAY),
        (lambda: utils.img_to_array([[1], [2, 3]]), r"img_to_array got img as a ragged list; it needs rows"),
        (lambda: utils.img_to_array(ZEROS, dtype=1), r"img_to_array got dtype=1; " + DTYPE),
        (lambda: utils.to_categorical("cat"), r"to_categorical got x of type str; " + ARRAY),
        (lambda: utils.to_categorical([[1], [2, 3]]), r"to_categorical got x as a ragged list; it needs rows"),
        (lambda: utils.to_categorical([1e300]), r"to_categorical got .* in x; it needs class numbers"),
        (lambda: utils.to_categorical([1], 2**70), r"to_categorical got num_classes=\d+; it needs .* below 2\*\*63"),
        (lambda: utils.normalize(None), r"normalize got x of type NoneType; " + ARRAY),
        (lambda: utils.normalize([1.0], axis=1), r"normalize got axis=1; it needs an axis of an array of shape \(1,\)"),
        (lambda: utils.normalize([1.0], order="x"), r"normalize got order='x'; it needs a number above 0, or infinity"),
        (lambda: utils.pad_sequences("abc"), r"pad_sequences got sequences of type str; it needs a list of lists"),
        (lambda: utils.pad_sequences(np.array("a")), r"pad_sequences got sequences of type ndarray; it needs a list"),
        (lambda: utils.pad_sequences([[1]], dtype="x"), r"pad_sequences got dtype='x'; " + DTYPE),
        (lambda: utils.pad_sequences([[1]], value=None), r"pad_sequences got value=None with .*; it needs a number"),
        (lambda: utils.pad_sequences([[1]], value=[1]), r"pad_sequences got value=\[1\] with .*; it needs a number"),
        (
            lambda: utils.pad_sequences(["a", "b"]),
            r"pad_sequences got sequences of type list with a str in it; it needs",
        ),
        (
            lambda: utils.pad_sequences([[1]], maxlength=3),
            r"pad_sequences got an unknown argument maxlength=3; .*'maxlen'",
        ),
        (
            lambda: utils.pad_sequences([[1]], 2**62),
            r"pad_sequences got sequences=\[\[1\]\], maxlen=\d+; it needs what it",
        ),
        (
            lambda: utils.split_dataset(["a", "b"], 0.5),
            r"split_dataset got a list of texts; it needs arrays of numbers\.",
        ),
        (
            lambda: utils.split_dataset(SPARSE, 0.5),
            r"split_dataset got an element as a tensor of sparse_coo; it",
        ),
        (
            lambda: utils.to_categorical([1], 2**40),
            r"to_categorical got x=\[1\], num_classes=\d+; it needs what it can",
        ),
        (lambda: utils.to_categorical(META), r"to_categorical got x on the device meta; it needs a tensor that holds"),
        (lambda: utils.normalize(SPARSE), r"normalize got x as a tensor of sparse_coo; .*dense with to_dense\(\)\."),
        (lambda: utils.clear_session(free_memory=1), r"clear_session got free_memory=1; it needs True or False"),
        (lambda: utils.array_to_img(ZEROS, np.array(["a", "b"])), r"array_to_img got x=.*, data_format=a <U1 ndarray"),
        (lambda: models.clone_model(None, clone_function=abs), r"clone_model got clone_function=.*not support other"),
        (lambda: models.clone_model(None, clone=abs), r"clone_model got an unknown argument clone=.*"),
        (lambda: models.load_model("a.keras", custom={}), r"load_model got an unknown argument custom=\{\}; it needs"),
        (lambda: activations.relu([1.0], slope=1), r"relu got an unknown argument slope=1; .*'negative_slope'"),
        (
            lambda: activations.softmax([1.0], axis="a"),
            r"softmax got x=a float32 Tensor of .*, axis='a'; it needs what",
        ),
        (lambda: initializers.Zeros()("a"), r"Zeros got shape='a'; it needs what it can compute with \("),
        (lambda: initializers.HeNormal(sede=1), r"HeNormal got an unknown argument sede=1; .*'seed'"),
        (lambda: initializers.Zeros(value=1), r"Zeros got an unknown argument value=1; it needs arguments it knows"),
        (lambda: regularizers.L2(l1=1), r"L2 got an unknown argument l1=1; it needs arguments it knows"),
        (lambda: regularizers.L1()("w"), r"L1 got weight='w'; it needs what it can compute with \("),
        (lambda: optimizers.Adam().build(["w"]), r"Adam\.build got parameters=\['w'\]; it needs what it can"),
        (
            lambda: optimizers.Adam(name=np.zeros(2)),
            r"Adam got .*name=a float64 ndarray of shape \(2,\); it needs what",
        ),
        (lambda: optimizers.serialize("adam"), r"serialize got 'adam'; it needs an instance of Optimizer"),
        (
            lambda: optimizers.schedules.PiecewiseConstantDecay(3, [1]),
            r"PiecewiseConstantDecay got boundaries=3, values",
        ),
        (lambda: losses.Dice(axis=5)(ZEROS[0], ZEROS[0]), r"Loss 'dice' got y_true=.*; it needs .*\(Dimension out of"),
        (lambda: losses.huber([1.0], [1.0], delat=1), r"huber got an unknown argument delat=1; .*'delta'"),
        (
            lambda: losses.MeanSquaredError()(SPARSE, SPARSE),
            r"Loss 'mean_squared_error' got y_true=a sparse float32 T",
        ),
        (lambda: losses.Poisson()(SCORES, SCORES, META), r"Loss 'poisson' got y_true=.*sample_weight=a .* on meta;"),
        (lambda: losses.LossFunctionWrapper(3)([1.0], [1.0]), r"Loss '\w+' got .* \('int' object is not callable\)"),
        (
            lambda: metrics.MeanIoU(),
            r"MeanIoU got a wrong call \(missing .* 'num_classes'\); it needs the arguments num_",
        ),
        (lambda: metrics.AUC(2**40), r"AUC .*got num_thresholds=\d+; it needs .* and below 2\*\*24"),
        (lambda: metrics.AUC()(META, META), r"AUC '\w+'\.result got no arguments; it needs what it can"),
        (
            lambda: metrics.Mean()(1.0, 2**70),
            r"Mean 'mean'\.result got no arguments; it needs what it can compute with",
        ),
        (lambda: metrics.CosineSimilarity(axis="a"), r"CosineSimilarity got axis='a'; it needs a whole number"),
        (
            lambda: callbacks.EarlyStopping(None),
            r"EarlyStopping got monitor=None; it needs the name of a logged quantity",
        ),
        (
            lambda: callbacks.EarlyStopping(verbose="x"),
            r"EarlyStopping got verbose='x'; it needs a whole number of at l",
        ),
        (
            lambda: callbacks.ModelCheckpoint("a.keras", save_best_only=1),
            r"got save_best_only=1; it needs True or False",
        ),
        (lambda: callbacks.CSVLogger("a.csv", append=np.zeros(2)), r"CSVLogger got append=.*; it needs True or False"),
        (lambda: fit(shuffle=np.zeros(2)), r"fit got shuffle=.*; it needs True or False"),
        (lambda: fit(validation_split=np.zeros(2)), r"fit got validation_split=.*; it needs a fraction of at least 0"),
        (lambda: fit(x=SPARSE), r"fit got x as a tensor of sparse_coo; it needs a dense tensor\. Make it"),
        (lambda: fit(x=META), r"fit got x on the device meta; it needs a tensor that holds numbers"),
        (lambda: MODEL.predict(SPARSE), r"predict got x as a tensor of sparse_coo; it needs a dense tensor"),
        (lambda: MODEL.get_layer(index="a"), r"Sequential '\w+'\.get_layer got index='a'; it needs what it can"),
        (
            lambda: MODEL.summary(line_length="a"),
            r"Sequential '\w+'\.summary got line_length='a'; it needs what it can",
        ),
        (lambda: MODEL.compute_output_shape(3), r"got shape 3; it needs a shape, as \(None, 3\)"),
        (lambda: striate.Sequential(np.zeros(2)), r"^Sequential '?\w*'? ?got layers=a float64 ndarray of shape \(2,\)"),
        (
            lambda: utils.timeseries_dataset_from_array(None, None, 2),
            r"timeseries_dataset_from_array got data of type NoneType; " + ARRAY,
        ),
        (
            lambda: utils.timeseries_dataset_from_array(5, None, 2),
            r"timeseries_dataset_from_array got data as a single number; it needs an array whose first axis is time",
        ),
        (
            lambda: utils.timeseries_dataset_from_array([1, 2, 3], ["a"] * 3, 2),
            r"timeseries_dataset_from_array got targets of dtype <U1; it needs numbers",
        ),
        (
            lambda: utils.plot_model(striate.Sequential(), to_file=1),
            r"plot_model got to_file=1; " + PATH.format("to_file"),
        ),
        (lambda: utils.set_random_seed(1.5), r"set_random_seed got seed=1\.5; it needs a whole number of at least 0"),
        (lambda: utils.custom_object_scope("x").__enter__(), r"custom_objects got 'x'; it needs a dict of names"),
        (lambda: datasets.mnist.load_data(5), r"load_data got path=5; " + PATH.format("path")),
        (lambda: random.normal(None), r"random\.normal got shape=None; it needs what it can compute with \("),
        (lambda: random.normal((2,), mean="a"), r"random\.normal got shape=\(2,\), mean='a'; it needs what it can"),
        (lambda: random.uniform((2,), seed=2**70), r"random\.uniform got shape=\(2,\), seed=\d+; it needs what it can"),
        (lambda: random.SeedGenerator(2**70), r"SeedGenerator got seed=\d+; it needs .* below 2\*\*63"),
        (
            lambda: random.randint((2,), 3, 1),
            r"random\.randint got shape=\(2,\), minval=3, maxval=1; it needs what",
        ),
        (lambda: random.shuffle([1, 2], axis=None), r"random\.shuffle got x=\[1, 2\], axis=None; it needs what"),
        (
            lambda: random.dropout([1.0], 0.5, noise_shape=3),
            r"random\.dropout got inputs=\[1\.0\], rate=0\.5, noise_shape=3; it needs",
        ),
        (lambda: ops.mean([1.0], axes=0), r"ops\.mean got an unknown argument axes=0; .* Did you mean 'axis'\?"),
        (lambda: ops.reshape([1.0], "a"), r"ops\.reshape got x=\[1\.0\], newshape='a'; it needs what it can"),
        (lambda: ops.arange(None), r"ops\.arange got start=None; it needs what it can compute with \("),
        (
            lambda: losses.SparseCategoricalCrossentropy()([1, 7], SCORES),
            r"sparse_categorical_crossentropy got labels from 1 to 7; " + CLASSES,
        ),
        (
            lambda: losses.CategoricalGeneralizedCrossEntropy()([-1, 2], SCORES),
            r"categorical_generalized_cross_entropy got labels from -1 to 2; " + CLASSES,
        ),
        (
            lambda: losses.sparse_categorical_crossentropy(1, 0.5),
            r"sparse_categorical_crossentropy got .*; it needs predictions with an axis of classes\. Pass one score",
        ),
        (
            lambda: metrics.SparseCategoricalAccuracy().update_state(1, 0.5),
            r"sparse_categorical_accuracy got .*; it needs predictions with an axis of classes\. Pass one score",
        ),
    ],
)
def test_refused(call, text):
    with pytest.raises(UserError, match=text):
        call()


@pytest.fixture
def folder(tmp_path):
    """Two classes of a picture and a text each."""
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.new("RGB", (3, 3)).save(tmp_path / name / "1.png")
        (tmp_path / name / "1.txt").write_text("hello")
    return tmp_path


@pytest.mark.parametrize("function", [utils.image_dataset_from_directory, utils.text_dataset_from_directory])
@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"directory": None}, r"got directory=None; " + PATH.format("directory")),
        ({"class_names": 3}, r"got class_names=3; it needs a list of the names of folders\. Leave class_names out"),
        ({"class_names": [1]}, r"got class_names=\[1\]; it needs a list of the names of folders"),
        ({"labels": 3}, r"got labels=3; it needs 'inferred', None or a list of whole numbers from 0\. Use labels="),
        ({"labels": [0, None]}, r"got labels=\[0, None\]; it needs 'inferred', None or a list of whole numbers"),
        ({"labels": [0, -1]}, r"got labels=\[0, -1\]; it needs 'inferred', None or a list of whole numbers"),
        ({"seed": "x"}, r"got seed='x'; it needs a whole number of at least 0"),
        ({"seed": 2**40}, r"got seed=\d+; it needs a whole number below 2\*\*32\. Choose a smaller one\."),
        ({"shuffle": "no"}, r"got shuffle='no'; it needs True or False"),
        ({"follow_links": 1}, r"got follow_links=1; it needs True or False"),
        ({"batch_size": 2**70}, r"got batch_size=\d+; it needs a whole number of at least 1 and below 2\*\*63"),
    ],
)
def test_folders_refused(folder, function, given, text):
    with pytest.raises(UserError, match=f"{function.__name__} {text}"):
        function(**{"directory": folder, "verbose": False, **given})


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("nowhere"), os.mkfifo], ids=["link to nowhere", "pipe"])
def test_a_text_that_is_no_file(folder, make):
    make(folder / "a" / "0.txt")
    with pytest.raises(UserError, match=r"Reading '.*0\.txt' got no such file; it needs a text\. Take it out"):
        list(utils.text_dataset_from_directory(folder, verbose=False))


def test_what_keras_takes_is_taken():
    assert utils.img_to_array(Image.new("L", (4, 3))).shape == (3, 4, 1)
    assert utils.array_to_img(torch.ones(3, 3, 1, requires_grad=True)).size == (3, 3)
    assert metrics.CategoricalAccuracy()(np.eye(2, dtype=bool), np.eye(2, dtype=bool)) == 1
    utils.set_random_seed(np.int64(3))
    stream = io.BytesIO()
    utils.save_img(stream, ZEROS, file_format="png")
    assert utils.load_img(stream).size == (3, 2)
    assert issubclass(striate.losses.MeanSquaredError, striate.Loss)
    assert issubclass(striate.metrics.Mean, striate.Metric)
    assert issubclass(striate.optimizers.Adam, striate.Optimizer)
