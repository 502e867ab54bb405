import copy

import pytest

from striate import callbacks, losses, metrics
from striate.foundation.arguments import KnownArguments
from striate.foundation.checks import UserError


class Anything(KnownArguments):
    def __init__(self, **options):
        self.options = options


class Nothing(KnownArguments):
    pass


def test_a_class_that_takes_anything_gets_it():
    assert Anything(size=3).options == {"size": 3}
    assert copy.deepcopy(Anything(size=3)).options == {"size": 3}


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Nothing(size=3), r"^Nothing got an unknown argument size=3; it needs arguments it knows"),
        (lambda: losses.MeanSquaredError(nmae="x"), r"^MeanSquaredError got an unknown argument nmae='x'.*'name'\?$"),
        (lambda: losses.Huber(dleta=2), r"^Huber got an unknown argument dleta=2; .* Did you mean 'delta'\?$"),
        (lambda: metrics.AUC(num_thresold=3), r"^AUC got an unknown argument num_thresold=3.*'num_thresholds'\?$"),
        (lambda: callbacks.EarlyStopping(patence=3), r"^EarlyStopping got an unknown argument.*'patience'\?$"),
        (lambda: callbacks.ModelCheckpoint("x", save_best=True), r"^ModelCheckpoint got .*'save_best_only'\?$"),
    ],
)
def test_others_are_refused_by_name(make, text):
    with pytest.raises(UserError, match=text):
        make()
