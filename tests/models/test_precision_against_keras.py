"""Training in half precision against Keras's, over 20 steps; and what one named precision of a model does."""

import keras
import numpy as np
import pytest
import torch

import striate
from striate.foundation.checks import UserError
from striate.layers import BatchNormalization, Conv2D, Dense, Embedding, Flatten, Input, Masking
from striate.layers.policy import set_dtype_policy
from striate.models import Model, Sequential, load_model
from striate.training.backup import BackupAndRestore
from striate.training.callback import Callback
from striate.training.optimizers import SGD, Adam, LossScaleOptimizer

RNG = np.random.default_rng(3)
X = RNG.normal(size=(80, 8, 8, 3)).astype("float32")
Y = (X[..., 0].mean((1, 2)) > 0).astype("float32")
UNIT = {"bfloat16": 2.0**-8, "float16": 2.0**-11}  # what one rounding may change, relatively
# Roundings that a gradient passes through: inputs, weights and output of two layers with weights, forward and back,
# and those of normalization and pooling between them.
ROUNDINGS = 16


@pytest.fixture(autouse=True)
def policies_put_back():
    yield
    for k in (striate, keras):
        k.mixed_precision.set_global_policy("float32")


def convnet(k, **last):
    return k.Sequential(
        [
            k.layers.Input((8, 8, 3)),
            k.layers.Conv2D(4, 3, activation="relu"),
            k.layers.BatchNormalization(),
            k.layers.MaxPooling2D(),
            k.layers.Flatten(),
            k.layers.Dense(1, "sigmoid", **last),
        ]
    )


def twins(policy):
    """The same network under a global policy here and in Keras; here with the weights that Keras drew."""
    keras.utils.set_random_seed(7)
    made = []
    for k in (striate, keras):
        k.mixed_precision.set_global_policy(policy)
        made.append(convnet(k, dtype="float32"))
    made[0].set_weights(made[1].get_weights())
    return made


class Way(Callback):
    """Adds up how far the weights go, step by step."""

    length = 0.0

    def on_train_batch_begin(self, batch, logs=None):
        self.before = flat(self.model)

    def on_train_batch_end(self, batch, logs=None):
        self.length += np.linalg.norm(flat(self.model) - self.before)


def flat(model):
    """All weights that training changes, as one vector."""
    weights = [getattr(weight, "value", weight) for weight in model.trainable_weights]
    return np.concatenate([weight.detach().numpy().ravel() for weight in weights])


def train(k, model, case, callbacks=(), **more):
    """20 steps; the learning rate is set anew half-way."""
    kind, options = CASES[case]
    model.compile(getattr(k.optimizers, kind)(**options), "binary_crossentropy", metrics=["accuracy"], **more)
    for _ in range(2):
        model.fit(X, Y, batch_size=8, shuffle=False, verbose=0, callbacks=list(callbacks))
        model.optimizer.learning_rate = 0.03125


CASES = {
    "plain": ("SGD", {"learning_rate": 0.0625}),
    "momentum": ("SGD", {"learning_rate": 0.03125, "momentum": 0.75}),
    "clipvalue": ("SGD", {"learning_rate": 0.0625, "clipvalue": 0.03125}),
    "clipnorm": ("SGD", {"learning_rate": 0.0625, "clipnorm": 0.125}),
    "global_clipnorm": ("SGD", {"learning_rate": 0.0625, "global_clipnorm": 0.25}),
    "averages": ("SGD", {"learning_rate": 0.0625, "use_ema": True, "ema_momentum": 0.9375}),
}


@pytest.mark.parametrize("half", ["bfloat16", "float16"])
@pytest.mark.parametrize("case", CASES)
def test_clipping_averages_and_learning_rates_in_half_precision_are_keras(case, half):
    """Weights agree up to what rounding explains, and another optimizer's would not.

    A step's gradient is off by at most ROUNDINGS roundings of its own length, here and in Keras, so that two
    trajectories are apart by at most twice as many roundings of the way that the weights went.
    """
    ours, theirs = twins(f"mixed_{half}")
    way = Way()
    train(striate, ours, case, [way]), train(keras, theirs, case)
    assert ours.optimizer.learning_rate == 0.03125
    bound = 2 * ROUNDINGS * UNIT[half] * way.length
    assert np.linalg.norm(flat(ours) - flat(theirs)) < bound
    assert {weight.dtype for weight in ours.weights} == {torch.float32}
    # One named precision for the whole model computes the same, bit for bit but for what the plan does in float32.
    named, other = (twins("float32")[0] for _ in range(2))
    train(striate, named, case, precision=half)
    assert np.array_equal(flat(named), flat(ours)) or half == "bfloat16"
    assert np.linalg.norm(flat(named) - flat(ours)) < bound
    train(striate, other, "plain", precision=half)
    assert case == "plain" or np.linalg.norm(flat(other) - flat(theirs)) > bound


