import pytest

from oracles.cases import CASES
from oracles.compare import Case, compare_arrays, compare_shapes


@pytest.mark.parametrize(("case", "dtype"), [(case, dtype) for case in CASES for dtype in case.dtypes], ids=str)
def test_outputs_gradients_and_weights_are_those_of_keras(case: Case, dtype: str):
    for training in case.training:
        compare_arrays(case, dtype, training)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_shapes_with_none_are_those_of_keras(case: Case):
    compare_shapes(case)


def test_the_table_is_wide():
    assert len(CASES) >= 200
    assert len({str(case) for case in CASES}) == len(CASES)
