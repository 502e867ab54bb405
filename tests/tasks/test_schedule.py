"""The learning rate follows from the batch's number, so that a resumed training has the same."""

import pytest

from striate.tasks.schedule import RiseAndFall


class Model:
    class optimizer:  # noqa: N801
        learning_rate = 0.0


def rates(start=0, epochs=4, steps=5):
    schedule, found = RiseAndFall(2.0, epochs), []
    schedule.set_model(Model())
    schedule.set_params({"steps": steps, "epochs": epochs})
    for number in range(start, epochs * steps):
        epoch, batch = divmod(number, steps)
        if batch == 0 or number == start:
            schedule.on_epoch_begin(epoch)
        schedule.on_train_batch_begin(batch)
        found.append(Model.optimizer.learning_rate)
    return found


def test_rises_then_falls():
    found = rates()
    top = found.index(max(found))
    assert found[: top + 1] == sorted(found[: top + 1])
    assert found[top:] == sorted(found[top:], reverse=True)
    assert max(found) == pytest.approx(2.0, rel=0.05)
    assert 0 < found[-1] < 0.1


def test_resumed_in_the_middle_it_is_the_same():
    assert rates(start=7) == rates()[7:]
