"""Checkpoints: whole or refused, and a killed training ends as an unbroken one."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from striate.foundation.checks import UserError
from striate.layers import BatchNormalization, Dense
from striate.models import Sequential
from striate.training import optimizers
from striate.training.backup import BackupAndRestore, restore_states, states_of
from striate.training.callback import Callback
from striate.training.callbacks import EarlyStopping
from striate.training.checkpoint import Progress, read_checkpoint, save_checkpoint


def trained():
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimizer = optimizers.get("adam")
    optimizer.build(list(module.parameters()))
    module(torch.randn(4, 3)).square().sum().backward()
    optimizer.step()
    return module, optimizer


def test_a_checkpoint_brings_everything_back(tmp_path):
    module, optimizer = trained()
    path = tmp_path / "state.safetensors"
    save_checkpoint(path, module, optimizer, Progress(2, 7, 11), {"stop": {"wait": 3}})
    drawn = (torch.rand(3), np.random.random())
    other, fresh = trained()
    saved = read_checkpoint(path)
    saved.apply(other, fresh)
    assert saved.progress == Progress(2, 7, 11)
    assert saved.keepers == {"stop": {"wait": 3}}
    for one, two in zip(module.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(one, two)
    for (_, one), (_, two) in zip(optimizer.variables(), fresh.variables(), strict=True):
        assert torch.equal(one, two)
    assert torch.equal(torch.rand(3), drawn[0])
    assert np.random.random() == drawn[1]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text"])
def test_damage_is_refused(tmp_path, damage):
    path = tmp_path / "state.safetensors"
    save_checkpoint(path, *trained(), Progress())
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[-3] ^= 1
    path.write_bytes({"truncated": content[:-10], "empty": b"", "text": b"hello " * 99}.get(damage, content))
    with pytest.raises(UserError, match=r"Checkpoint .* it needs a whole checkpoint file\. Delete it"):
        read_checkpoint(path)


def test_another_network_s_checkpoint_is_refused(tmp_path):
    path = tmp_path / "state.safetensors"
    save_checkpoint(path, *trained(), Progress())
    other = torch.nn.Linear(3, 5)
    with pytest.raises(UserError, match="weights of other shapes; it needs those of this Linear"):
        read_checkpoint(path).apply(other, optimizers.get("adam"))


PROGRAM = textwrap.dedent("""
    import sys, os, signal, numpy as np, torch
    from striate.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input
    from striate.models import Sequential
    from striate.callbacks import (BackupAndRestore, Callback, EarlyStopping, LearningRateScheduler, ReduceLROnPlateau,
                                   SwapEMAWeights, TensorBoard)
    from striate.optimizers import Adam

    folder, kill_at = sys.argv[1], int(sys.argv[2])
    torch.manual_seed(5)
    x = torch.rand(60, 8, 8, 1); y = (x.mean((1, 2, 3)) > 0.5).float()
    model = Sequential([Input((8, 8, 1)), Conv2D(4, 3, activation="relu"), BatchNormalization(), Flatten(),
                        Dropout(0.3), Dropout(0.3, seed=1), Dense(1, "sigmoid")])
    model.compile(Adam(0.01, use_ema=True, ema_momentum=0.5), "binary_crossentropy", metrics=["accuracy"])

    class Kill(Callback):
        steps = 0
        def on_train_batch_end(self, batch, logs=None):
            Kill.steps += 1
            if Kill.steps == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    history = model.fit(x, y, batch_size=8, epochs=4, verbose=0, validation_data=(x, y), callbacks=[
        LearningRateScheduler(lambda epoch, rate: rate * 0.75), SwapEMAWeights(swap_on_epoch=True),
        ReduceLROnPlateau("val_loss", patience=1, min_delta=1, factor=0.5), EarlyStopping("val_loss", patience=9),
        TensorBoard(folder + "/board", update_freq=2), Kill(), BackupAndRestore(folder + "/backup", save_freq=3)])
    figures = {name: history.history[name] for name in ("loss", "accuracy", "val_loss", "learning_rate")}
    np.savez(folder + "/end.npz", *model.get_weights(), **figures)
