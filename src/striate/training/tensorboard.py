"""Figures, weights and the graph as event files, which TensorBoard shows."""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from striate.foundation.checks import UserError, check_flag, check_int, refuse_unknown
from striate.layers.forms import serialize
from striate.training.callback import Callback, Logs

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

# What the profiler and the projector of TensorFlow would do, and pictures of weights.
REFUSED = {"write_images": False, "profile_batch": 0, "embeddings_freq": 0, "embeddings_metadata": None}


class TensorBoard(Callback):
    """Write what is logged for `tensorboard --logdir logs`, under Keras's names and folders.

    `train/` gets `epoch_<name>` and `epoch_learning_rate` after every epoch; `validation/` gets `epoch_<name>` without
    `val_`, and `evaluation_<name>_vs_iterations` after every validation or `evaluate`. A figure of several numbers
    (a score for each class) becomes several, `epoch_<name>_0` and so on. A training that `BackupAndRestore` resumes
    goes on in the same folders; what came after its checkpoint is written once more, with the same values.

    Args:
        log_dir: The folder.
        histogram_freq: Every so many epochs, write a histogram of every weight; 0 writes none.
        write_graph: Write the model's layers for the tab "Graphs" (choose the tag "keras" there); a model of a class
            of one's own without a config has no graph there.
        write_images: Keras's; not supported, as are `profile_batch`, `embeddings_freq` and `embeddings_metadata`.
        write_steps_per_second: Write `epoch_steps_per_second`, too, and `batch_steps_per_second`.
        update_freq: "epoch"; "batch", or a number of batches, writes `batch_<name>`, too: the figures of the epoch so
            far, by the number of batches done.

    Raises:
        UserError: The package tensorboard is missing (`pip install 'striate[tensorboard]'`), or an argument is out of
            range. When training begins: the folder cannot be written to.

    Example:
        >>> board = TensorBoard("runs/board", histogram_freq=1, update_freq="batch")
        >>> board.update_freq
        1
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        where = "TensorBoard"
        given = (write_images, profile_batch, embeddings_freq, embeddings_metadata)
        refuse_unknown(where, dict(zip(REFUSED, given, strict=True)), (), REFUSED)
        if not isinstance(log_dir, str | os.PathLike) or not str(log_dir):
            raise UserError(where, f"log_dir={log_dir!r}", "a folder", "Pass for example log_dir='logs'.")
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = check_int(where, "histogram_freq", histogram_freq or 0, minimum=0)
        self.write_graph = check_flag(where, "write_graph", write_graph)
        self.write_steps_per_second = check_flag(where, "write_steps_per_second", write_steps_per_second)
        self.update_freq: int | None = None
        if update_freq != "epoch":
            self.update_freq = 1 if update_freq == "batch" else _check_update_freq(update_freq)
        _writer_class()
        self._writers: dict[str, SummaryWriter] = {}
        self._batches = self._steps_before = 0
        self._epoch_begun = self._batch_begun = 0.0

    # Training -------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._batches = 0
        writer = self._writer("train")  # now, so that a folder that cannot be written to is no surprise later
        if self.write_graph and (graph := _graph(self.model)) is not None:
            writer._get_file_writer().add_summary(graph, 0)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch_begun, self._steps_before = time.perf_counter(), self.model.optimizer.iterations

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._batch_begun = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self.update_freq is None or self._batches % self.update_freq:
            return
        figures = dict(logs.items()) if logs else {}
        if self.write_steps_per_second:
            figures["steps_per_second"] = 1 / (time.perf_counter() - self._batch_begun)
        self._write("train", "batch_{}", figures, self._batches)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs, optimizer = logs or {}, self.model.optimizer
        if logs:
            figures = {name: value for name, value in logs.items() if not name.startswith("val_")}
            figures["learning_rate"] = optimizer.learning_rate
            if self.write_steps_per_second:
                steps = optimizer.iterations - self._steps_before
                figures["steps_per_second"] = steps / (time.perf_counter() - self._epoch_begun)
            self._write("train", "epoch_{}", figures, epoch)
        validation = {name.removeprefix("val_"): value for name, value in logs.items() if name.startswith("val_")}
        self._write("validation", "epoch_{}", validation, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_histograms(epoch)
        self._flush()

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._write("validation", "evaluation_{}_vs_iterations", logs or {}, self.model.optimizer.iterations)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.close()

    def close(self) -> None:
        """Finish the files; `fit` and `evaluate` call this whatever happens."""
        writers, self._writers = self._writers, {}
        with self._writable():
            for writer in writers.values():
                writer.close()

    # Checkpoints ----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """How many batches are done; their figures are on disk, since a resumed training will not write them."""
        self._flush()
        return {"batches": self._batches}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Count on from what `state_dict` gave."""
        self._batches = state["batches"]

    # Inside ---------------------------------------------------------------------------------------

    def _writer(self, folder: str) -> "SummaryWriter":
        if folder not in self._writers:
            with self._writable():
                self._writers[folder] = _writer_class()(str(Path(self.log_dir) / folder))
        return self._writers[folder]

    def _write(self, folder: str, tag: str, figures: Mapping[str, Any], step: int) -> None:
        with self._writable():
            for name, value in _numbers(figures):
                self._writer(folder).add_scalar(tag.format(name), value, step)

    def _write_histograms(self, epoch: int) -> None:
        """Of all weights and moving statistics, by their names in `state_dict()`."""
        for name, weight in self.model.state_dict().items():
            if weight.is_floating_point() and weight.numel():
                values = weight.detach().float().cpu()
                if not torch.isfinite(values).all():
                    fix = "Lower the learning rate, or pass histogram_freq=0."
                    raise UserError("TensorBoard", f"weight {name!r} with NaN or infinity", "finite weights", fix)
                self._writer("train").add_histogram(f"{name.replace('.', '/')}/histogram", values, epoch)

    def _flush(self) -> None:
        with self._writable():
            for writer in self._writers.values():
                writer.flush()

    @contextlib.contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            got, needs = f"log_dir={self.log_dir!r} ({error.strerror or error})", "a folder it may write to"
            raise UserError("TensorBoard", got, needs, "Choose another folder, or free some space.") from error


