import pickle  # noqa: TID251 - what worker processes do with errors
from typing import Any

import numpy as np
import pytest

from striate.foundation import checks
from striate.foundation.checks import UnsupportedError, UserError


def test_one_sentence_of_got_needs_and_fix():
    error = UserError("Conv2D 'c'", "filters=0", "a whole number of at least 1", "Pass filters=32.")
    assert str(error) == "Conv2D 'c' got filters=0; it needs a whole number of at least 1. Pass filters=32."
    assert isinstance(error, ValueError)


@pytest.mark.parametrize("cls", [UserError, UnsupportedError])
def test_errors_come_home_from_worker_processes(cls: type[UserError]):
    error = cls("a", "b", "c", "d.")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert str(again) == str(error)
    assert (again.where, again.got, again.needs, again.fix) == ("a", "b", "c", "d.")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, True), (np.int64(3), True), (True, False), (np.True_, False), (3.0, False), ("3", False), (None, False),
     (np.array(3), False), (np.array([3]), False)],
)  # fmt: skip
def test_whole_numbers(value: Any, expected: bool):
    assert checks.is_int(value) is expected


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("adm", "Did you mean 'Adam'?"),
        ("ADAMW", "Did you mean 'AdamW'?"),
        ("qqq", "Choose one of 'Adam', 'AdamW', 'SGD'."),
        ("", "Choose one of 'Adam', 'AdamW', 'SGD'."),
    ],
)
def test_nearest(word: str, text: str):
    assert checks.nearest(word, ["Adam", "AdamW", "SGD"]) == text


def test_nearest_of_nothing_does_not_fail():
    assert checks.nearest("x", []) == "There are none."


@pytest.mark.parametrize("value", ["same", "SAME", "Same"])
def test_choices_whatever_their_case(value: str):
    assert checks.check_choice("C", "padding", value, ["valid", "same"]) == "same"


@pytest.mark.parametrize("value", [None, 3, "sme", ["same"]])
def test_other_choices_are_refused(value: Any):
    with pytest.raises(UserError, match=r"^C got padding=.*; it needs one of 'valid', 'same'\. (Did you|Choose)"):
        checks.check_choice("C", "padding", value, ["valid", "same"])


@pytest.mark.parametrize(("value", "minimum"), [(1, 1), (0, 0), (np.uint8(7), 1)])
def test_ints_are_plain_after(value: Any, minimum: int):
    assert type(checks.check_int("C", "n", value, minimum=minimum)) is int


@pytest.mark.parametrize(("value", "minimum"), [(0, 1), (-1, 0), (1.0, 1), (True, 1), ("1", 1), (None, 1)])
def test_other_ints_are_refused(value: Any, minimum: int):
    text = rf"^C got n=.*; it needs a whole number of at least {minimum}\. Pass for example n=1\.$"
    with pytest.raises(UserError, match=text):
        checks.check_int("C", "n", value, minimum=minimum)


@pytest.mark.parametrize(
    ("value", "expected"), [(2, (2, 2)), ((1, 2), (1, 2)), ([1, 2], (1, 2)), (np.array([3, 4]).tolist(), (3, 4))]
)
def test_one_int_stands_for_all(value: Any, expected: tuple[int, ...]):
    assert checks.check_ints("C", "n", value, 2) == expected


@pytest.mark.parametrize("value", [0, (1,), (1, 2, 3), (1, 0), (1, 2.0), "ab", None, {1, 2}])
def test_other_numbers_of_ints_are_refused(value: Any):
    with pytest.raises(UserError, match=r"^C got n=.*; it needs a whole number of at least 1, or 2 of them\. Pass for"):
        checks.check_ints("C", "n", value, 2)


@pytest.mark.parametrize("value", [0, 0.5, np.float32(0.25), np.int64(0)])
def test_numbers_are_plain_after(value: Any):
    assert type(checks.check_number("C", "rate", value, "a rate", lambda v: 0 <= v < 1)) is float


@pytest.mark.parametrize("value", [1, -0.1, float("nan"), "0.5", None, True, [0.5], np.array([0.5])])
def test_other_numbers_are_refused(value: Any):
    with pytest.raises(UserError, match=r"^C got rate=.*; it needs a rate\. Change rate\.$"):
        checks.check_number("C", "rate", value, "a rate", lambda v: 0 <= v < 1)


@pytest.mark.parametrize("value", [True, False, np.True_])
def test_flags(value: Any):
    assert checks.check_flag("C", "use_bias", value) is bool(value)


@pytest.mark.parametrize("value", [0, 1, "no", "", None, np.array([True])])
def test_other_flags_are_refused(value: Any):
    with pytest.raises(UserError, match=r"^C got use_bias=.*; it needs True or False\. Pass use_bias=True or use_bias"):
        checks.check_flag("C", "use_bias", value)


def test_unknown_arguments():
    keras = {"autocast": True, "constraint": None}
    checks.refuse_unknown("C", {"autocast": True, "constraint": None}, ["filters"], keras)
    checks.refuse_unknown("C", {"autocast": None}, ["filters"], keras)  # None asks for nothing
    with pytest.raises(UnsupportedError, match=r"^C got constraint='x'; it needs constraint=None: striate does not su"):
        checks.refuse_unknown("C", {"constraint": "x"}, ["filters"], keras)
    with pytest.raises(UserError, match=r"^C got an unknown argument filer=3; it needs .*\. Did you mean 'filters'\?$"):
        checks.refuse_unknown("C", {"filer": 3}, ["filters"], keras)


def test_a_value_that_compares_as_an_array_is_refused_in_words():
    with pytest.raises(UnsupportedError, match=r"constraint=array"):
        checks.refuse_unknown("C", {"constraint": np.zeros(2)}, [], {"constraint": None})
