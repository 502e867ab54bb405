"""What torch makes of functions, it makes of a network with a plan, too."""

import copy

import pytest
import torch
from plan_models import X, assert_close, gradients, network, without_plan
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx

TRANSFORMS = {
    "vmap": lambda call, model: torch.vmap(lambda one: call(one[None])[0])(X),
    "grad": lambda call, model: torch.func.grad(lambda x: call(x).square().sum())(X),
    "jvp": lambda call, model: torch.func.jvp(call, (X,), (torch.ones_like(X),)),
    "make_fx": lambda call, model: make_fx(call)(torch.ones_like(X))(X),
    "export": lambda call, model: torch.export.export(model, (torch.ones_like(X),)).module()(X),
    "compile": lambda call, model: torch.compile(model, backend="eager")(X),
    "compile and train": lambda call, model: gradients(torch.compile(model, backend="aot_eager"), training=True),
    "functional call": lambda call, model: torch.func.functional_call(
        model, {name: weight * 2 for name, weight in model.named_parameters()}, (X,)
    ),
    "in place of the weights": lambda call, model: torch.func.grad(
        lambda weights: torch.func.functional_call(model, weights, (X,)).square().sum()
    )({name: weight.detach() for name, weight in model.named_parameters()}),
    "meta": lambda call, model: copy.deepcopy(model).to("meta")(X.to("meta")).shape,
    "another device": lambda call, model: under(torch.device("meta"), call),
    "checkpointed": lambda call, model: torch.autograd.grad(
        torch.utils.checkpoint.checkpoint(call, X, use_reentrant=False).square().sum(), list(model.parameters())
    ),
}


def calling(model):
    return lambda x: model(x)


def under(context, call):
    with context:
        return call(X)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning", "ignore::UserWarning")  # of torch.compile
@pytest.mark.parametrize("name", TRANSFORMS)
def test_what_torch_makes_of_functions(name):
    model = network()
    for one in (model, without_plan(model)):
        one(X)
    torch._dynamo.reset()
    found, expected = (TRANSFORMS[name](calling(one), one) for one in (model, without_plan(model)))
    if name == "meta":
        assert found == expected
    else:
        assert_close(found, expected)


def test_torch_compile_sees_torchs_operations():
    seen = []

    def backend(graph, inputs):
        seen.extend(getattr(node.target, "__name__", "") for node in graph.graph.nodes)
        return graph

    model = network()
    torch._dynamo.reset()
    with pytest.warns(UserWarning, match="Dynamo"):
        torch.compile(model, backend=backend)(X)
    assert {"conv2d", "linear"} <= set(seen)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("grad_mode", [torch.enable_grad, torch.no_grad])
def test_forward_mode(grad_mode):
    tangents = []
    for model in (network(), without_plan(network())):
        with forward_ad.dual_level(), grad_mode():
            tangents.append(forward_ad.unpack_dual(model(forward_ad.make_dual(X, torch.ones_like(X)))).tangent)
    assert_close(*tangents)