def _check_update_freq(value: Any) -> int:
    try:
        return check_int("TensorBoard", "update_freq", value)
    except UserError as error:
        needs = "'epoch', 'batch' or a number of batches"
        raise UserError("TensorBoard", error.got, needs, "Pass update_freq='epoch'.") from error


def _writer_class() -> type["SummaryWriter"]:
    """Torch's writer of event files, which needs the package tensorboard."""
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        fix = "Install it: pip install 'striate[tensorboard]'."
        raise UserError("TensorBoard", "no package 'tensorboard'", "it to write event files", fix) from error
    return SummaryWriter


def _numbers(figures: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Figures as single numbers; several of one name are numbered."""
    for name, value in figures.items():
        try:
            values = torch.as_tensor(value).detach().double().flatten().tolist()
        except (TypeError, ValueError, RuntimeError) as error:
            needs = "numbers in the logs"
            raise UserError("TensorBoard", f"{name}={value!r}", needs, f"Log {name} as a number.") from error
        for index, number in enumerate(values):
            yield name if len(values) == 1 else f"{name}_{index}", number


def _graph(model: Any) -> Any:
    """The model's layers as the plugin for Keras's graphs reads them; None for a model without a config."""
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata  # noqa: PLC0415 - see above
    from tensorboard.compat.proto.tensor_pb2 import TensorProto  # noqa: PLC0415

    try:
        text = json.dumps(serialize(model), default=lambda value: value.tolist())
    except UserError:
        return None
    about = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="graph_keras_model", content=b"1"))
    tensor = TensorProto(dtype="DT_STRING", string_val=[text.encode()])
    return Summary(value=[Summary.Value(tag="keras", tensor=tensor, metadata=about)])
