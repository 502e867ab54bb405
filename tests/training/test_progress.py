import html
import io
import re
import sys
import types

import numpy as np
import pytest
import torch
from rich.console import Console

from striate.foundation.checks import UserError
from striate.training import progress
from striate.training.callbacks import CallbackList
from striate.training.progress import ProgressBar


class Clock:
    """A clock that goes on by a fixed time whenever a step is taken, not when it is read."""

    def __init__(self):
        self.now = 100.0

    def perf_counter(self):
        return self.now


class Unread(dict):
    """Logs that count how often they are looked at."""

    looks = 0

    def items(self):
        self.looks += 1
        return super().items()

    def __getitem__(self, name):
        raise AssertionError("read outside of a painting")


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress.time, "perf_counter", clock.perf_counter)
    return clock


def terminal(width=120):
    return Console(force_terminal=True, file=io.StringIO(), width=width, color_system=None, legacy_windows=False)


def shown(text):
    """What a terminal of endless height shows after `text`: carriage returns, erased lines, cursor up."""
    lines, row = [""], 0
    for piece in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", text):
        if piece == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif piece.endswith("A") and piece.startswith("\x1b"):
            row -= 1
        elif piece == "\x1b[2K":
            lines[row] = ""
        elif not piece.startswith("\x1b") and piece != "\r":
            lines[row] += piece
    return [line.rstrip() for line in lines]


def run(bar, clock, epochs=2, steps=30, known=True, seconds=0.05, logs=None):
    bar.set_params({"epochs": epochs, "steps": steps if known else None})
    bar.on_train_begin()
    for epoch in range(epochs):
        bar.on_epoch_begin(epoch)
        for batch in range(steps):
            clock.now += seconds
            bar.on_train_batch_end(batch, logs or {"loss": 1 / (batch + 1)})
        bar.on_test_begin()
        clock.now += 5
        bar.on_test_batch_end(0, {"loss": 9.0})
        bar.on_test_end({"loss": 9.0})
        bar.on_epoch_end(epoch, {"loss": 0.25, "val_loss": 1e-5})
    bar.on_train_end()


LINES = [f"Epoch {e}/2 - 30/30 - 6s - 50ms/step - loss: 0.2500 - val_loss: 1.0000e-05" for e in (1, 2)]


@pytest.mark.parametrize("known", [True, False])
def test_a_terminal_shows_a_bar_and_keeps_one_line_an_epoch(clock, known):
    console = terminal()
    run(ProgressBar(console=console), clock, known=known)
    text = console.file.getvalue()
    assert shown(text) == [*LINES, ""]
    painted = [shown(part)[-1] for part in text.split("\r")]
    pattern = rf"Epoch 1/2 .* (\d+)/{'30' if known else '[?]'} 0:00:0. 50ms/step - loss: (\d\.\d+)"
    found = [match.groups() for match in map(re.compile(pattern).search, painted) if match]
    assert len(found) >= 4
    assert all(float(loss) == pytest.approx(1 / int(done), abs=1e-4) for done, loss in found)
    assert any("30/" in part and "validating" in part for part in painted)


def test_a_narrow_terminal_keeps_the_bar_on_one_line(clock):
    console = terminal(width=60)
    logs = {f"quite_a_long_name_of_a_metric_{i}": 0.5 for i in range(5)}
    run(ProgressBar(console=console), clock, logs=logs)
    assert shown(console.file.getvalue()) == [*LINES, ""]


def test_paints_are_a_quarter_of_a_second_apart_and_logs_are_read_for_them_alone(clock):
    console = terminal()
    logs = Unread(loss=torch.tensor(0.5))
    run(ProgressBar(console=console), clock, epochs=1, steps=1000, seconds=0.001, logs=logs)
    assert 3 <= logs.looks <= 5


@pytest.mark.parametrize("verbose", [0, 2])
def test_without_a_bar_batch_logs_are_never_read(clock, verbose, capsys):
    logs = Unread(loss=1.0)
    run(ProgressBar(verbose), clock, logs=logs)
    assert logs.looks == 0
    assert capsys.readouterr().out.splitlines() == (LINES if verbose else [])


@pytest.mark.parametrize("verbose", ["auto", 1, 2, True])
def test_where_output_is_no_terminal_there_is_one_plain_line_an_epoch(clock, verbose, capsys):
    run(ProgressBar(verbose), clock)
    assert capsys.readouterr().out.splitlines() == LINES


