"""How much longer importing striate takes than importing torch: each time in a fresh process, turn and turn about."""

import subprocess
import sys

from measure import arguments, report, spread, tell

from striate import MODULES

# Both clocks are read in the one process: starting Python does not count, and what torch has imported is there.
PROGRAM = """
import time
begin = time.perf_counter()
import torch
middle = time.perf_counter()
import {}
print(middle - begin, time.perf_counter() - middle)
"""
CASES = {
    "striate": "striate",
    "striate.layers and striate.models": "striate.layers, striate.models",
    "every public module": ", ".join(f"striate.{name}" for name in MODULES),
}


def seconds(modules: str) -> tuple[float, float]:
    """How long a fresh Python takes to import torch, and then these modules."""
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(modules)], check=True, capture_output=True, text=True)
    torch_alone, beyond = map(float, done.stdout.split())
    return torch_alone, beyond


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="processes of each kind (default 10)")
    options = parser.parse_args()
    seconds(CASES["every public module"])  # unmeasured: from disk into memory
    rounds = [{name: seconds(modules) for name, modules in CASES.items()} for _ in range(options.rounds)]
    torch_alone = spread([times[0] for row in rounds for times in row.values()])
    beyond = {name: spread([row[name][1] for row in rounds]) for name in CASES}
    lines = [f"import torch: {tell(torch_alone)} s; beyond it:"]
    lines += [f"import {name}: {tell(cost)} s" for name, cost in beyond.items()]
    report(options, {"seconds_torch": torch_alone, "seconds_beyond": beyond, "rounds": options.rounds}, lines)


if __name__ == "__main__":
    main()
