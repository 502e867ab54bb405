import pytest

from striate import saving, utils
from striate.foundation.checks import UserError
from striate.layers import Dense, Layer
from striate.models import Sequential, load_model


@pytest.fixture(autouse=True)
def clean():
    yield
    utils.get_custom_objects().clear()


class Doubled(Layer):
    def call(self, inputs):
        return inputs * 2

    def compute_output_shape(self, input_shape):
        return input_shape


def test_registered_classes_are_found_in_files(tmp_path):
    utils.register_keras_serializable("mine")(Doubled)
    assert utils.get_registered_name(Doubled) == "mine>Doubled"
    Sequential([Dense(2, input_shape=(3,)), Doubled()]).save(tmp_path / "m.keras")
    assert isinstance(load_model(tmp_path / "m.keras").layers[-1], Doubled)
    utils.get_custom_objects().clear()
    with pytest.raises(UserError, match="custom_objects"):
        load_model(tmp_path / "m.keras")
    with utils.custom_object_scope({"Doubled": Doubled}):
        assert isinstance(load_model(tmp_path / "m.keras").layers[-1], Doubled)


def test_the_nearest_scope_wins_and_ends():
    with saving.CustomObjectScope({"a": abs}):
        with saving.custom_object_scope({"a": len}):
            assert utils.get_registered_object("a") is len
        assert utils.get_registered_object("a") is abs
    assert utils.get_registered_object("a") is None
    assert utils.get_registered_object("a", {"a": abs}) is abs


def test_what_is_put_into_the_dict_is_registered():
    utils.get_custom_objects()["own"] = abs
    assert utils.get_registered_object("own") is abs


def test_refusals():
    with pytest.raises(UserError, match="register_keras_serializable got the class Bare; it needs a get_config"):

        @utils.register_keras_serializable()
        class Bare:
            pass

    with pytest.raises(UserError, match="custom_objects got 'a': 1"), utils.custom_object_scope({"a": 1}):
        pass
