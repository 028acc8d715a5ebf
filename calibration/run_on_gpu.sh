#!/usr/bin/env bash
# Everything that a GPU is measured for, unattended and in under 25 minutes: kernels, calibration, dense and
# pruned models, and the comparison of what was predicted with what was measured. All files go to one folder.
#
#     calibration/run_on_gpu.sh                             # cuda:0, Llama-3.1-8B, folder out/<gpu>
#     calibration/run_on_gpu.sh --device cpu                # the same steps on this CPU, smaller: 5 minutes
#     calibration/run_on_gpu.sh --print                     # prints the commands and runs none
#
# Options: --device cuda:0|cpu, --out FOLDER, --profile NAME|FILE.toml (of a GPU whose name infersim does not
# know), --print. The program is `infersim` on the path, or $INFERSIM.
#
# Every step has its time and is stopped when that is over; what it measured is kept, the next step goes on, and
# the same command again continues where this one ended. Exit status: the number of steps that did not succeed.

set -u -o pipefail

infersim=${INFERSIM:-infersim}
device=cuda:0
out=
profile=
print_only=false
while [ $# -gt 0 ]; do
    case $1 in
        --device) device=$2; shift 2 ;;
        --out) out=$2; shift 2 ;;
        --profile) profile=$2; shift 2 ;;
        --print) print_only=true; shift ;;
        *) sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done
out=${out:-out/measured-${device/:/-}}
$print_only || mkdir -p "$out" || exit 2
here=$(cd "$(dirname "$0")" && pwd)
failed=0

# step SECONDS NAME COMMAND...: one step, at most so long; its output on the terminal and in NAME.log
step() {
    local seconds=$1 name=$2
    shift 2
    if $print_only; then
        printf "%q " "$@"; echo
        return
    fi
    echo "== $name (at most $seconds s): $*"
    # SIGINT lets the program end its sentence; who does not listen is killed, and the logs survive that too.
    if timeout --foreground --signal=INT --kill-after=20 "$seconds" "$@" 2>&1 | tee "$out/$name.log"; then
        return
    fi
    echo "== $name did not succeed or ran out of time; going on" >&2
    failed=$((failed + 1))
}

# The folder gets the datasheet too, as a fit is found beside it.
datasheet_of_gpu() {
    local name
    name=$(sed -n '2s/.*"gpu": "\([^"]*\)".*/\1/p' "$out/kernels.jsonl") || return 1
    "$infersim" gpus "$name" >/dev/null || return 1
    for folder in "$here/../hw_profiles" "$here/../data/hw_profiles"; do
        [ -f "$folder/$name.toml" ] && cp "$folder/$name.toml" "$out/profile.toml" && return
    done
    return 1
}

if [ "$device" = cpu ]; then
    cpu=(--device cpu --threads 1 --clock cpu)
    model=$here/small-llama.json
    plans=(--model "$model" --families "static-m,static-nk,static-k-lowrank,dynamic-m/execution=gather")
    plans+=(--sparsity 0.5 --batch 1 --context 256)
    execution=(--dtype fp32 --no-cuda-graph)
    step 60 machine "$infersim" measure machine "${cpu[@]}" --name this-cpu --out "$out/profile.toml"
    step 150 kernels "$infersim" measure kernels "${cpu[@]}" --gpu "$out/profile.toml" --passes 1 \
        --out "$out/kernels.jsonl"
    samples=("$out/kernels.jsonl")
    measure_models=("${cpu[@]}" --gpu "$out/profile.toml" --seconds 3)
    model_seconds=100
else
    plans=(--model llama-3.1-8b --sparsity 0.25,0.5 --batch 1,8 --context 1024,8192)
    execution=(--dtype bf16)
    named=()
    [ -n "$profile" ] && named=(--gpu "$profile")
    $print_only || nvidia-smi -q > "$out/nvidia-smi.txt" 2>&1
    step 420 kernels "$infersim" measure kernels --device "$device" "${named[@]}" --with-2-4 \
        --out "$out/kernels.jsonl"
    step 180 kernels-fp8 "$infersim" measure kernels --device "$device" "${named[@]}" --plan gemm-400 \
        --dtype fp8 --out "$out/kernels-fp8.jsonl"
    samples=("$out/kernels.jsonl")
    # A GPU without FP8 has a log without latencies.
    if $print_only || grep -qs '"latency_us"' "$out/kernels-fp8.jsonl"; then
        samples+=("$out/kernels-fp8.jsonl")
    fi
    measure_models=(--device "$device" "${named[@]}" --seconds 2)
    model_seconds=420
    if [ -n "$profile" ] && [ -f "$profile" ]; then
        $print_only || cp "$profile" "$out/profile.toml"
    elif ! $print_only && ! datasheet_of_gpu; then
        echo "== infersim has no datasheet of this GPU: write one (CONTRIBUTING.md), name it with --profile" >&2
    fi
fi

# First a fit that is judged on what it has not seen, then the one that is used, on all samples.
step 150 held-out "$infersim" calibrate "$out/profile.toml" "${samples[@]}" --hold-out 0.3 --skip-bad \
    --out "$out/held-out.fit.json"
step 150 calibrate "$infersim" calibrate "$out/profile.toml" "${samples[@]}" --skip-bad \
    --out "$out/profile.fit.json"
step 45 validate "$infersim" validate "$out/profile.toml" "${samples[0]}" --skip-bad \
    --html "$out/validation.html"
step "$model_seconds" models "$infersim" measure model "${plans[@]}" "${measure_models[@]}" --out "$out/models.csv"
step 60 compare "$infersim" compare "${plans[@]}" "${execution[@]}" --gpu "$out/profile.toml" \
    --measured "$out/models.csv" --html "$out/report.html"

$print_only && exit 0
echo "== everything is in $out; steps that did not succeed: $failed"
exit "$failed"
