"""compile, fit, evaluate, predict: Keras's words for what `training` does."""

import dataclasses
import inspect
from typing import Any

import torch

from striate.data.arrays import make_feed, train_validation_split
from striate.data.feed import BegunFeed, Feed
from striate.foundation.checks import UserError, check_choice, check_flag, check_int, refuse_unknown
from striate.foundation.explain import naming
from striate.layers.holder import holders_in
from striate.layers.loss_adder import anything_added
from striate.layers.overrides import PREDICTION, refuse_steps
from striate.models.arguments import (
    check_split,
    check_steps,
    computes_in_float16,
    refuse_jit,
    refuse_leftovers,
    validation_feed,
)
from striate.models.program import WORTH_A_PROGRAM, Program
from striate.models.steps import Steps
from striate.training import loop, optimizers
from striate.training.backup import BackupAndRestore, restore_states
from striate.training.callback import CallbackList, History
from striate.training.callback_order import order_callbacks
from striate.training.checkpoint import Checkpoint, Progress
from striate.training.memory import keep_freed_memory
from striate.training.objective import Objective, to_floats
from striate.training.precision import PRECISIONS
from striate.training.progress import ProgressBar
from striate.training.terminate import TerminateOnNaN


class Trainer(Steps):
    """What models can be asked to do with data."""

    compile_config: dict[str, Any] | None = None
    stop_training: bool = False
    history: History | None = None
    _precision: str = "float32"
    _every: int = 1  # batches between calls of callbacks

    def compile(  # Keras's meaning of the word, not torch.nn.Module.compile's
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
        precision: str = "float32",
        **unknown: Any,
    ) -> None:
        """Choose how to train.

        Args:
            optimizer: A name, a striate optimizer, or a torch optimizer over `model.parameters()`.
            loss: A name, a loss, a function of (y_true, y_pred); a list or dict of them for several outputs.
            loss_weights: Factors of the losses in the total.
            metrics: Names, metrics or functions; lists of lists or a dict for several outputs.
            weighted_metrics: The same, but sample weights count.
            run_eagerly: Keras's; networks always run so here.
            steps_per_execution: How many batches pass between calls of the callbacks' hooks for batches.
            jit_compile: "auto" or False: networks run as they are.
            auto_scale_loss: Whether a model that computes in float16 gets a `LossScaleOptimizer` around its optimizer.
            precision: What the model computes in, here and in `fit`, `evaluate`, `predict` and `model(x)`: "float32",
                "bfloat16" or "float16". Weights, outputs and losses stay float32, and layers that were told a dtype
                keep to it. Files do not hold it: compile a loaded model with it again.

        Raises:
            UserError: A name is not known, or an argument of Keras's is not supported.
        """
        where = f"{self.where}.compile"
        known = [name for name in inspect.signature(self.compile).parameters if name != "unknown"]
        refuse_unknown(where, unknown, known, {})
        check_flag(where, "run_eagerly", run_eagerly)
        refuse_jit(where, jit_compile)
        every = check_int(where, "steps_per_execution", steps_per_execution)
        scales = check_flag(where, "auto_scale_loss", auto_scale_loss)
        chosen = check_choice(where, "precision", precision, PRECISIONS)
        refuse_steps(self)
        objective = Objective(loss, metrics, loss_weights, weighted_metrics, self.output_names)
        optimizer = optimizers.get(optimizer)
        if scales and (chosen == "float16" or computes_in_float16(self)):
            inside = getattr(optimizer, "inner_optimizer", None)
            optimizer = optimizer if inside else optimizers.LossScaleOptimizer(optimizer)
        self.optimizer, self._objective, self._precision, self._every = optimizer, objective, chosen, every
        self.compile_config = {
            "optimizer": optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "precision": chosen,
        }

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        **unknown: Any,
    ) -> History:
        """Train.

        Args:
            x: Arrays (N, ...), a list or dict of them, a `Dataset`, a torch Dataset or DataLoader, a generator.
            y: Targets, where x is arrays.
            batch_size: Samples in a batch; 32 if left out.
            epochs: The number of the last epoch.
            verbose: 0 silent, 1 a progress bar, 2 a line an epoch; "auto" chooses.
            callbacks: Told how it goes.
            validation_split: The share of the arrays, taken from their end, to validate on.
            validation_data: (x, y), (x, y, sample_weight) or a dataset to validate on.
            shuffle: Whether the order is new every epoch; it follows from torch's random seed.
            class_weight: {class: factor} of the loss.
            sample_weight: Factors of the loss, one a sample.
            initial_epoch: The number of the first epoch.
            steps_per_epoch: Batches in an epoch; all if left out.
            validation_steps, validation_batch_size, validation_freq: The same for validation; how often it is.

        Returns:
            The history: `history.history["loss"]` has one number an epoch.

        Raises:
            UserError: Data, labels or figures cannot be used. What is learnt by then is kept.
        """
        objective = self._counts()
        refuse_leftovers(self.fit, unknown)
        check_flag("fit", "shuffle", shuffle)
        check_int("fit", "epochs", epochs)
        check_int("fit", "initial_epoch", initial_epoch, minimum=0)
        check_int("fit", "validation_freq", validation_freq)
        check_steps("fit", steps_per_epoch=steps_per_epoch, validation_steps=validation_steps)
        check_steps("fit", validation_batch_size=validation_batch_size)
        if check_split(validation_split, validation_data):
            (x, y, sample_weight), validation_data = train_validation_split(x, y, sample_weight, validation_split)
        listed, backup = order_callbacks(callbacks, verbose)
        saved = backup.read() if backup else None
        progress = Progress(initial_epoch, 0, int(torch.randint(2**62, ())))
        if saved:
            progress = dataclasses.replace(saved.progress)
        feed = make_feed(
            x,
            y,
            sample_weight,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=progress.seed,
            class_weight=class_weight,
            steps=steps_per_epoch,
        )
        validation = validation_feed(validation_data, validation_batch_size or batch_size, validation_steps)
        if not self.built:
            begun = BegunFeed(feed, progress.epoch, progress.step)
            self._build_from(begun.first)
            feed = feed if saved else begun  # a resumed epoch is drawn again once the generators stand where they did
        self._make_ready("fit")
        objective.unbind()
        progress.batches = steps = steps_per_epoch or feed.steps
        keep_freed_memory()
        params = {"epochs": epochs, "steps": steps, "verbose": verbose, "validation_freq": validation_freq}
        run = CallbackList(listed, add_history=True, model=self, **params)
        self.stop_training = progress.stopped
        try:
            with run:
                run.on_train_begin()
                self._resume(run, backup, saved, progress)
                while progress.epoch < epochs and not self.stop_training:
                    logs = self._fit_epoch(feed, objective, run, progress, steps_per_epoch)
                    if validation is not None and (progress.epoch + 1) % validation_freq == 0:
                        figures = self._test(validation, run, validation_steps)
                        logs |= {f"val_{name}": value for name, value in figures.items()}
                    progress.epoch, progress.step = progress.epoch + 1, 0
                    run.on_epoch_end(progress.epoch - 1, logs)
                self.optimizer.finalize_variable_values()
                run.on_train_end()
        except KeyboardInterrupt:
            print(f"\nStopped in epoch {progress.epoch + 1}; the model keeps what it has learnt.")
        assert run.history is not None
        return run.history

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **unknown: Any,
    ) -> Any:
        """The loss and metrics on data.

        Returns:
            A dict by name with `return_dict`; else a list, loss first, or the loss alone where there is no metric.

        Raises:
            UserError: Data or labels cannot be used.
        """
        self._need_compiled()
        refuse_leftovers(self.evaluate, unknown)
        check_flag("evaluate", "return_dict", return_dict)
        check_steps("evaluate", steps=steps)
        feed = make_feed(x, y, sample_weight, batch_size=batch_size, steps=steps, where="evaluate")
        with self._one_pass(feed, callbacks, verbose, steps) as run:
            logs = self._test(feed, run, steps)
        values = list(logs.values())
        return logs if return_dict else values[0] if len(values) == 1 else values

    @naming
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
        **unknown: Any,
    ) -> Any:
        """The outputs for x, as NumPy arrays (N, ...).

        Raises:
            UserError: The data cannot be used.
        """
        refuse_leftovers(self.predict, unknown)
        refuse_steps(self, PREDICTION)
        check_steps("predict", steps=steps)
        feed = make_feed(x, batch_size=batch_size, steps=steps, where="predict")
        with self._one_pass(feed, callbacks, verbose, steps) as run:
            run.on_predict_begin()
            forward = Program(self) if (steps or feed.steps or 0) >= WORTH_A_PROGRAM else self
            outputs = loop.predict(self, feed, callbacks=run, steps=steps, every=self._every, forward=forward)
            run.on_predict_end()
        return outputs

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns; none before `compile`."""
        return [] if self._objective is None else list(self._objective.results())

    @property
    def output_names(self) -> list[str]:
        """What the outputs are called in losses, metrics and logs; none while that is not known."""
        return []

    def _make_ready(self, method: str) -> None:
        """Give the optimizer its weights."""
        if not any(weight.requires_grad for weight in self.parameters()):
            needs = "at least one that training may change"
            raise UserError(f"{self.where}.{method}", "no trainable weights", needs, "Set trainable = True on a layer.")
        self.optimizer.build(self._named_weights())

    def _one_pass(self, feed: Feed, callbacks: Any, verbose: Any, steps: int | None) -> CallbackList:
        """The callbacks of an `evaluate` or a `predict`."""
        return CallbackList([ProgressBar(verbose), callbacks], model=self, steps=steps or feed.steps, verbose=verbose)

    def _fit_epoch(
        self, feed: Feed, objective: Any, run: CallbackList, progress: Progress, steps: int | None
    ) -> dict[str, float]:
        run.on_epoch_begin(progress.epoch)
        if not progress.step:  # an epoch that is resumed counts on
            objective.reset()

        def note(done: int) -> None:
            progress.step = done

        loop.train_epoch(
            self,
            feed,
            objective,
            self.optimizer,
            callbacks=run,
            epoch=progress.epoch,
            first=progress.step,
            steps=steps,
            every=self._every,
            penalty=self._penalty(),
            alone=self._alone() if run.own else (),
            on_step=note,
            stop=lambda: self.stop_training,
            refuse_nan=not any(isinstance(c, TerminateOnNaN) and not c.raise_error for c in run.callbacks),
            step=self._train_step(),
        )
        return to_floats(objective.results())

    def _test(self, feed: Feed, run: CallbackList, steps: int | None) -> dict[str, float]:
        run.on_test_begin()
        options: dict[str, Any] = {
            "steps": steps,
            "every": self._every,
            "penalty": self._penalty(),
            "step": self._test_step(),
        }
        logs = to_floats(loop.evaluate(self, feed, self._counts(), callbacks=run, **options))
        run.on_test_end(logs)
        return logs

    def _named_weights(self) -> list[tuple[str, torch.Tensor]]:
        """Names and weights that training may change, in Keras's order, which its optimizers' files follow."""
        names = {id(parameter): name for name, parameter in self.named_parameters()}
        return [(names[id(weight)], weight) for weight in self.weights if id(weight) in names]

    def _alone(self) -> list[torch.Tensor]:
        """Weights that may step early: see `Optimizer.backward`."""
        return []

    def _penalty(self) -> loop.Penalty:
        if any(holder._penalties for holder in holders_in(self)):
            return self.penalty
        return lambda: self.penalty() if anything_added() else None

    def _resume(
        self, run: CallbackList, backup: BackupAndRestore | None, saved: Checkpoint | None, progress: Progress
    ) -> None:
        if backup is None:
            return
        keepers = [*run.callbacks, self._counts()]
        backup.attach(self, self.optimizer, progress, keepers)
        if saved is not None:
            saved.check_batches(progress.batches)
            saved.apply(self, self.optimizer)
            restore_states(keepers, saved.keepers)
