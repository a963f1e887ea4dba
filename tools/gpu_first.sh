#!/usr/bin/env bash
# The first minutes on a machine with a GPU: what it is, a build, the tests of the kernels on it, other libraries' arrays,
# measurements, and the memory checker. Each step has a time limit, at most its share of the time that is left, and leaves its
# log and a line in steps.txt before the next begins. No network is needed. All of it takes less than eight minutes.
#
# usage: tools/gpu_first.sh [--out FOLDER] [--wheel FILE] [--seconds S] [--scale X] [--python PYTHON] [--emulated FOLDER]
#   --out       the folder of the results (gpu-first)
#   --wheel     a wheel with the CUDA module; without one that can be imported, it is built here, for this GPU alone
#   --seconds   for everything (470)
#   --scale     of all numbers of rows and parameters in gpu_first.py (1)
#   --python    a Python with NumPy, pytest, torch, scikit-build-core and pybind11 (python3)
#   --emulated  the folder of the emulated module: a rehearsal without a GPU, whose times mean nothing
set -uo pipefail
cd "$(dirname "$0")/.."

out=gpu-first wheel="" seconds=470 scale=1 python=python3 emulated=""
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2 ;; --wheel) wheel=$2 ;; --seconds) seconds=$2 ;; --scale) scale=$2 ;;
    --python) python=$2 ;; --emulated) emulated=$2 ;;
    *) sed -n '6,12s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
  esac
  shift 2
done
mkdir -p "$out" && out=$(cd "$out" && pwd)
: >"$out/steps.txt"
failed=0

# The limit of a step that would have `$1` seconds if there was time for all: at most its share of the time that is left.
to_come=0  # seconds that this step and those after it would have
limit_of() {
  local left=$((seconds - SECONDS))
  local share=$(((left * $1 + to_come - 1) / to_come))
  echo $((share < $1 ? share : $1))
}

# A step: its name, its seconds, and a command, whose output goes into a log of that name.
step() {
  local name=$1 begin=$SECONDS limit rc
  limit=$(limit_of "$2")
  to_come=$((to_come - $2))
  shift 2
  if [ "$limit" -lt 1 ]; then
    echo "$name: not begun, no time was left" | tee -a "$out/steps.txt"
    failed=1
    return 1
  fi
  # Interrupted, pytest still prints what failed.
  timeout -s INT -k 10 "$limit" "$@" >"$out/$name.log" 2>&1
  rc=$?
  [ $rc = 0 ] || failed=1
  echo "$name: exit status $rc after $((SECONDS - begin)) of $limit s" | tee -a "$out/steps.txt"
  return $rc
}

# The package lies in a folder of its own, so that nothing of the machine's Python is touched. What is built is no result.
work=$PWD/build/gpu-first site=$PWD/build/gpu-first/site
mkdir -p "$work"
importable() { PYTHONPATH=$site "$python" -c 'import steepest as st, steepest._cuda; print(st.info())'; }
built() {
  local architecture
  "$python" tools/build_requirements.py "$work/requirements" || return 1
  architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d .)
  rm -rf "$site"
  PYTHONPATH=$work/requirements CUDAARCHS=${CUDAARCHS:-${architecture:+$architecture-real}} CMAKE_BUILD_PARALLEL_LEVEL=$(nproc) \
    CMAKE_ARGS="-DSTEEPEST_CUDA=ON -DSTEEPEST_LEVELS=x86_64_v3" \
    "$python" -m pip install -q --no-index --no-deps --no-build-isolation --no-compile --target "$site" . && importable
}
unpacked() {
  rm -rf "$site"
  "$python" -m pip install -q --no-index --no-deps --no-compile --target "$site" "$wheel" && importable
}
machine() {
  nvidia-smi
  nvcc --version
  "$python" -c 'import sys; print(sys.version)'
  "$python" -m pip list 2>/dev/null | grep -i -E '^(numpy|torch|cupy|jax|numba|pytest|scikit-build|pybind11|cmake|ninja)'
  df -h .
  nproc
}
# The kernels and the host's part of them in one program, which Python does not slow down: first as it is, then under the
# memory checker, which does not run on every machine.
checked() {
  local flags source
  rm -rf "$work/objects" && mkdir "$work/objects"
  echo '#define STEEPEST_FOR_EACH_STORAGE(X) X(float, 0) X(BFloat16, 0)' >"$work/two_storages.hpp"
  flags=(-std=c++20 -O1 -lineinfo -arch=native -I. -Icuda/ptx -include "$work/two_storages.hpp" -x cu)
  for source in tests/emulation/drivers/kernels.cpp cuda/engine/*.cpp cuda/*/*.cu; do
    nvcc "${flags[@]}" -c "$source" -o "$work/objects/${source//\//-}.o" &
  done
  wait
  nvcc -arch=native "$work"/objects/*.o -o "$work/kernels" && "$work/kernels" && echo "right without the memory checker" &&
    compute-sanitizer --error-exitcode 1 "$work/kernels"
}
export -f importable built unpacked machine checked
export python site wheel work

first=("$python" benchmarks/gpu_first.py --out "$out/results.jsonl" --scale "$scale")
if [ -n "$emulated" ]; then
  export STEEPEST_EMULATED_DIR=$emulated  # with the package that this Python has
  to_come=250
  step tests 100 "$python" -m pytest -q -p no:cacheprovider -n 0 tests/test_cuda_update.py tests/test_gpu_libraries.py
  step first 150 "${first[@]}" --emulated "$emulated" --repeats 1 --enough 0 --seconds 140
else
  to_come=$((590 + (${#wheel} ? 30 : 0)))
  step machine 20 bash -c machine
  if [ -n "$wheel" ] && step wheel 30 bash -c unpacked; then
    to_come=$((to_come - 170))
  else
    step build 170 bash -c built
  fi
  export PYTHONPATH=$site
  # From the checkout, but with the package that was just installed.
  step tests 100 "$python" -m pytest -q -p no:cacheprovider -n 8 -k "not emulated" \
    tests/test_cuda_*.py tests/test_device*.py
  step libraries 40 "$python" -m pytest -q -p no:cacheprovider -n 0 tests/test_gpu_libraries.py
  step first 170 "${first[@]}" --seconds $(($(limit_of 170) - 20))
  step sanitizer 90 bash -c checked
fi
cat "$out/steps.txt"
exit $failed