def test_float16_skips_the_same_steps_as_keras():
    """The scale begins so high that the first gradients overflow: 2**24 times about 0.06 is more than 65504."""
    ours, theirs = twins("mixed_float16")
    scales = []
    for k, model in ((striate, ours), (keras, theirs)):
        inner = k.optimizers.SGD(k.optimizers.schedules.ExponentialDecay(0.0625, 3, 0.5))
        model.compile(k.optimizers.LossScaleOptimizer(inner, 2.0**24, 3), "binary_crossentropy")
        found = []
        for start in range(0, 80, 4):
            model.fit(X[start : start + 4], Y[start : start + 4], batch_size=4, shuffle=False, verbose=0)
            found.append((float(model.optimizer.dynamic_scale), int(model.optimizer.iterations)))
        scales.append(found)
    assert scales[0] == scales[1]
    assert scales[0][-1][1] < 16, "some steps were skipped"
    np.testing.assert_allclose(flat(ours), flat(theirs), atol=ROUNDINGS * UNIT["float16"])


def small(**last):
    torch.manual_seed(1)
    return Sequential([Input((8, 8, 3)), Conv2D(4, 3), BatchNormalization(), Flatten(), Dense(1, **last)])


def test_auto_scale_loss_wraps_what_keras_wraps():
    for policy in ("float32", "float16", "mixed_bfloat16", "mixed_float16"):
        for scales in (True, False):
            kinds = []
            for k in (striate, keras):
                k.mixed_precision.set_global_policy(policy)
                model = k.Sequential([k.layers.Input((3,)), k.layers.Dense(1)])
                model.compile("sgd", "mse", auto_scale_loss=scales)
                kinds.append(type(model.optimizer).__name__)
            assert kinds[0] == kinds[1] == ("LossScaleOptimizer" if scales and policy == "mixed_float16" else "SGD")
    set_dtype_policy("float32")
    for scales, kind in ((True, LossScaleOptimizer), (False, SGD)):
        model = small()
        model.compile("sgd", "mse", precision="float16", auto_scale_loss=scales)
        assert type(model.optimizer) is kind
    given = LossScaleOptimizer("sgd", 8.0)
    model.compile(given, "mse", precision="float16")
    assert model.optimizer is given


@pytest.mark.parametrize("half", ["bfloat16", "float16"])
def test_a_precision_is_torchs_autocast_with_outputs_in_float32(half):
    model, seen = small(), {}
    plain = model(X[:8])
    for layer in model.layers:  # which run one by one now that somebody listens
        layer.register_forward_hook(lambda layer, args, y: seen.update({layer.name.rstrip("_0123456789"): y.dtype}))
    with torch.autocast("cpu", getattr(torch, half)):
        expected = model(X[:8]).float()
    seen.clear()
    model.compile("sgd", "mse", precision=half)
    assert torch.equal(model(X[:8]), expected)
    assert set(seen.values()) == {getattr(torch, half)}
    assert model(X[:8]).dtype == torch.float32
    assert not torch.equal(expected, plain)
    np.testing.assert_array_equal(model.predict(X[:8], verbose=0), expected.detach())
    loss = model.evaluate(X[:8], Y[:8], verbose=0)
    assert loss == pytest.approx(np.mean((Y[:8] - expected.detach().numpy()[:, 0]) ** 2), rel=1e-6)
    inner = Model(model.input, model.output)
    # Layers that are listened to run one by one, those of `plain` as the plan has them: not the same last bit.
    assert torch.allclose(inner(X[:8]), plain, rtol=1e-5), "another model of the same layers has a precision of its own"
    model.compile("sgd", "mse")
    assert torch.allclose(model(X[:8]), plain, rtol=1e-5)


def test_a_layer_that_was_told_a_dtype_keeps_to_it():
    model = small(dtype="float32")
    seen = []
    model.layers[-1].register_forward_hook(lambda layer, args, y: seen.append((args[0].dtype, y.dtype)))
    model.compile("sgd", "mse", precision="bfloat16")
    model(X[:2])
    assert seen == [(torch.float32, torch.float32)]


def test_modules_of_torch_in_models_of_ones_own_and_masks_go_along():
    class Mine(Model):
        def __init__(self):
            super().__init__()
            self.embed, self.inner = Embedding(5, 4, mask_zero=True), torch.nn.Linear(4, 2)

        def forward(self, x):
            return {"y": self.inner(self.embed(x))}

    model = Mine()
    model.compile("sgd", "mse", precision="bfloat16")
    assert model(np.array([[1, 0]]))["y"].dtype == torch.float32
    x = Input((3, 2))
    masked = Model(x, Masking(dtype="mixed_bfloat16")(x))
    masked.compile("sgd", "mse", precision="bfloat16")
    y = masked(np.array([[[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]]]))
    assert y.dtype == torch.float32
    assert y._keras_mask.tolist() == [[True, False, True]]


