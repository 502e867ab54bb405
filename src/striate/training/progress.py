"""How far training is: a live bar in a terminal or a notebook, one line an epoch anywhere else."""

import html
import math
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.foundation.checks import UserError
from striate.training.callback import Callback, Logs

if TYPE_CHECKING:
    from rich.console import Console

SECONDS_BETWEEN_PAINTS = 0.25


class ProgressBar(Callback):
    """Shows progress and figures, and leaves one line an epoch, or for an evaluation or prediction.

    Between two paints, a quarter of a second apart, a batch costs one look at the clock; `logs` are read only to be
    painted.

    Args:
        verbose: 0 is silent; 1 and "auto" show a live bar in a terminal and in a notebook, and elsewhere, as
            2 does everywhere, only the lines.
        console: The rich console to write to; standard output if left out.

    Example:
        >>> bar = ProgressBar(verbose=2)
        >>> bar.set_params({"epochs": 3, "steps": 2})
        >>> bar.on_train_begin()
        >>> bar.on_epoch_begin(0)
        >>> for batch in range(2):
        ...     bar.on_train_batch_end(batch, {"loss": 0.5})
        >>> bar.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.25})
        Epoch 1/3 - 2/2 - 0s - ...s/step - loss: 0.5000 - val_loss: 0.2500
    """

    def __init__(self, verbose: int | str = "auto", console: "Console | None" = None) -> None:
        if verbose not in ("auto", 0, 1, 2):
            needs = "'auto', 0 (silent), 1 (a live bar) or 2 (a line an epoch)"
            raise UserError("ProgressBar", f"verbose={verbose!r}", needs, "Pass verbose='auto'.")
        self.verbose, self.console = verbose, console
        self._painter = _Painter()
        self._fitting = self._running = False
        self._title, self._done, self._timed = "", 0, 0
        self._first: int | None = None
        self._begun = self._latest = self._due = 0.0

    # Training -------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._fitting = True

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        epochs = self.params.get("epochs")
        self._begin(f"Epoch {epoch + 1}/{epochs}" if epochs else f"Epoch {epoch + 1}")

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        if self._first is None:
            self._first = batch  # not 0 where an epoch resumes in its middle

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._done = batch + 1
        self._timed = self._done - (self._first or 0)
        self._latest = time.perf_counter()
        if self._latest >= self._due:
            self._paint(logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._end(logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.close()

    # Evaluation and prediction --------------------------------------------------------------------

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if not self._fitting:
            self._begin("Evaluate")
        elif self._running:
            self._painter.paint(self._done, "validating")

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if not self._fitting:
            self.on_train_batch_end(batch, logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._fitting:
            self._end(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._begin("Predict")

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.on_train_batch_end(batch, None)  # these logs hold outputs, not figures

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._end(None)

    def close(self) -> None:
        """Give the terminal back, also in the middle of an epoch; what was shown last stays."""
        if self._running:
            self._painter.stop(self._done)
        self._fitting = self._running = False

    # Inside ---------------------------------------------------------------------------------------

    def _begin(self, title: str) -> None:
        if self._running:
            self._painter.stop(self._done)
        self._painter = _choose(self.verbose, self.console)
        self._title, self._done, self._timed, self._running = title, 0, 0, True
        self._first = None
        self._begun = self._latest = time.perf_counter()
        self._due = self._begun + self._painter.period
        self._painter.start(title, self.params.get("steps"))

    def _paint(self, logs: Logs | None) -> None:
        self._painter.paint(self._done, " - ".join([self._rate(), *_figures(logs)]))
        # Counted from the end of the painting, so that a slow terminal cannot eat up the training.
        self._due = time.perf_counter() + self._painter.period

    def _end(self, logs: Logs | None) -> None:
        if self._running:
            self._running = False
            count = f"{self._done}/{self.params.get('steps') or self._done}"
            elapsed = duration(time.perf_counter() - self._begun)
            self._painter.finish(" - ".join([self._title, count, elapsed, self._rate(), *_figures(logs)]))

    def _rate(self) -> str:
        """Time per step; validation does not count, as the clock was last read at the last step."""
        return _step_time((self._latest - self._begun) / max(self._timed, 1))


class _Painter:
    """Where progress goes; this one shows nothing."""

    period = math.inf

    def start(self, title: str, steps: int | None) -> None:
        """Show that something of so many steps begins."""

    def paint(self, done: int, text: str) -> None:
        """Show how far it is."""

    def finish(self, line: str) -> None:
        """Replace what was shown by the line that stays."""

    def stop(self, done: int) -> None:
        """Stop short, so far; the figures that were shown last stay."""


class _Lines(_Painter):
    """Only the line that stays, as plain text."""

    def __init__(self, console: "Console | None") -> None:
        self.console = console

    def finish(self, line: str) -> None:
        print(line, file=None if self.console is None else self.console.file, flush=True)


class _Terminal(_Painter):
    """A bar that rich keeps on the last line of the terminal."""

    period = SECONDS_BETWEEN_PAINTS

    def __init__(self, console: "Console") -> None:
        self.console = console

    def start(self, title: str, steps: int | None) -> None:
        # Here, as rich takes a while to import, and most programs never show a bar.
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.table import Column  # noqa: PLC0415

        one_line = Column(no_wrap=True, overflow="ellipsis")
        figures = TextColumn("{task.fields[figures]}", markup=False, table_column=one_line)
        columns = (TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(), figures)
        self.progress = Progress(
            *columns,
            console=self.console,
            auto_refresh=False,  # painted by us alone: no thread wakes up within a batch
            transient=True,
            # What others print goes above the bar, unless it goes to a file.
            redirect_stdout=_is_terminal(sys.stdout),
            redirect_stderr=_is_terminal(sys.stderr),
        )
        self.progress.start()
        self.task = self.progress.add_task(title, total=steps, figures="")

    def paint(self, done: int, text: str) -> None:
        self.progress.update(self.task, completed=done, figures=text, refresh=True)

    def finish(self, line: str) -> None:
        self.progress.stop()
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def stop(self, done: int) -> None:
        self.progress.update(self.task, completed=done)
        self.progress.live.transient = False
        self.progress.stop()


class _Notebook(_Painter):
    """A bar in HTML below the cell, updated in place."""

    period = SECONDS_BETWEEN_PAINTS

    def start(self, title: str, steps: int | None) -> None:
        # A module of the kernel that runs us, imported long ago.
        from IPython.display import display  # noqa: PLC0415

        self.title, self.steps, self.text = title, steps, ""
        self.handle: Any = display(self._bar(0), raw=True, display_id=True)

    def paint(self, done: int, text: str) -> None:
        self.text = text
        self.handle.update(self._bar(done), raw=True)

    def finish(self, line: str) -> None:
        self.handle.update(_html(html.escape(line), line), raw=True)

    def stop(self, done: int) -> None:
        # A bar without steps would sway for ever, and one with steps seem to go on in a saved notebook.
        self.finish(" - ".join(part for part in (self.title, self._count(done), self.text, "stopped") if part))

    def _bar(self, done: int) -> dict[str, str]:
        share = f' value="{done}" max="{self.steps}"' if self.steps else ""  # without them, the bar sways
        figures = f"{self._count(done)} {self.text}".rstrip()
        bar = f'<progress aria-label="{html.escape(self.title)}"{share}></progress>'
        return _html(f"{html.escape(self.title)} {bar} {html.escape(figures)}", f"{self.title} {figures}")

    def _count(self, done: int) -> str:
        return f"{done}/{self.steps or '?'}"


def _html(markup: str, plain: str) -> dict[str, str]:
    """What a notebook shows, and what a front end without HTML does."""
    return {"text/html": f'<div style="font-family: monospace">{markup}</div>', "text/plain": plain}


def _choose(verbose: int | str, console: "Console | None") -> _Painter:
    if verbose == 0:
        return _Painter()
    if verbose != 2:
        if console is None and _in_notebook():
            return _Notebook()
        if console is None and _is_terminal(sys.stdout):
            from rich.console import Console  # noqa: PLC0415 - takes a while to import

            console = Console()
        if console is not None and console.is_terminal and not console.is_dumb_terminal:
            return _Terminal(console)
    return _Lines(console)


def _is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()  # a program without a console has no streams


def _in_notebook() -> bool:
    """Whether an IPython kernel runs us; IPython is not imported to find out."""
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_shell is not None and getattr(get_shell(), "kernel", None) is not None


def _figures(logs: Mapping[str, Any] | None) -> list[str]:
    """Figures as text: four decimals, or as many as a small number takes."""
    return [f"{name}: {_figure(value)}" for name, value in (logs or {}).items()]


def _figure(value: Any) -> str:
    if isinstance(value, str):
        return value
    if np.ndim(value) != 0:
        return "[" + ", ".join(_figure(item) for item in value) + "]"
    number = float(value)
    return f"{number:.4f}" if number == 0 or abs(number) > 1e-3 else f"{number:.4e}"


def duration(seconds: float) -> str:
    """Whole seconds, as a clock shows them beyond a minute.

    Example:
        >>> duration(7.4), duration(125), duration(3725)
        ('7s', '2:05', '1:02:05')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if minutes else f"{rest}s"


def _step_time(seconds: float) -> str:
    """The time of one step, in a unit that fits.

    Example:
        >>> _step_time(2.5), _step_time(0.0123), _step_time(0.000456)
        ('2.5s/step', '12ms/step', '456us/step')
    """
    if seconds >= 1:
        return f"{seconds:.1f}s/step"
    return f"{seconds * 1e3:.0f}ms/step" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us/step"
