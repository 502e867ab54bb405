"""The side of `networks.py` that is ONNX Runtime, to predict: `make bench-peers`."""

import argparse
import tempfile
import warnings
from pathlib import Path

import onnxruntime
import torch
from networks_table import NETWORKS
from serve import serve
from torch_sides import make_data, make_model, some
from torch_twin import Twin, channels_first


class Onnx:
    """The PyTorch twin, exported, as a session."""

    def __init__(self, network: str, batch: int, threads: int, checked: bool) -> None:
        model = make_model(network, checked, batch)
        twin = Twin(model)
        x = channels_first(torch.from_numpy(make_data(network, model, batch)[0])).contiguous()
        chosen = onnxruntime.SessionOptions()
        chosen.intra_op_num_threads, chosen.inter_op_num_threads = threads, 1
        chosen.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others are to run meanwhile
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of the exporter that needs nothing more installed
            path = str(Path(folder, "network.onnx"))
            whole = torch.nn.Sequential(twin.module, twin.final).eval()
            torch.onnx.export(whole, (x,), path, input_names=["x"], dynamo=False)
            self.session = onnxruntime.InferenceSession(path, chosen, providers=["CPUExecutionProvider"])
        self.x = x.numpy()

    def step(self) -> None:
        """The outputs."""
        (self.outputs,) = self.session.run(None, {"x": self.x})

    def figures(self) -> list[float]:
        """Some of the last outputs."""
        outputs = self.outputs
        return some(outputs.transpose(0, *range(2, outputs.ndim), 1) if outputs.ndim > 2 else outputs)


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=list(NETWORKS))
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    serve({"": lambda checked: Onnx(options.network, options.batch, options.threads, checked)}, 1)


if __name__ == "__main__":
    main()