@pytest.mark.parametrize("half", ["bfloat16", "float16"])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_files_hold_float32_and_the_loss_scale(half, tmp_path):
    model = small()
    model.compile("adam", "mse", precision=half)
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    assert {layer.dtype_policy.name for layer in theirs.layers} == {"float32"}
    theirs.save(tmp_path / "theirs.keras")
    kept = [np.asarray(tensor) for _, tensor in model.optimizer.variables()]
    for name in ("ours", "theirs"):
        back = load_model(tmp_path / f"{name}.keras")
        assert type(back.optimizer) is (LossScaleOptimizer if half == "float16" else Adam)
        for (what, one), two in zip(back.optimizer.variables(), kept, strict=True):
            np.testing.assert_array_equal(one, two, err_msg=what)
        assert not torch.equal(back(X), model(X))
        back.compile(back.optimizer, "mse", precision=half)
        assert torch.equal(back(X), model(X))
    assert [type(k.optimizer).__name__ for k in (theirs, model)] == [type(back.optimizer).__name__] * 2
    for variable, one in zip(theirs.optimizer.variables, kept, strict=True):
        np.testing.assert_array_equal(variable.value.detach(), one)


@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer:UserWarning")
def test_files_of_models_that_were_never_trained(tmp_path):
    for k in (striate, keras):
        model = k.Sequential([k.layers.Input((3,)), k.layers.Dense(1)])
        model.compile(k.optimizers.LossScaleOptimizer(k.optimizers.Adam(0.25), 8.0), "mse")
        model.save(tmp_path / "new.keras")
        assert load_model(tmp_path / "new.keras").optimizer.dynamic_scale == 8.0
        assert keras.models.load_model(tmp_path / "new.keras").optimizer.inner_optimizer.learning_rate == 0.25


def test_a_training_in_float16_resumes_bit_for_bit(tmp_path):
    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.dynamic_scale < 2.0**22:  # after steps that were skipped
                raise KeyboardInterrupt

    def fit(folder, *extra):
        model = small()
        optimizer = LossScaleOptimizer(Adam(0.0625), 2.0**26, 5)
        model.compile(optimizer, "mse", precision="float16")
        backup = BackupAndRestore(tmp_path / folder, save_freq=1)
        history = model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[backup, *extra]).history
        return model, (history, optimizer.dynamic_scale, optimizer.step_counter, optimizer.iterations)

    unbroken, figures = fit("unbroken")
    _, (_, scale, _, steps) = fit("broken", Stop())
    assert scale < 2.0**22
    assert steps < 10
    resumed, again = fit("broken")
    assert again == figures
    assert figures[-1] < 20, "skipped steps are no iterations"
    assert all(map(torch.equal, unbroken.weights, resumed.weights))


def test_numbers_that_float16_cannot_hold_are_told():
    model = small()
    model.set_weights([weight * 0 + 1e5 for weight in model.get_weights()])
    model.compile("sgd", "mse", precision="float16")
    text = r"is Conv2D 'conv2d\w*''s, in float16, which ends at 65504; it needs a finite loss. Compute in bfloat16."
    with pytest.raises(UserError, match=text):
        model.fit(X, Y, verbose=0)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"precision": "bfloat"},
            "compile got precision='bfloat'; it needs one of .* Did you mean 'bfloat16'",
        ),
        ({"precision": "mixed_float16"}, r"got precision='mixed_float16'; .* Did you mean 'float16'\?"),
        ({"precision": None}, "got precision=None; it needs one of 'float32', 'bfloat16', 'float16'"),
        ({"auto_scale_loss": 1}, "got auto_scale_loss=1; it needs True or False"),
        (
            {"precision": "float16", "optimizer": SGD(loss_scale_factor=4.0)},
            "got SGD with loss_scale_factor=4.0; .* compile with auto_scale_loss=False",
        ),
    ],
)
def test_refused(arguments, text):
    with pytest.raises(UserError, match=text):
        small().compile(**{"optimizer": "sgd", "loss": "mse", **arguments})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("half", ["bfloat16", "float16"])
def test_a_gpu_trains_in_half_precision(half):
    """As the CPU does, but for rounding."""
    losses = []
    for device in ("cpu", "cuda"):
        model = small().to(device)
        model.compile(SGD(0.015625), "mse", precision=half)
        losses.append(model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"])
        assert {weight.dtype for weight in model.weights} == {torch.float32}
    np.testing.assert_allclose(losses[1], losses[0], rtol=ROUNDINGS * UNIT[half])
