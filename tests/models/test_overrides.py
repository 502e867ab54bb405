"""Methods that Keras calls and striate does not are refused by name, where Keras calls them."""

import keras
import numpy as np
import pytest

import striate
from striate.foundation.checks import UnsupportedError
from striate.layers import Dense, Input
from striate.models import Sequential

X, Y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")


def _noting(base, method, called):
    """A subclass that notes calls of its method, and does then what it did."""
    inherited = getattr(base, method, lambda self, *args: None)
    look = inherited.fget if isinstance(inherited, property) else inherited

    def own(self, *args, **kwargs):
        called.append(method)
        return look(self, *args, **kwargs)

    return type("Own", (base,), {method: property(own) if isinstance(inherited, property) else own})


def _train(model):
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(X, Y, verbose=0)
    model.evaluate(X, Y, verbose=0)


def _predict(model):
    model.predict(X, verbose=0)


@pytest.mark.parametrize(
    ("method", "use"),
    [(method, _train) for method in ["make_train_function", "make_test_function"]]
    + [(method, _predict) for method in ["predict_step", "make_predict_function"]],
)
def test_steps(method, use):
    called = []
    use(_noting(keras.Sequential, method, called)([keras.Input((3,)), keras.layers.Dense(1)]))
    assert called
    own = _noting(Sequential, method, [])
    text = rf"Own 'own\w*' got a {method} of its own; it needs striate's training step\. .* or leave {method} out\."
    with pytest.raises(UnsupportedError, match=text):
        use(own([Input((3,)), Dense(1)]))


def test_a_layer_may_be_called_like_a_method():
    model = Sequential([Input((3,)), Dense(1, name="metrics"), Dense(1, name="train_step")])
    _train(model)
    _predict(model)


@pytest.mark.parametrize(
    "method",
    ["get_build_config", "build_from_config", "save_own_variables", "load_own_variables", "save_assets"],
)
def test_files_of_layers(method, tmp_path):
    called = []
    theirs = _noting(keras.layers.Dense, method, called)
    twin = keras.Sequential([keras.Input((3,)), theirs(1)])
    twin.save(tmp_path / "theirs.keras")
    keras.models.load_model(tmp_path / "theirs.keras", custom_objects={"Own": theirs})
    assert called
    own = _noting(Dense, method, [])
    text = rf"Own 'own\w*' got a {method} of its own; it needs what striate writes and reads"
    with pytest.raises(UnsupportedError, match=text):
        Sequential([Input((3,)), own(1)]).save(tmp_path / "ours.keras")
    assert not (tmp_path / "ours.keras").exists()
    plain = type("Own", (Dense,), {})
    Sequential([Input((3,)), plain(1)]).save(tmp_path / "ours.keras")
    with pytest.raises(UnsupportedError, match=f"got a {method} of its own"):
        striate.models.load_model(tmp_path / "ours.keras", custom_objects={"Own": own})


@pytest.mark.parametrize("method", ["get_compile_config", "compile_from_config"])
def test_files_of_compiled_models(method, tmp_path):
    called = []
    theirs = _noting(keras.Sequential, method, called)
    twin = theirs([keras.Input((3,)), keras.layers.Dense(1)])
    twin.compile("sgd", "mse")
    twin.save(tmp_path / "theirs.keras")
    keras.models.load_model(tmp_path / "theirs.keras", custom_objects={"Own": theirs})
    assert called
    own = _noting(Sequential, method, [])
    model = own([Input((3,)), Dense(1)])
    model.save(tmp_path / "plain.keras")  # not compiled: Keras would not call it
    model.compile("sgd", "mse")
    with pytest.raises(UnsupportedError, match=rf"Own 'own\w*' got a {method} of its own"):
        model.save(tmp_path / "ours.keras")
    plain = type("Own", (Sequential,), {})([Input((3,)), Dense(1)])
    plain.compile("sgd", "mse")
    plain.save(tmp_path / "ours.keras")
    with pytest.raises(UnsupportedError, match=f"got a {method} of its own"):
        striate.models.load_model(tmp_path / "ours.keras", custom_objects={"Own": own})
