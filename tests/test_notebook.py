"""What a notebook shows, told by a real IPython kernel to a front end that keeps what a saved notebook keeps."""

import ast
import re
from types import SimpleNamespace

import pytest
from jupyter_client.manager import start_new_kernel

MODEL = """
import numpy as np
import striate
from striate.layers import Conv2D, Dense, Flatten, Input

striate.utils.set_random_seed(0)
x = np.random.default_rng(0).random((96, 8, 8, 1), "float32")
y = np.arange(96) % 3
model = striate.Sequential([Input((8, 8, 1)), Conv2D(4, 3), Flatten(), Dense(3, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
"""


class FrontEnd:
    """Runs cells, and keeps their outputs as a notebook does: one that is updated is changed in place."""

    def __init__(self, manager, client):
        self.manager, self.client = manager, client

    def run(self, code, interrupt_at=None):
        """The outputs of a cell, and how often each was updated; the kernel is interrupted once one shows a pattern."""
        self.outputs, self.updates, self.interrupt_at = [], [], interrupt_at
        reply = self.client.execute_interactive(code, timeout=60, output_hook=self.hear)
        self.status = reply["content"]["status"]
        return self.outputs

    def hear(self, message):
        kind, content = message["header"]["msg_type"], message["content"]
        name = content.get("transient", {}).get("display_id")
        shown = content.get("data", {})
        if kind == "update_display_data":
            (index,) = [index for index, output in enumerate(self.outputs) if output.name == name]
            self.outputs[index].data = shown
            self.updates[index] += 1
        elif kind in ("display_data", "execute_result"):
            self.add(kind, name, shown)
        elif kind == "stream":
            self.add(content["name"], None, {"text/plain": content["text"]})
        elif kind == "error":
            self.add(kind, None, {"text/plain": f"{content['ename']}: {content['evalue']}"})
        if self.interrupt_at and re.search(self.interrupt_at, shown.get("text/plain", "")):
            self.interrupt_at = None
            self.manager.interrupt_kernel()

    def add(self, kind, name, data):
        self.outputs.append(SimpleNamespace(kind=kind, name=name, data=data))
        self.updates.append(0)


@pytest.fixture(scope="module")
def front_end(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))  # no one's own start-up files
        manager, client = start_new_kernel()
    front = FrontEnd(manager, client)
    try:
        assert front.run(MODEL) == []
        yield front
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def plain(outputs):
    return [output.data["text/plain"] for output in outputs]


def test_every_epoch_is_one_output_updated_in_place(front_end):
    outputs = front_end.run("_ = model.fit(x, y, batch_size=8, epochs=3, validation_split=0.25)")
    assert [output.kind for output in outputs] == ["display_data"] * 3
    assert len({output.name for output in outputs}) == 3
    assert all(1 <= updates < 100 for updates in front_end.updates)  # ten a second, and these take a blink
    figures = " - ".join(rf"{name}: \d\.\d{{4}}" for name in ("loss", "accuracy", "val_loss", "val_accuracy"))
    for number, output in enumerate(outputs, 1):
        assert set(output.data) == {"text/html", "text/plain"}
        line = output.data["text/plain"]
        assert re.fullmatch(rf"Epoch {number}/3 - 9/9 - \d+s - \d+[mu]s/step - {figures}", line)
        assert output.data["text/html"] == f'<div style="font-family: monospace">{line}</div>'


def test_evaluating_and_predicting_show_one_line_and_the_result(front_end):
    shown, result = front_end.run("model.evaluate(x, y, batch_size=8)")
    assert re.fullmatch(r"Evaluate - 12/12 - .*/step - loss: .* - accuracy: .*", shown.data["text/plain"])
    figures = [float(figure) for figure in re.findall(r": ([\d.]+)", shown.data["text/plain"])]
    assert ast.literal_eval(result.data["text/plain"]) == pytest.approx(figures, abs=5.1e-5)
    shown, result = front_end.run("model.predict(x, batch_size=8).shape")
    assert re.fullmatch(r"Predict - 12/12 - \d+s - .*/step", shown.data["text/plain"])
    assert result.data == {"text/plain": "(96, 3)"}


def test_a_model_and_its_summary_are_shown_as_tables_and_as_text(front_end):
    (summary,) = front_end.run("model.summary()")
    (model,) = front_end.run("model")
    assert (summary.kind, model.kind) == ("display_data", "execute_result")
    assert "<table>" in summary.data["text/html"]
    assert summary.data["text/html"] == model.data["text/html"]
    assert re.search(r"conv2d \(Conv2D\) +\(None, 6, 6, 4\) +40 ", summary.data["text/plain"])
    assert model.data["text/plain"].startswith("Sequential(")
    assert "\x1b" not in "".join(plain([summary, model]))


def test_an_error_is_shown_below_where_the_training_was_stopped(front_end):
    outputs = front_end.run("model.fit(x[:, :5], y)")
    assert front_end.status == "error"
    assert [output.kind for output in outputs] == ["display_data", "error"]
    stopped, error = plain(outputs)
    assert stopped == "Epoch 1/1 - 0/3 - stopped"
    assert error.startswith("ShapeError: InputLayer 'input_layer' got shape (32, 5, 8, 1); it needs (None, 8, 8, 1)")


def test_an_interrupted_kernel_keeps_its_figures_and_goes_on(front_end):
    forever = "def forever():\n    while True:\n        yield x[:8], y[:8]\n"
    outputs = front_end.run(forever + "history = model.fit(forever())", interrupt_at="loss")
    assert front_end.status == "ok"
    bar, note = outputs
    assert re.fullmatch(r"Epoch 1/1 - \d+/\? - \d+[mu]s/step - loss: .* - stopped", bar.data["text/plain"])
    assert "<progress" not in bar.data["text/html"]
    assert note.data["text/plain"].strip() == "Stopped in epoch 1; the model keeps what it has learnt."
    assert plain(front_end.run("1 + 1")) == ["2"]
