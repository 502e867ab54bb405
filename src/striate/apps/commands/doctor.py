"""`striate doctor`: what this machine and this installation are, and what is missing."""

from striate.apps.machine import machine, missing, openmp_runtimes, versions
from striate.apps.output import Output
from striate.kernels.library import units

# What each set of compiled kernels is.
MEANING = {
    "avx512": "avx512: compiled, for processors with AVX-512 (16 numbers at a time)",
    "avx2": "avx2: compiled, for processors with AVX2 (8 numbers at a time)",
    "generic": "generic: compiled, for any processor",
}


def doctor(output: Output) -> None:
    """Say what is here, what is missing, and what still works without it."""
    here, packages, gone, runtimes = machine(), versions(), missing(), openmp_runtimes()
    memory = here["memory"]
    facts = here | {
        "memory": f"{memory / 2**30:.1f} GB" if memory else "not known",
        "gpus": ", ".join(here["gpus"]) or "none",
        "kernels": MEANING.get(here["kernels"], here["kernels"]),
    }
    output.facts(facts | {name: version or "missing" for name, version in packages.items()})
    count = None if runtimes is None else len(runtimes)
    said = {
        None: "not known on this system",
        0: "none, so that operations run in one thread",
        1: "one, as it should be: it hands the work to the cores",
    }
    output.say(f"OpenMP runtimes: {said.get(count, f'{count}, which will fight over the cores')}")
    for runtime in runtimes or [] if count and count > 1 else []:
        output.say(f"  {runtime}", "yellow")
    if not units():
        fix = "install a C++ compiler (Debian and Ubuntu: g++), then striate once more"
        output.say(f"No kernels are compiled: {fix}; until then networks run as fast as PyTorch by itself.", "yellow")
    for name, use in gone.items():
        output.say(f"Missing: {name}, for {use}; everything else works.", "yellow")
    if not gone:
        output.say("Nothing is missing.")
    output.next(["striate demo" if "mlxtend" not in gone else "striate train FOLDER"])
    output.result({"machine": here, "versions": packages, "missing": gone, "openmp": runtimes})
