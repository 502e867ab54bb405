"""The compiled library: what it has, who chooses, and what it leaves to torch."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from kernel_check import running, whole
from torch.autograd import forward_ad

from striate.foundation.checks import UserError
from striate.kernels import library as module
from striate.kernels.conv_pool import conv_pool
from striate.kernels.dense import dense
from striate.kernels.library import SIGNATURES, UNITS, library, plain, supports, units
from striate.kernels.pooling import max_pool
from striate.kernels.reference import Pool


def test_the_best_unit_is_taken():
    assert units()[-1] == "generic"
    assert units() == [unit for unit in UNITS if unit in units()]
    with running(""):
        assert library().unit == units()[0]


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="nobody else knows the processor")
def test_the_processors_kind_is_known():
    words = set(Path("/proc/cpuinfo").read_text().split())
    assert supports("slow_bfloat16") == ({"GenuineIntel", "avx512_fp16"} <= words)
    assert not supports("no_such_kind")


@pytest.mark.parametrize("unit", units())
def test_every_function_is_there_for_every_unit(unit):
    for name in SIGNATURES:
        assert callable(getattr(library(unit), name))
    with pytest.raises(AttributeError):
        getattr(library(unit), "no_such_function")  # noqa: B009


def test_the_reference_can_be_asked_for():
    with running("reference"):
        assert library() is None


def test_an_unknown_unit_is_refused():
    with running("mmx"), pytest.raises(UserError) as caught:
        library()
    choices = ", ".join(repr(unit) for unit in (*units(), "reference"))
    text = f"STRIATE_KERNELS got unit='mmx'; it needs one of {choices}. Choose one of {choices}."
    assert str(caught.value) == text


@pytest.fixture
def nothing_compiled(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "FILE", tmp_path / "_native.so")
    module._handle.cache_clear()
    library.cache_clear()
    yield
    monkeypatch.undo()
    module._handle.cache_clear()
    library.cache_clear()


@pytest.mark.usefixtures("nothing_compiled")
def test_without_the_file_everything_runs_as_plain_torch():
    assert (units(), library()) == ([], None)
    assert torch.equal(dense(torch.ones(1, 2), torch.ones(2, 1), None), torch.full((1, 1), 2.0))


def test_one_openmp_runtime():
    """Two would fight over the cores: the library uses the one that torch has loaded."""
    code = """
import torch
from striate.apps.machine import openmp_runtimes
from striate.kernels.dense import dense
torch.set_num_threads(2)
dense(torch.ones(64, 300), torch.ones(300, 64), None) @ torch.ones(64, 64)
found = openmp_runtimes()
assert found is None or len(found) == 1, found
"""
    # In a process of its own: here other libraries may have brought theirs.
    subprocess.run([sys.executable, "-c", code], check=True)


class Own(torch.Tensor):
    pass


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(2).double(),
        torch.ones(2).bfloat16(),
        torch.ones(2, dtype=torch.int32),
        torch.ones(2, device="meta"),
        torch.eye(2).to_sparse(),
        torch.ones(2).as_subclass(Own),
    ],
    ids=lambda tensor: f"{type(tensor).__name__} {tensor.dtype} {tensor.device} {tensor.layout}",
)
def test_what_cannot_be_read_by_address(tensor):
    assert plain(None, torch.ones(2), torch.nn.Parameter(torch.ones(2)))
    assert not plain(torch.ones(2), tensor)


class Listener(torch.overrides.TorchFunctionMode):
    """Somebody who wants to see what torch does."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


ONES = torch.ones(16, 2), torch.ones(2), torch.ones(2, 2, 1, 3)
CALLS = {
    "dense": lambda x: dense(x.flatten(1), ONES[0], ONES[1]),
    "max_pool": lambda x: max_pool(x, Pool((2, 2), (2, 2))),
    "conv_pool": lambda x: conv_pool(x, ONES[2], None),
}


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", CALLS)
def test_those_who_look_on_see_torchs_operations(name):
    call, x = CALLS[name], whole(2, 4, 4, 1)
    expected = call(x)
    with Listener(), torch.device("meta"):
        assert torch.equal(call(x), expected)
    assert torch.equal(torch.vmap(lambda one: call(one[None])[0])(x), expected)
    assert torch.equal(torch.jit.trace(call, torch.ones(2, 4, 4, 1))(x), expected)
    assert torch.equal(torch.fx.experimental.proxy_tensor.make_fx(call)(torch.ones(2, 4, 4, 1))(x), expected)
    assert torch.equal(torch.compile(call, backend="eager", fullgraph=True)(x), expected)
    for grad_mode in (torch.enable_grad, torch.no_grad):
        with forward_ad.dual_level(), grad_mode():
            tangent = forward_ad.unpack_dual(call(forward_ad.make_dual(x, torch.ones_like(x)))).tangent
        assert torch.equal(tangent, torch.func.jvp(call, (x,), (torch.ones_like(x),))[1])