""")


def run(folder: Path, kill_at: int) -> int:
    folder.mkdir(exist_ok=True)
    return subprocess.run([sys.executable, "-c", PROGRAM, str(folder), str(kill_at)], check=False).returncode


def test_killed_and_resumed_equals_unbroken(tmp_path):
    assert run(tmp_path / "unbroken", 0) == 0
    for kill_at in (5, 8, 11):  # in mid-epoch, at the end of one, after a second start
        assert run(tmp_path / "broken", kill_at) == -signal.SIGKILL
    assert run(tmp_path / "broken", 0) == 0
    one, two = (np.load(tmp_path / name / "end.npz") for name in ("unbroken", "broken"))
    assert one.files == two.files
    for name in one.files:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)
    assert len(set(one["learning_rate"] / 0.75 ** np.arange(4))) > 1  # the plateau counts, too
    assert not (tmp_path / "broken" / "backup" / "checkpoint.safetensors").exists()
    for folder in ("train", "validation"):
        one, two = (events(tmp_path / name / "board" / folder) for name in ("unbroken", "broken"))
        assert one == two


def events(folder: Path) -> set[tuple[str, int, float]]:
    """Every figure in the event files of a folder, with its tag and step; repeated ones once."""
    found = set()
    for path in folder.iterdir():
        for event in EventFileLoader(str(path)).Load():
            found |= {(v.tag, event.step, *v.tensor.float_val) for v in event.summary.value if v.tag != "keras"}
    assert len(found) >= 8
    return found


def test_a_network_built_again_under_other_names_goes_on(tmp_path):
    def fit(epochs):
        torch.manual_seed(1)
        model = Sequential([Dense(3, input_shape=(4,)), BatchNormalization(), Dense(1)])
        model.compile("adam", "mse")
        x = torch.rand(20, 4)
        backup = BackupAndRestore(tmp_path, delete_checkpoint=False)
        return model, model.fit(x, x.sum(1), epochs=epochs, verbose=0, callbacks=[backup])

    fit(2)
    model, history = fit(3)
    assert history.epoch == [0, 1, 2]
    assert model.optimizer.iterations == 3


def test_what_has_changed_since_is_refused(tmp_path):
    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise KeyboardInterrupt

    def fit(optimizer="adam", metrics=None, batch_size=4, extra=()):
        torch.manual_seed(1)
        model = Sequential([Dense(1, input_shape=(4,))])
        model.compile(optimizer, "mse", metrics=metrics)
        x = torch.rand(20, 4)
        backup = BackupAndRestore(tmp_path, save_freq=1)
        model.fit(x, x.sum(1), epochs=2, batch_size=batch_size, verbose=0, callbacks=[*extra, backup])

    fit(extra=[Stop()])
    with pytest.raises(UserError, match="the state of Adam; it needs that of SGD"):
        fit("sgd")
    with pytest.raises(UserError, match="an epoch of 5 batches begun; it needs one of 10"):
        fit(batch_size=2)
    with pytest.raises(UserError, match="2 losses and metrics; it needs the 1 that the checkpoint has counted"):
        fit(metrics=["mse"])
    fit()


def test_a_training_that_was_stopped_early_does_not_go_on(tmp_path):
    def fit(backup):
        torch.manual_seed(1)
        model = Sequential([Dense(1, input_shape=(4,))])
        model.compile("sgd", "mse")
        early = EarlyStopping("loss", patience=0, mode="max")
        return model.fit(torch.rand(8, 4), torch.rand(8), epochs=9, verbose=0, callbacks=[early, backup]).epoch

    assert fit(BackupAndRestore(tmp_path, delete_checkpoint=False)) == [0, 1]
    assert fit(BackupAndRestore(tmp_path)) == [0, 1]


def test_states_go_back_to_the_callback_that_watches_the_same(tmp_path):
    one, two = EarlyStopping("loss"), EarlyStopping("val_loss")
    states = states_of([one, two])
    states["EarlyStopping.loss.0"]["wait"] = 5
    restore_states([two, one], states)
    assert (one.wait, two.wait) == (5, 0)
