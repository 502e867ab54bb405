import keras
import pytest
import torch

from striate.training import metrics

BATCHES = {
    "BinaryAccuracy": (torch.tensor([1, 0]), torch.tensor([[0.7], [0.6]])),
    "BinaryCrossentropy": (torch.tensor([1, 0]), torch.tensor([[0.7], [0.6]])),
    "CategoricalAccuracy": (torch.eye(2).bool(), torch.tensor([[0.7, 0.3], [0.6, 0.4]])),
    "SparseCategoricalAccuracy": (torch.tensor([0, 1]), torch.tensor([[0.7, 0.3], [0.6, 0.4]])),
    "MeanSquaredError": (torch.tensor([[1.0], [0.0]]), torch.tensor([[0.7], [0.6]])),
    "AUC": (torch.tensor([1, 0]), torch.tensor([[0.7], [0.6]])),
    "Precision": (torch.tensor([1, 0]), torch.tensor([[0.7], [0.6]])),
    "BinaryIoU": (torch.tensor([1, 0]), torch.tensor([[0.7], [0.6]])),
}


@pytest.mark.parametrize("name", BATCHES)
def test_no_graph_is_kept(name):
    """A metric that held on to the graph would hold every batch's activations."""
    y_true, y_pred = BATCHES[name]
    metric = getattr(metrics, name)()
    for weight in (None, torch.ones(2), torch.ones(2, requires_grad=True)):
        metric.update_state(y_true, y_pred.clone().requires_grad_(), weight)
        state = [value for value in vars(metric).values() if isinstance(value, torch.Tensor)]
        assert state
        assert not any(value.requires_grad for value in [*state, metric.result()])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", BATCHES)
def test_halves(name, dtype):
    y_true, y_pred = BATCHES[name]
    y_pred = y_pred.to(dtype)
    expected = getattr(metrics, name)()(y_true, y_pred.float())
    torch.testing.assert_close(getattr(metrics, name)()(y_true, y_pred), expected, rtol=1e-6, atol=0)


def test_loss_keeps_its_graph_after_the_mean_takes_it_in():
    value = torch.tensor(2.0, requires_grad=True)
    loss = value * 3
    mean = metrics.Mean()
    mean.update_state(loss)
    loss.backward()
    assert value.grad.item() == 3.0
    assert not mean.result().requires_grad


def test_sums_beyond_float32():
    mean = metrics.Mean()
    mean.update_state(torch.tensor(1.0), 2**25)
    mean.update_state(torch.tensor(0.0), 1)
    mean.update_state(torch.tensor(1.0), 1)
    assert mean.total.item() == 2**25 + 1
    assert mean.count == 2**25 + 2


def test_functions_of_users_never_broadcast():
    def absolute_error(y_true, y_pred):
        return (y_true - y_pred).abs()

    metric = metrics.MeanMetricWrapper(absolute_error)
    assert metric(torch.tensor([1.0, 2.0]), torch.tensor([[1.0], [2.0]])).item() == 0.0


def test_bases():
    metric = metrics.Metric(name="mine")
    for call in (metric.update_state, metric.result):
        with pytest.raises(NotImplementedError):
            call()
    assert metric.get_config() == {"name": "mine", "dtype": "float32"}
    assert repr(metrics.Mean().result()) == "tensor(0.)"


def test_a_function_with_weights_of_its_own_leaves_no_graph():
    scale = torch.nn.Parameter(torch.ones(()))
    metric = metrics.MeanMetricWrapper(lambda y_true, y_pred: scale * (y_true - y_pred), name="scaled")
    metric.update_state(torch.ones(3), torch.zeros(3))
    assert not metric.total.requires_grad


def test_pixels_of_no_class_are_left_out_whichever_side_they_are_on():
    labels, predictions = torch.tensor([0, 1, 1, -1, 2, 0, 1]), torch.tensor([0, 1, -1, 1, 0, 2, 0])
    counted = torch.tensor([0, 1, 6])
    for part in (slice(None), slice(0, 3), slice(0, 4)):
        kept = counted[counted < len(labels[part])]
        expected = keras.metrics.MeanIoU(2)(labels[kept], predictions[kept])
        torch.testing.assert_close(metrics.MeanIoU(2)(labels[part], predictions[part]), expected)


def test_right_answers_are_counted_beyond_what_float32_counts():
    metric, many = metrics.BinaryAccuracy(), torch.ones(1, 1).expand(2**24, 1)
    metric.update_state(many, many)
    metric.update_state(many[:1], many[:1])
    assert int(metric.total) == 2**24 + 1