def test_a_dumb_terminal_gets_plain_lines(clock, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    console = terminal()
    run(ProgressBar(console=console), clock)
    assert console.file.getvalue().splitlines() == LINES


def test_standard_output_that_is_a_terminal_gets_a_bar(clock, monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stdout", stream)
    run(ProgressBar(), clock)
    assert "\x1b[?25l" in stream.getvalue()
    assert shown(stream.getvalue()) == [*LINES, ""]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_what_others_print_goes_above_the_bar_unless_it_goes_to_a_file(clock, monkeypatch, is_terminal):
    stream = io.StringIO()
    stream.isatty = lambda: is_terminal
    monkeypatch.setattr(sys, "stdout", stream)
    console = terminal()
    bar = ProgressBar(console=console)
    bar.on_epoch_begin(0)
    print("a figure")
    bar.on_epoch_end(0, {"loss": 0.5})
    assert ("a figure" in console.file.getvalue()) == is_terminal
    assert ("a figure" in stream.getvalue()) != is_terminal


def test_no_standard_output_at_all(clock, monkeypatch, capfd):
    """As in a program without a console; whatever else there is to write to stays empty as well."""
    monkeypatch.setattr(sys, "stdout", None)
    run(ProgressBar(), clock)
    assert capfd.readouterr() == ("", "")


def test_an_interrupt_gives_the_terminal_back_and_keeps_the_last_state(clock):
    console, stdout = terminal(), sys.stdout
    callbacks = CallbackList(ProgressBar(console=console), epochs=2, steps=30)
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(0)
    for batch in range(10):
        clock.now += 0.06
        callbacks.on_train_batch_end(batch, {"loss": 0.5})
    callbacks.on_train_batch_end(10, {"loss": 0.25})  # too quick to be painted: counted only
    assert "\x1b[?25h" not in console.file.getvalue()
    with pytest.raises(KeyboardInterrupt), callbacks:
        raise KeyboardInterrupt
    text = console.file.getvalue()
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is back
    assert sys.stdout is stdout
    assert re.fullmatch(r"Epoch 1/2 .*11/30 0:00:0\d 60ms/step - loss: 0.5000", shown(text)[0])
    callbacks.close()
    assert console.file.getvalue() == text


def test_a_new_epoch_ends_one_that_was_left(clock):
    console = terminal()
    bar = ProgressBar(console=console)
    bar.on_epoch_begin(0)
    bar.on_epoch_begin(1)
    bar.close()
    text = console.file.getvalue()
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 2


def test_evaluation_and_prediction(clock, capsys):
    bar = ProgressBar()
    bar.set_params({"steps": 4})
    for name, logs in (("test", {"loss": 0.5}), ("predict", {"outputs": np.zeros((2, 3))})):
        getattr(bar, f"on_{name}_begin")()
        for batch in range(4):
            clock.now += 0.5
            getattr(bar, f"on_{name}_batch_end")(batch, logs)
        getattr(bar, f"on_{name}_end")(logs)
    lines = ["Evaluate - 4/4 - 2s - 500ms/step - loss: 0.5000", "Predict - 4/4 - 2s - 500ms/step"]
    assert capsys.readouterr().out.splitlines() == lines


def test_evaluation_after_an_interrupted_training_shows_itself(clock, capsys):
    bar = ProgressBar()
    bar.on_train_begin()
    bar.close()
    bar.on_test_begin()
    bar.on_test_end({"loss": 0.5})
    assert capsys.readouterr().out.startswith("Evaluate - 0/0")


def test_an_epoch_resumed_in_its_middle_counts_the_steps_it_took(clock, capsys):
    bar = ProgressBar()
    bar.set_params({"steps": 10, "epochs": 1})
    bar.on_epoch_begin(0)
    for batch in range(8, 10):
        bar.on_train_batch_begin(batch)
        clock.now += 1
        bar.on_train_batch_end(batch)
    bar.on_epoch_end(0)
    assert capsys.readouterr().out == "Epoch 1/1 - 10/10 - 2s - 1.0s/step\n"


@pytest.fixture
def notebook(monkeypatch):
    """A fake kernel: the list of what its front end was told, as (kind, display id, bundle)."""
    told = []

    class Handle:
        def __init__(self, number):
            self.number = number

        def update(self, bundle, raw):
            assert raw
            told.append(("update", self.number, bundle))

    def display(bundle, raw, display_id):
        assert raw
        assert display_id is True
        told.append(("display", len(told), bundle))
        return Handle(told[-1][1])

    package = types.ModuleType("IPython")
    package.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    package.display = types.ModuleType("IPython.display")
    package.display.display = display
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", package.display)
    return told


@pytest.mark.parametrize("known", [True, False])
def test_a_notebook_shows_one_bar_an_epoch_and_updates_it_in_place(clock, notebook, capsys, known):
    run(ProgressBar(), clock, known=known, logs={"<b>": 0.5})
    assert capsys.readouterr().out == ""
    begun = [number for kind, number, _ in notebook if kind == "display"]
    assert len(begun) == 2
    first = [bundle for _, number, bundle in notebook if number == begun[0]]
    assert all(set(bundle) == {"text/html", "text/plain"} for bundle in first)
    assert len(first) < 12
    middle = first[3]["text/html"]
    assert "&lt;b&gt;: 0.5000" in middle
    assert "<b>" not in middle
    assert ('max="30"' in middle) == known
    assert "50ms/step - <b>: 0.5000" in first[3]["text/plain"]
    assert first[-1]["text/plain"] == LINES[0]
    assert LINES[0] in first[-1]["text/html"]


@pytest.mark.parametrize(
    ("batches", "line"),
    [
        (0, "Epoch 1 - 0/{steps} - stopped"),
        (1, "Epoch 1 - 1/{steps} - 1.0s/step - <b>: 0.5000 - stopped"),
        (3, "Epoch 1 - 3/{steps} - 1.0s/step - <b>: 0.5000 - stopped"),  # the last two were too quick to be painted
    ],
)
@pytest.mark.parametrize("steps", [5, None])
def test_a_notebook_says_where_it_was_stopped_and_keeps_no_bar_that_sways(clock, notebook, batches, line, steps):
    with CallbackList(ProgressBar(), steps=steps) as callbacks:
        callbacks.on_epoch_begin(0)
        clock.now += 1
        for batch in range(batches):
            callbacks.on_train_batch_end(batch, {"<b>": 0.5})
    assert len({number for _, number, _ in notebook}) == 1
    bundle = notebook[-1][2]
    assert bundle["text/plain"] == line.format(steps=steps or "?")
    assert html.escape(bundle["text/plain"]) in bundle["text/html"]
    assert "<progress" in notebook[0][2]["text/html"]
    assert "<progress" not in bundle["text/html"]


def test_ipython_in_a_terminal_is_no_notebook(clock, notebook, monkeypatch, capsys):
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: types.SimpleNamespace())
    run(ProgressBar(), clock)
    assert notebook == []
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: None)
    run(ProgressBar(), clock)
    assert capsys.readouterr().out.splitlines() == LINES * 2


