import keras
import pytest
from keras.src.utils.naming import to_snake_case

from striate.foundation.names import clear_names, snake_case, unique_name


@pytest.mark.parametrize(
    "name",
    [*(name for name in dir(keras.layers) if name[0].isupper()), "MyHTTPLayer", "A", "ABC", "conv2d", "Net<x>", "B_C"],
)
def test_snake_case_is_that_of_keras(name: str):
    assert snake_case(name) == to_snake_case(name)


def test_names_count_up():
    clear_names()
    assert [unique_name("a"), unique_name("a"), unique_name("b"), unique_name("a")] == ["a", "a_1", "b", "a_2"]
    clear_names()
    assert unique_name("a") == "a"
