"""Small programs as books write them for Keras 3, run in Keras and, with another library passed in, in striate.

Each is a function of the library that returns names and shapes; both must return the same. Numbers depend on random
starts and are compared elsewhere.
"""

import keras
import numpy as np
import pytest

import striate

RNG = np.random.default_rng(0)
PICTURES = RNG.random((12, 16, 16, 3), "float32")
CLASSES = RNG.integers(0, 3, 12)


def digits(k, folder):
    """A Sequential classifier with dropout, batch normalization and callbacks, saved and loaded."""
    layers = k.layers
    model = k.Sequential(
        [
            k.Input((16, 16, 3)),
            layers.Conv2D(4, 3, activation="relu", padding="same"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy", k.metrics.Precision(), "AUC"])
    callbacks = [
        k.callbacks.EarlyStopping(patience=2, restore_best_weights=True),
        k.callbacks.ReduceLROnPlateau(factor=0.5, patience=1),
        k.callbacks.ModelCheckpoint(folder / "best.keras", save_best_only=True),
    ]
    one_hot = k.utils.to_categorical(CLASSES, 3)
    history = model.fit(
        PICTURES, one_hot, batch_size=5, epochs=2, validation_split=0.25, callbacks=callbacks, verbose=0
    )
    loaded = k.models.load_model(folder / "best.keras")
    figures = loaded.evaluate(PICTURES, one_hot, verbose=0, return_dict=True)
    return sorted(history.history), sorted(figures), loaded.predict(PICTURES, verbose=0).shape, model.count_params()


def residual(k, folder):
    """A functional network with shortcuts and a layer that is called twice; frozen, cloned, cut open."""
    layers = k.layers
    inputs = k.Input((16, 16, 3), name="picture")
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    x = layers.add([x, shared(shared(x))])
    x = layers.concatenate([layers.SeparableConv2D(4, 3, padding="same")(x), x])
    outputs = layers.Dense(3, kernel_regularizer=k.regularizers.L2(1e-4))(layers.GlobalAveragePooling2D()(x))
    model = k.Model(inputs, outputs)
    for layer in model.layers[:-1]:
        layer.trainable = False
    model.compile(k.optimizers.AdamW(clipnorm=1.0), k.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit({"picture": PICTURES}, CLASSES, verbose=0)
    features = k.Model(model.input, x)
    shapes = [tuple(weight.shape) for weight in model.trainable_variables]
    clone = k.models.clone_model(model)
    return sorted(history.history), shapes, features.predict(PICTURES, verbose=0).shape, clone.count_params()


def series(k, folder):
    """Conv1D and an LSTM on windows of a series."""
    layers = k.layers
    model = k.Sequential([k.Input((10, 2)), layers.Conv1D(4, 3), layers.MaxPooling1D(2), layers.LSTM(4)])
    model.add(layers.Dense(1))
    model.compile("rmsprop", "mse", metrics=["mae", k.metrics.RootMeanSquaredError()])
    windows, targets = RNG.random((9, 10, 2), "float32"), RNG.random((9, 1), "float32")
    history = model.fit(windows, targets, epochs=2, verbose=0, validation_data=(windows, targets))
    return sorted(history.history), len(history.epoch), model.output_shape


def autoencoder(k, folder):
    """A model of models, and a layer that draws random numbers."""
    layers = k.layers

    class Noise(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.seeds = k.random.SeedGenerator(1)

        def call(self, inputs):
            return inputs + k.random.normal(k.ops.shape(inputs), seed=self.seeds) * 0.1

    encoder = k.Sequential([k.Input((16, 16, 3)), layers.Conv2D(4, 3, strides=2, padding="same"), Noise()])
    upwards = layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="sigmoid")
    decoder = k.Sequential([k.Input((8, 8, 4)), upwards])
    inputs = k.Input((16, 16, 3))
    model = k.Model(inputs, decoder(encoder(inputs)))
    model.compile("adam", "mse")
    history = model.fit(PICTURES, PICTURES, verbose=0)
    return sorted(history.history), encoder.predict(PICTURES, verbose=0).shape, model.output_shape


def own_pieces(k, folder):
    """A layer, a loss, a metric and a callback of one's own, registered, saved and loaded."""

    @k.saving.register_keras_serializable("programs")
    class Squeeze(k.layers.Layer):
        def build(self, input_shape):
            self.gate = self.add_weight(shape=(input_shape[-1], input_shape[-1]), initializer="glorot_uniform")

        def call(self, inputs):
            mean = k.ops.mean(inputs, axis=(1, 2), keepdims=True)
            return inputs * k.ops.sigmoid(k.ops.matmul(mean, self.gate))

    @k.saving.register_keras_serializable("programs")
    class Halved(k.losses.Loss):
        def call(self, y_true, y_pred):
            return k.ops.mean(k.ops.square(y_true - y_pred), axis=-1) / 2

    @k.saving.register_keras_serializable("programs")
    class Largest(k.metrics.Metric):
        def __init__(self, name="largest", **kwargs):
            super().__init__(name=name, **kwargs)
            self.total = self.add_weight(name="total", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total.assign(k.ops.maximum(self.total, k.ops.max(k.ops.abs(y_true - y_pred))))

        def result(self):
            return self.total

    told = []

    class Teller(k.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            told.append((epoch, sorted(logs)))
            self.model.stop_training = epoch == 1

    layers = [k.Input((16, 16, 3)), Squeeze(), k.layers.GlobalMaxPooling2D(), k.layers.Dense(1)]
    model = k.Sequential(layers)
    model.compile("sgd", Halved(), metrics=[Largest()])
    targets = PICTURES.mean((1, 2, 3))[:, None]
    model.fit(PICTURES, targets, epochs=5, verbose=0, callbacks=[Teller()])
    model.save(folder / "own.keras")
    loaded = k.models.load_model(folder / "own.keras")
    before, after = (m.evaluate(PICTURES, targets, verbose=0, return_dict=True) for m in (model, loaded))
    return told, sorted(after), before == pytest.approx(after, rel=1e-5), type(model.loss).__name__


def subclass(k, folder):
    """A Model of one's own, with layers in a list; weights saved and loaded."""

    class Net(k.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [k.layers.Conv2D(4, 3, activation="relu"), k.layers.Dropout(0.5)]
            self.pool, self.head = k.layers.GlobalAveragePooling2D(), k.layers.Dense(3)

        def call(self, inputs, training=False):
            for block in self.blocks:
                inputs = block(inputs)
            return self.head(self.pool(inputs))

    model, again = Net(), Net()
    model.compile("adam", k.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    history = model.fit(PICTURES, CLASSES, verbose=0, validation_data=(PICTURES, CLASSES))
    model.save_weights(folder / "net.weights.h5")
    again(PICTURES)
    again.load_weights(folder / "net.weights.h5")
    same = np.allclose(model.predict(PICTURES, verbose=0), again.predict_on_batch(PICTURES), atol=1e-5)
    return sorted(history.history), bool(same), [tuple(v.shape) for v in model.trainable_variables]


def several(k, folder):
    """Two inputs and two outputs with weighted losses, from arrays, batches and a PyDataset."""
    layers = k.layers
    picture, numbers = k.Input((16, 16, 3), name="picture"), k.Input((4,), name="numbers")
    joined = layers.concatenate([layers.GlobalMaxPooling2D()(layers.Conv2D(4, 3)(picture)), numbers])
    outputs = [layers.Dense(1, name="score")(joined), layers.Dense(3, activation="softmax", name="kind")(joined)]
    model = k.Model([picture, numbers], outputs)
    model.compile(
        "adam",
        loss={"score": "mse", "kind": "sparse_categorical_crossentropy"},
        loss_weights={"score": 1.0, "kind": 0.2},
        metrics={"score": ["mae"], "kind": ["accuracy"]},
    )
    x = {"picture": PICTURES, "numbers": RNG.random((12, 4), "float32")}
    y = {"score": RNG.random((12, 1), "float32"), "kind": CLASSES}

    class Batches(k.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return x, y

    figures = model.train_on_batch(x, y, return_dict=True)
    histories = [model.fit(x, y, verbose=0), model.fit(Batches(), verbose=0, validation_data=(x, y))]
    shapes = [output.shape for output in model.predict(x, verbose=0)]
    return sorted(figures), [sorted(history.history) for history in histories], shapes


@pytest.mark.parametrize("program", [digits, residual, series, autoencoder, own_pieces, subclass, several])
@pytest.mark.filterwarnings("ignore:The structure of `inputs`", "ignore:__array__ implementation")
def test_programs(program, tmp_path):
    results = []
    for library in (keras, striate):
        folder = tmp_path / library.__name__
        folder.mkdir()
        library.utils.clear_session()  # other tests of this process made metrics, whose names are counted
        results.append(program(library, folder))
    assert results[1] == results[0]
