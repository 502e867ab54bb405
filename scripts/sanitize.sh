#!/usr/bin/env bash
# Compiles the kernels so that reads and writes outside of arrays, and undefined behaviour, end the program, and runs
# their tests. For GCC on Linux.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=build/sanitized
flags=(-std=c++17 -O1 -g1 -fopenmp -fPIC -fvisibility=hidden -Wno-psabi -fno-omit-frame-pointer)
sanitizers=(-fsanitize=address,undefined -fno-sanitize-recover=undefined)

command -v g++ >/dev/null || { echo "There is no g++: the kernels are not checked by sanitizers." && exit 0; }
mkdir -p "$folder"
python=${VENV:-.venv}/bin/python
digest=$(PYTHONPATH=src "$python" -c "from striate.kernels.library import SOURCES, digest; print(digest(SOURCES))")
flags+=("-DSTRIATE_DIGEST=\"$digest\"")
jobs=()
for source in src/striate/kernels/native/*.cpp; do
  g++ "${flags[@]}" "${sanitizers[@]}" -c "$source" -o "$folder/$(basename "$source" .cpp).o" &
  jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job"; done
g++ -shared "${sanitizers[@]}" "$folder"/*.o -o "$folder/_native.so" # OpenMP's functions are torch's, as in setup.py

preload="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libubsan.so)"
export STRIATE_SANITIZED="$folder/_native.so" OMP_NUM_THREADS=1 UBSAN_OPTIONS=print_stacktrace=1
LD_PRELOAD=$preload ASAN_OPTIONS=detect_leaks=0 "$python" -m pytest -q --capture=sys -p no:cacheprovider \
  tests/kernels -k "any_ or share or same_cells or steps_are_torchs" "$@"
