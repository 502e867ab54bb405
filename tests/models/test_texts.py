"""Texts through `fit`: as Keras trains on the numbers that stand for them."""

import keras
import numpy as np
import pytest

import striate
from striate.data import Dataset
from striate.foundation.checks import UserError
from striate.layers import TextVectorization

TEXTS = np.array(["a good film", "a bad film", "good", "bad, bad!", "so good", "no film at all"] * 4)
Y = np.array([1.0, 0, 1, 0, 1, 0] * 4, "float32")
OPTIONS = {"epochs": 2, "batch_size": 8, "shuffle": False, "verbose": 0}
WAYS = {
    "an array": TEXTS,
    "objects": TEXTS.astype(object),
    "bytes": np.char.encode(TEXTS, "utf-8"),
    "a list": list(TEXTS),
    "a column": TEXTS[:, None],
    "a list of lists": [[text] for text in TEXTS],
}


def vectorization():
    layer = TextVectorization(max_tokens=30, output_sequence_length=6)
    layer.adapt(TEXTS)
    return layer


def after(lib):
    """What follows the numbers of tokens."""
    stack = [lib.layers.Embedding(30, 4), lib.layers.Conv1D(5, 3, activation="relu"), lib.layers.GlobalMaxPooling1D()]
    return [*stack, lib.layers.Dense(1, activation="sigmoid")]


@pytest.fixture(scope="module")
def expected():
    """Weights to begin with, the history and predictions of Keras, trained on numbers."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), *after(keras)])
    model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy", metrics=["accuracy"])
    numbers = vectorization()(TEXTS).numpy()
    weights = model.get_weights()
    history = model.fit(numbers, Y, validation_data=(numbers[:5], Y[:5]), **OPTIONS).history
    return weights, history, model.predict(numbers, verbose=0), model.evaluate(numbers, Y, verbose=0)


def functional(shape):
    texts = striate.Input(shape=shape, dtype="string", name="texts")
    x = vectorization()(texts)
    for layer in after(striate):
        x = layer(x)
    return striate.Model(texts, x)


def sequential(*start):
    return striate.Sequential([*start, vectorization(), *after(striate)])


def subclass():
    class Own(striate.Model):
        def __init__(self):
            super().__init__()
            self.words, self.rest = vectorization(), striate.Sequential(after(striate))

        def call(self, x):
            return self.rest(self.words(x))

    return Own()


MODELS = {
    "functional, (1,)": lambda: functional((1,)),
    "functional, ()": lambda: functional(()),
    "sequential": lambda: sequential(striate.Input((1,), dtype="string")),
    "sequential without Input": lambda: sequential(),
    "subclass": subclass,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MODELS)
def test_the_same_as_training_on_numbers(name, way, expected):
    weights, history, predictions, figures = expected
    model, x = MODELS[name](), WAYS[way]
    model.compile(striate.optimizers.SGD(0.5), "binary_crossentropy", metrics=["accuracy"])
    model(TEXTS[:2])
    model.set_weights(weights)
    found = model.fit(x, Y, validation_data=(x[:5], Y[:5]), **OPTIONS).history
    for figure, values in history.items():
        np.testing.assert_allclose(found[figure], values, rtol=1e-5, err_msg=figure)
    np.testing.assert_allclose(model.predict(x, verbose=0), predictions, rtol=1e-5)
    np.testing.assert_allclose(model.evaluate(x, Y, verbose=0), figures, rtol=1e-5)


def test_shuffled_texts_keep_their_labels():
    model = functional((1,))
    model.compile(striate.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    assert model.fit(TEXTS, Y, epochs=30, batch_size=4, verbose=0).history["accuracy"][-1] == 1.0


@pytest.mark.parametrize("texts", [TEXTS, list(TEXTS)], ids=["array", "list"])
def test_datasets(texts, expected):
    weights, history, *_ = expected
    model = functional((1,))
    model.compile(striate.optimizers.SGD(0.5), "binary_crossentropy", metrics=["accuracy"])
    model.set_weights(weights)
    found = model.fit(Dataset.from_tensor_slices((texts, Y)).batch(8), epochs=2, verbose=0).history
    np.testing.assert_allclose(found["loss"], history["loss"], rtol=1e-5)


def test_texts_beside_numbers():
    texts, numbers = striate.Input((1,), dtype="string", name="texts"), striate.Input((2,), name="numbers")
    x = striate.layers.Flatten()(striate.layers.Embedding(30, 2)(vectorization()(texts)))
    model = striate.Model([texts, numbers], striate.layers.Dense(1)(striate.layers.Concatenate()([x, numbers])))
    model.compile("sgd", "mse")
    by_name = {"texts": TEXTS, "numbers": np.ones((24, 2))}
    np.testing.assert_array_equal(model.predict(by_name, verbose=0), model.predict(list(by_name.values()), verbose=0))
    assert model.fit(by_name, Y, validation_split=0.25, verbose=0).history["val_loss"]
    text = r"Input 'numbers' got texts; it needs numbers \(dtype='float32'\)\. Look at the order of the inputs"
    with pytest.raises(UserError, match=text):
        model.predict([TEXTS, np.array([["a", "b"]] * 24)], verbose=0)


@pytest.mark.parametrize("start", [[striate.layers.Input((3,))], []], ids=["with Input", "without"])
def test_networks_of_numbers_refuse_texts(start):
    model = striate.Sequential([*start, striate.layers.Dense(1)], name="net")
    model.compile("sgd", "mse")
    text = (
        r"^Sequential 'net' got texts; it needs numbers\. Begin with Input\(shape=\(1,\), dtype='string'\) and TextVec"
    )
    with pytest.raises(UserError, match=text):
        model.fit(TEXTS, Y, verbose=0)
    with pytest.raises(UserError, match=text):
        model.predict(list(TEXTS), verbose=0)


def test_texts_as_labels_are_refused():
    model = functional((1,))
    model.compile("sgd", "binary_crossentropy")
    with pytest.raises(UserError, match=r"fit got y of dtype <U14; it needs numbers\. For class names"):
        model.fit(TEXTS, TEXTS, verbose=0)
