"""Training steps and inference of whole networks: striate beside PyTorch and, if installed, Keras and ONNX Runtime.

Every side runs in a process of its own, turn and turn about, on the same data from the same weights; a ratio is the
time of the other over striate's in the same round, so that above 1 striate is faster. The losses of the first steps
(of inference, the outputs) must agree.
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from limits import Peaks, limit, measure_peaks
from measure import arguments, report, spread
from networks_table import NETWORKS
from networks_text import lines_of, table_of
from torch_sides import make_model, save_data
from turns import HERE, SideError, Worker, take_turns

PEERS = HERE.parent / "build" / "peers" / "bin" / "python"
BACKENDS = ("tensorflow", "jax", "torch")
AGREE = {"float32": 1e-4, "bfloat16": 5e-2}  # of losses, relatively; bfloat16 has three digits
Command = tuple[list[str], dict[str, str]]


def commands(name: str, batch: int | None, options: argparse.Namespace, folder: Path) -> dict[str, Command]:
    """What runs each side, and in which environment; the files that peers need are left in the folder."""
    common = f"--threads {options.threads} --precision {options.precision} --steps {options.steps}".split()
    common += ["--batch", str(batch)] if batch else []
    common += ["--compile"] if options.compile else []
    script = str(HERE / "torch_sides.py")
    found: dict[str, Command] = {
        side: ([sys.executable, script, side, name, *common], {}) for side in ("striate", "torch", "torch tuned")
    }
    if not options.peers or options.precision != "float32":
        return found
    for checked, file in ((False, "model.keras"), (True, "checked.keras")):
        model = make_model(name, checked, batch)
        model.save(folder / file)
    save_data(str(folder / "data.npz"), name, model, batch)
    network = NETWORKS[name]
    size = batch or network.batch
    told = f"--threads {options.threads} --steps {options.steps} --size {size} --rate {network.rate}"
    keras = [str(PEERS), str(HERE / "keras_side.py"), str(folder), network.loss, *told.split()]
    keras += ["--predict"] if batch else []
    found |= {f"keras {backend}": (keras, {"KERAS_BACKEND": backend}) for backend in BACKENDS}
    if batch:
        onnx = [str(HERE / "onnx_side.py"), name, "--threads", str(options.threads), "--batch", str(batch)]
        found["onnx runtime"] = ([str(PEERS), *onnx], {})
    return found


def difference(mine: list[list[float]], theirs: list[list[float]]) -> float:
    """The largest relative difference of losses, or of outputs relative to the largest of them."""
    if len(mine) > 1:
        return max(abs(a[0] / b[0] - 1) for a, b in zip(mine, theirs, strict=True))
    scale = max(map(abs, theirs[0]))
    return max(abs(a - b) for a, b in zip(mine[0], theirs[0], strict=True)) / scale


def compare(name: str, batch: int | None, options: argparse.Namespace, peaks: Peaks) -> dict[str, Any]:
    """One row: all sides of a network."""
    workers: dict[str, Worker] = {}
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            for side, (command, environment) in commands(name, batch, options, Path(folder)).items():
                if options.sides and side not in ("striate", *options.sides):
                    continue
                try:
                    workers[side] = Worker(command, options.threads, environment)
                except SideError as error:
                    failed[side] = str(error)
            if "striate" in failed:
                raise SideError(f"striate on {name}: {failed['striate']}")
            take_turns(list(workers.values()), options.rounds, options.seconds)
        finally:
            for worker in workers.values():
                worker.close()
    sides = {side: told_of(worker) for side, worker in workers.items()}
    own = workers["striate"]
    for side, worker in workers.items():
        if side != "striate":
            ratios = [other / mine for other, mine in zip(worker.seconds, own.seconds, strict=True)]
            figures = own.ready["figures"], worker.ready["figures"]
            sides[side] |= {"ratio": spread(ratios), "difference": difference(*figures)}
    floor = limit(make_model(name, False), batch or NETWORKS[name].batch, batch is None, options.precision, peaks)
    share = max(floor.values()) / statistics.median(own.seconds)
    return {"batch": batch or NETWORKS[name].batch, "sides": sides, "failed": failed, "limit": floor, "share": share}


def told_of(worker: Worker) -> dict[str, Any]:
    """What a side alone says."""
    figures, ready = worker.ready["figures"], worker.ready
    losses = {"first_loss": figures[0][0], "last_loss": figures[-1][0]} if len(figures) > 1 else {}
    return {"seconds": spread(worker.seconds), "memory": ready["memory"], "way": ready["way"], **losses}


def parse() -> argparse.Namespace:
    """The options."""
    parser = arguments(__doc__)
    parser.add_argument("--only", default="", help="networks with this in their name")
    parser.add_argument(
        "--sides", nargs="*", help="only these beside striate: torch, 'torch tuned', 'onnx runtime', ..."
    )
    parser.add_argument("--rounds", type=int, default=15, help="turns of each side (default 15)")
    parser.add_argument("--seconds", type=float, default=0.25, help="of a turn, roughly (default 0.25)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--precision", choices=list(AGREE), default="float32")
    parser.add_argument("--inference", action="store_true", help="predict batches of 1 and of 64 instead of training")
    parser.add_argument("--steps", type=int, default=10, help="whose losses are compared (default 10)")
    parser.add_argument("--compile", action="store_true", help="PyTorch, tuned, may use torch.compile, too")
    parser.add_argument("--markdown", action="store_true", help="print a table as it stands in README.md")
    parser.add_argument("--peers", action="store_true", help="Keras and ONNX Runtime, too, after `make bench-peers`")
    options = parser.parse_args()
    if options.peers and not PEERS.exists():
        parser.error(f"--peers needs {PEERS.relative_to(HERE.parent)}: run `make bench-peers` first.")
    return options


def main() -> None:
    """Measure and report."""
    options = parse()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    torch.set_num_threads(options.threads)
    peaks = measure_peaks(options.precision)
    names = [name for name in NETWORKS if options.only in name]
    rows: dict[str, Any] = {}
    best = f"{peaks.flops / 1e9:.0f} GFLOP/s in {options.precision} products, {peaks.bytes / 1e9:.1f} GB/s copied"
    lines = [f"peaks: {best}"]
    for name in names:
        for batch in (1, 64) if options.inference else (None,):
            row = compare(name, batch, options, peaks)
            title = f"{name}, {'inference' if batch else 'training'}, batch {row['batch']}"
            rows[title] = row
            found = lines_of(title, row, AGREE[options.precision])
            print(*found, sep="\n", file=sys.stderr)  # it takes minutes
            lines += found
    about = {"precision": options.precision, "rounds": options.rounds, "threads": options.threads}
    lines = table_of(rows) if options.markdown else lines
    report(options, {"networks": rows, "peaks": vars(peaks), **about}, lines)
    wrong = [
        f"{title}, {side}"
        for title, row in rows.items()
        for side, found in row["sides"].items()
        if found.get("difference", 0) > AGREE[options.precision]
    ]
    if wrong:
        sys.exit(f"These do not compute the same: {'; '.join(wrong)}.")


if __name__ == "__main__":
    main()
