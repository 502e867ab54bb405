"""`striate doctor`: what this machine and this installation are, and what is missing."""

from striate.apps.machine import machine, missing, openmp_runtimes, versions
from striate.apps.output import Output


def doctor(output: Output) -> None:
    """Say what is here, what is missing, and what still works without it."""
    here, packages, gone, runtimes = machine(), versions(), missing(), openmp_runtimes()
    memory = here["memory"]
    facts = here | {
        "memory": f"{memory / 2**30:.1f} GB" if memory else "not known",
        "gpus": ", ".join(here["gpus"]) or "none",
    }
    output.facts(facts | {name: version or "missing" for name, version in packages.items()})
    count = None if runtimes is None else len(runtimes)
    said = {None: "not known on this system", 0: "none", 1: "one, as it should be"}
    output.say(f"OpenMP runtimes: {said.get(count, f'{count}, which will fight over the cores')}")
    for runtime in runtimes or [] if count and count > 1 else []:
        output.say(f"  {runtime}", "yellow")
    for name, use in gone.items():
        output.say(f"Missing: {name}, for {use}; everything else works.", "yellow")
    if not gone:
        output.say("Nothing is missing.")
    output.next(["striate demo" if "mlxtend" not in gone else "striate train FOLDER"])
    output.result({"machine": here, "versions": packages, "missing": gone, "openmp": runtimes})
