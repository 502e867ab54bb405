"""What fit, evaluate and predict refuse, and what they leave behind."""

import copy

import numpy as np
import pytest
import torch

from striate.data.dataset import Dataset
from striate.foundation.checks import UserError
from striate.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, Layer, MaxPooling2D
from striate.models import Model, Sequential
from striate.training.callback import Callback

X = np.random.default_rng(0).normal(size=(40, 6, 6, 2)).astype("float32")
Y = (X.mean((1, 2, 3)) > 0).astype("float32")


def network(**compiled):
    model = Sequential([Input((6, 6, 2)), Conv2D(3, 3, activation="relu"), Flatten(), Dense(1, "sigmoid")])
    model.compile(**{"optimizer": "adam", "loss": "binary_crossentropy", "metrics": ["accuracy"], **compiled})
    return model


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"epochs": 0}, "fit got epochs=0; it needs a whole number of at least 1"),
        ({"x": X[:0], "y": Y[:0]}, "empty|no samples|0 samples"),
        ({"x": X[:39]}, "39.*40|40.*39"),
        ({"x": X[:, :2]}, r"Conv2D|InputLayer.*shape \(32, 2, 6, 2\)"),
        ({"y": Y * 255}, "binary_crossentropy|BinaryCrossentropy.*255"),
        ({"y": np.stack([Y, Y], 1)}, "shape"),
        ({"y": None}, "no labels|y"),
        ({"validation_split": 1.5}, "validation_split"),
        ({"validation_split": 0.5, "validation_data": (X, Y)}, "one of them"),
        ({"batch_size": 0}, "batch_size"),
        ({"callbacks": ["early"]}, "callbacks"),
    ],
)
def test_bad_arguments_are_refused_and_weights_kept(arguments, text):
    model = network()
    before = model.get_weights()
    with pytest.raises(UserError, match=text):
        model.fit(**{"x": X, "y": Y, "verbose": 0, **arguments})
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_loss_that_is_not_finite_names_batch_and_layer():
    model = network(optimizer="sgd")
    weights = model.get_weights()
    weights[0][:] = np.inf
    model.set_weights(weights)
    with pytest.raises(UserError, match=r"loss nan at batch 0; the first output that is not finite is Conv2D 'conv2d"):
        model.fit(X, Y, verbose=0)


def test_inputs_that_are_not_finite_name_the_batch():
    x = X.copy()
    x[37, 0, 0, 0] = np.nan
    with pytest.raises(UserError, match=r"NaN in x, sample 5 of batch 1"):
        network().fit(x, Y, shuffle=False, verbose=0)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"optimizer": "adm"}, "Did you mean 'Adam'"),
        ({"loss": "binary_crosentropy"}, "Did you mean 'BinaryCrossentropy'|Did you mean 'binary_crossentropy'"),
        ({"jit_compile": True}, "jit_compile=True"),
        ({"los": "mse"}, "Did you mean 'loss'"),
    ],
)
def test_compile_refuses_by_name(arguments, text):
    with pytest.raises(UserError, match=text):
        network(**arguments)


def test_unknown_metric_is_refused_with_a_suggestion():
    with pytest.raises(UserError, match="Did you mean"):
        network(metrics=["acuracy"]).fit(X, Y, verbose=0)


def test_fit_needs_compile():
    with pytest.raises(UserError, match="to be compiled"):
        Sequential([Input((2,)), Dense(1)]).fit(np.zeros((4, 2)), np.zeros(4))