def test_real_ipython_takes_what_is_displayed(clock, monkeypatch):
    from IPython.core.displaypub import CapturingDisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

    shell = types.SimpleNamespace(kernel=object(), display_pub=CapturingDisplayPublisher())
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setattr(InteractiveShell, "initialized", lambda: True)
    monkeypatch.setattr(InteractiveShell, "instance", lambda: shell)
    run(ProgressBar(), clock, epochs=1)
    outputs = shell.display_pub.outputs
    assert len({output["transient"]["display_id"] for output in outputs}) == 1
    assert [output["update"] for output in outputs] == [False] + [True] * (len(outputs) - 1)
    assert "<progress" in outputs[1]["data"]["text/html"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5000"),
        (0, "0.0000"),
        (-0.25, "-0.2500"),
        (1e-4, "1.0000e-04"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (torch.tensor(2.0), "2.0000"),
        (np.array([0.5, 1.0]), "[0.5000, 1.0000]"),
        ("text", "text"),
    ],
)
def test_figures(clock, capsys, value, text):
    bar = ProgressBar()
    bar.on_epoch_begin(0)
    bar.on_epoch_end(0, {"x": value})
    assert capsys.readouterr().out.endswith(f" - x: {text}\n")


@pytest.mark.parametrize("verbose", [3, "loud", None, -1])
def test_refusals(verbose):
    with pytest.raises(UserError, match=re.escape(f"ProgressBar got verbose={verbose!r}; it needs 'auto', 0 (silent)")):
        ProgressBar(verbose)
