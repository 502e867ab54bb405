"""What the benchmark of networks says of its sides: limits, differences, turns, and a side that fails."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import limits
from limits import Peaks, bytes_of, flops_of, limit, measure_peaks
from networks import difference
from networks_table import NETWORKS
from turns import SideError, Worker, take_turns

SERVE = Path(__file__).parents[2] / "benchmarks"


def test_the_limit_of_the_tutorial_network():
    model = NETWORKS["tutorial"].make(0.0)
    conv, dense, last = 62 * 62 * 32 * (2 * 27 + 1), 128 * (2 * 30752 + 1), 2 * 128 + 1
    assert flops_of(model) == pytest.approx(conv + dense + last, rel=0.01)  # activations count a little, too
    weights = 27 * 32 + 32 + 30752 * 128 + 128 + 128 + 1
    cells = 2 * 64 * 64 * 3 + 5 * (31 * 31 * 32 + 128)
    assert bytes_of(model, 32, True, "float32") == 4 * (32 * cells + 7 * weights)
    assert bytes_of(model, 32, True, "bfloat16") == 2 * 32 * cells + 4 * 7 * weights
    found = limit(model, 32, True, "float32", Peaks(1e9, 1e9))
    assert found["products"] == pytest.approx(3 * 32 * flops_of(model) / 1e9)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_peak_is_that_of_the_faster_product(precision, monkeypatch):
    seconds = {10: [4.0, 2.0], 50: [1e-3]}  # torch's product and a copy, and our product
    monkeypatch.setattr(limits, "_fastest", lambda work, times=10: (work(), seconds[times].pop(0))[1])
    found = measure_peaks(precision, size=256, cells=2**10)
    assert found == Peaks(2 * 128 * 128 * 128 / 1e-3, 4 * 2 * 2**10 / 2.0)


def test_what_reads_no_memory_twice_to_predict():
    model = NETWORKS["fcn"].make(0.0)  # batch normalization is folded
    weights = sum(weight.numel() for weight in model.parameters())
    cells = 512 * (3 + 2 * (128 + 256)) + 2 * 128
    assert bytes_of(model, 1, False, "float32") == 4 * (cells + weights)


def test_differences_of_losses_and_of_outputs():
    assert difference([[1.0], [2.0]], [[1.0], [1.6]]) == pytest.approx(0.25)
    assert difference([[1.0, 0.1]], [[1.0, 0.0]]) == pytest.approx(0.1)


def side(body):
    """A process that serves a side with this step."""
    code = f"""
import sys
sys.path.insert(0, {str(SERVE)!r})
from serve import serve
class Side:
    count = 0
    def step(self):
        self.count += 1
        {body}
    def figures(self):
        return [float(self.count)]
serve({{"": lambda checked: Side()}}, 3)
"""
    return Worker([sys.executable, "-c", code], 1, {})


def test_sides_take_turns():
    workers = [side("print('from a library')"), side("pass")]
    take_turns(workers, 2, 1e-6)
    for worker in workers:
        worker.close()
        assert worker.ready["figures"] == [[1.0], [2.0], [3.0]]
        assert len(worker.seconds) == 2
        assert all(0 < seconds < 1 for seconds in worker.seconds)


def test_a_side_that_fails_says_why():
    with pytest.raises(SideError, match="ValueError: no such unit"):
        side("raise ValueError('no such unit')")