def test_ctrl_c_keeps_what_was_learnt_and_returns_the_history(capsys):
    class Interrupt(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 5:
                raise KeyboardInterrupt

    model = network()
    before = model.get_weights()
    history = model.fit(X, Y, batch_size=10, epochs=9, verbose=0, callbacks=[Interrupt()])
    assert len(history.history["loss"]) == 1
    assert "Stopped in epoch 2" in capsys.readouterr().out
    assert any((one != two).any() for one, two in zip(before, model.get_weights(), strict=True))
    assert not model.training


def test_callbacks_can_stop_training():
    class Stop(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    assert len(network().fit(X, Y, epochs=9, verbose=0, callbacks=[Stop()]).epoch) == 2


def test_the_order_follows_from_torch_s_seed_alone():
    found = []
    for _ in range(2):
        torch.manual_seed(3)
        model = network()
        found.append(model.fit(X, Y, epochs=2, verbose=0).history["loss"])
    assert found[0] == found[1]


def test_models_whose_shape_is_not_known_are_built_by_the_first_batch():
    model = Sequential([Conv2D(3, 3), Flatten(), Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    model.fit((row for row in [(X[:8], Y[:8]), (X[8:16], Y[8:16])]), verbose=0)
    assert model.output_shape == (None, 1)
    assert model.optimizer.iterations == 2


def test_subclassed_models_train():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.body = torch.nn.Linear(72, 4)
            self.drop = Dropout(0.5)
            self.head = Dense(1, "sigmoid")

        def call(self, x, training=None):
            return self.head(self.drop(self.body(x.flatten(1)), training=training))

    model = Net()
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(X, Y, epochs=30, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert model.predict(X, verbose=0).shape == (40, 1)


def test_torch_modules_train_inside_sequential():
    body = torch.nn.Sequential(torch.nn.Conv2d(2, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU())
    model = Sequential([Input((6, 6, 2)), body, Flatten(), Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    before = body[0].weight.detach().clone()
    model.fit(X, Y, verbose=0)
    assert (body[0].weight != before).any()
    assert body[1].num_batches_tracked == 2


def test_evaluate_and_predict_leave_the_model_as_it_was():
    model = Sequential([Input((6, 6, 2)), Conv2D(3, 3), BatchNormalization(), MaxPooling2D(), Flatten(), Dense(1)])
    model.compile("adam", "mse")
    model.layers[1].train(True)
    modes = [module.training for module in model.modules()]
    before, chance = model.get_weights(), torch.get_rng_state()
    model.evaluate(X, Y, verbose=0)
    model.predict(X, verbose=0)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(chance, torch.get_rng_state())
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_frozen_layers_keep_their_weights():
    model = network()
    model.layers[0].trainable = False
    before = model.layers[0].get_weights()
    model.fit(X, Y, verbose=0)
    for one, two in zip(before, model.layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_custom_layers_and_losses_train():
    class Scale(Layer):
        def build(self, input_shape):
            self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones")

        def forward(self, x):
            return x * self.factor

    def absolute(y_true, y_pred):
        return (y_true - y_pred).abs().mean(-1)

    model = Sequential([Input((6, 6, 2)), Flatten(), Scale(), Dense(1)])
    model.compile("sgd", absolute, metrics=[absolute])
    history = model.fit(X, Y, epochs=2, verbose=0)
    assert history.history["absolute"] == pytest.approx(history.history["loss"])
    assert not np.allclose(model.layers[1].get_weights()[0], 1.0)


def test_endless_datasets_train_with_a_number_of_steps():
    data = Dataset.from_tensor_slices((X, Y)).repeat().batch(8)
    with pytest.raises(UserError, match="steps"):
        network().fit(data, verbose=0)
    model = network()
    model.fit(data, epochs=2, steps_per_epoch=3, validation_data=data, validation_steps=2, verbose=0)
    assert model.optimizer.iterations == 6
    assert np.isfinite(model.evaluate(data, steps=2, verbose=0)).all()
    assert model.predict(data, steps=2, verbose=0).shape == (16, 1)


def test_a_model_built_by_its_first_batch_sees_every_batch_of_a_generator():
    seen = []
    model = Sequential([Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    model.fit((seen.append(start) or (X[start : start + 8], Y[start : start + 8]) for start in (0, 8, 16)), verbose=0)
    assert seen == [0, 8, 16]
    assert model.optimizer.iterations == 3


def test_a_copy_of_a_trained_model_trains_alone():
    model = network()
    model.fit(X, Y, verbose=0)
    other = copy.deepcopy(model)
    before = model.get_weights()
    other.fit(X, Y, verbose=0)
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert any((one != two).any() for one, two in zip(before, other.get_weights(), strict=True))


@pytest.mark.parametrize("bad", ["loss", "labels"])
def test_a_refused_batch_leaves_moving_statistics_alone(bad):
    model = Sequential([Input((4,)), BatchNormalization(), Dense(1, "sigmoid" if bad == "labels" else None)])
    model.compile("sgd", "binary_crossentropy" if bad == "labels" else "mse")
    if bad == "loss":
        model.layers[1].set_weights([np.full((4, 1), np.inf), [0.0]])
    before = model.get_weights()
    with pytest.raises(UserError, match=r"loss|Loss"):
        model.fit(X[:, 0, :2].reshape(40, 4), np.full(40, 255.0), verbose=0)
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_label_mistake_does_not_outlive_its_refusal():
    model = Sequential([Input((6, 6, 2)), Flatten(), Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    classes = np.arange(40) % 3
    with pytest.raises(UserError):
        model.fit(X, np.eye(3)[classes], verbose=0)
    assert "accuracy" in model.fit(X, classes, verbose=0).history


def test_frozen_models_are_refused_and_gradients_need_no_permission():
    model = network()
    with torch.no_grad():
        model.fit(X, Y, verbose=0)
    model.trainable = False
    with pytest.raises(UserError, match="no trainable weights; it needs at least one"):
        model.fit(X, Y, verbose=0)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"steps_per_epoch": 0}, "steps_per_epoch=0"),
        ({"steps_per_epoch": 1.5}, r"steps_per_epoch=1\.5"),
        ({"steps_per_epoch": 9}, "2 batches in epoch 0; it needs steps_per_epoch=9"),
        ({"validation_steps": 0}, "validation_steps=0"),
        ({"validation_freq": 0}, "validation_freq=0"),
        ({"validation_freq": [1, 2]}, r"validation_freq=\[1, 2\]"),
        ({"initial_epoch": -1}, "initial_epoch=-1"),
        ({"validation_data": (X, None)}, "no labels; it needs y"),
    ],
)
def test_numbers_of_fit_are_checked(arguments, text):
    with pytest.raises(UserError, match=text):
        network().fit(X, Y, verbose=0, **arguments)


def test_inputs_that_are_not_finite_name_the_row_even_when_shuffled():
    x = X.copy()
    x[37, 0, 0, 0] = np.inf
    with pytest.raises(UserError, match=r"infinity in x, .*\(row 37 of the data\)"):
        network().fit(x, Y, verbose=0)


def test_a_callback_that_evaluates_does_not_disturb_the_epoch():
    class Look(Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.evaluate(X[:4], Y[:4], verbose=0)

    found = []
    for callbacks in ([], [Look()]):
        torch.manual_seed(0)
        found.append(network().fit(X, Y, batch_size=8, verbose=0, callbacks=callbacks).history)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"loss": {"age": "mse", "sx": "mse"}}, r"compile got loss for 'sx'; .* Did you mean 'sex'\?"),
        ({"loss": "mse", "loss_weights": {"agee": 1.0}}, "compile got loss_weights for 'agee'"),
        ({"loss": "mse", "metrics": {"agee": ["mse"]}}, "compile got metrics for 'agee'"),
        (
            {"loss": ["mse"] * 3},
            r"compile got loss=\['mse', 'mse', 'mse'\]; it needs one entry for each of the 2 outputs",
        ),
    ],
)
def test_compile_knows_the_outputs_of_a_graph(arguments, text):
    x = Input((3,))
    model = Model(x, [Dense(1, name="age")(x), Dense(1, name="sex")(x)])
    with pytest.raises(UserError, match=text):
        model.compile("sgd", **arguments)
    assert model.compile_config is None


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_arguments_of_keras_2_and_unknown_ones_are_refused_by_name(method):
    model = Sequential([Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse")
    x = np.ones((4, 3), "float32")
    data = (x,) if method == "predict" else (x, x[:, :1])
    getattr(model, method)(*data, verbose=0, workers=1, use_multiprocessing=False)
    with pytest.raises(UserError, match=f"{method} got workers=4; it needs workers=1: striate does not support"):
        getattr(model, method)(*data, workers=4)
    with pytest.raises(UserError, match=f"{method} got an unknown argument verbos=0; .*Did you mean 'verbose'"):
        getattr(model, method)(*data, verbos=0)


def test_outputs_that_are_none_stay_none_in_predict_and_are_refused_in_fit():
    class Two(Model):
        def forward(self, x):
            return {"double": 2 * x, "nothing": None}

    model = Two()
    x = np.ones((40, 3), "float32")
    outputs = model.predict(x, verbose=0)
    assert outputs["nothing"] is None
    np.testing.assert_array_equal(outputs["double"], 2 * x)
    model.compile("sgd", "mse")
    with pytest.raises(UserError, match="got a NoneType among the model's outputs; it needs tensors"):
        model.evaluate(x, x, verbose=0)
