#!/usr/bin/env bash
# Everything that a GPU is measured for, unattended and in under 28 minutes: kernels, calibration, dense and
# pruned models, and the comparison of what was predicted with what was measured. All files go to one folder.
#
#     calibration/run_on_gpu.sh                             # cuda:0, Llama-3.1-8B, folder out/<gpu>
#     calibration/run_on_gpu.sh --device cpu                # the same steps on this CPU, smaller: 5 minutes
#     calibration/run_on_gpu.sh --print                     # prints the commands and runs none
#
# Options: --device cuda:0|cpu, --out FOLDER, --profile NAME|FILE.toml (of a GPU whose name infersim does not
# know), --print. The program is `infersim` on the path, or $INFERSIM.
#
# The first step tries a kernel of every kind: where none runs, or nothing is known of the GPU, it ends there.
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
        *) sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
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
    return 1
}

# models SECONDS NAME OPTIONS...: pruned models; a plan that takes the GPU's process with it is left behind
models() {
    local end=$((SECONDS + $1)) name=$2
    shift 2
    until step $((end - SECONDS)) "$name" "$infersim" measure model "${plans[@]}" "$@" $(stack "$name") \
        "${measure_models[@]}" --out "$out/$name.csv"; do
        grep -qs "the same command goes on after it" "$out/$name.log" && [ $((end - SECONDS)) -gt 20 ] || return
        failed=$((failed - 1))
    done
}

# beside NAME OPTIONS...: what was measured beside what is predicted, as a page
beside() {
    local name=$1
    shift
    step 45 "compare-$name" "$infersim" compare "${plans[@]}" "$@" "${execution[@]}" $(stack "$name") \
        --gpu "$out/profile.toml" --measured "$out/$name.csv" --html "$out/report${name#models}.html"
}

# Where a stack of fewer layers was measured, as the model did not fit, the same stack is what goes on.
stack() {
    sed -n 's/.*(\([0-9]*\) of [0-9]* layers).*/--layers \1/p' "$out/$1.csv" 2>/dev/null | head -n 1
}

# What the first line of a log says of the machine.
said() {
    sed -n "2s/.*\"$1\": \"\([^\"]*\)\".*/\1/p" "$out/check.jsonl"
}

# The folder gets the datasheet too, as a fit is found beside it.
datasheet_of_gpu() {
    local name
    name=$(said gpu)
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
    plans+=(--sparsity 0.5)
    execution=(--dtype fp32 --no-cuda-graph)
    step 60 machine "$infersim" measure machine "${cpu[@]}" --name this-cpu --out "$out/profile.toml"
    step 150 kernels "$infersim" measure kernels "${cpu[@]}" --gpu "$out/profile.toml" --passes 1 \
        --out "$out/kernels.jsonl"
    samples=("$out/kernels.jsonl")
    measure_models=("${cpu[@]}" --gpu "$out/profile.toml" --seconds 3)
else
    # The families with the options under which PyTorch has their kernels: predicted must be what is measured.
    plans=(--model llama-3.1-8b --sparsity 0.25,0.5 --families "static-m,static-k-2:4,static-k-lowrank,static-nk")
    plans[-1]+=",static-nk-cross,dynamic-m/execution=gather,dynamic-nk,kv-pruning"
    named=()
    [ -n "$profile" ] && named=(--gpu "$profile")
    $print_only || nvidia-smi -q > "$out/nvidia-smi.txt" 2>&1
    step 90 check "$infersim" measure kernels --device "$device" "${named[@]}" --plan check --with-2-4 \
        --out "$out/check.jsonl"
    if ! $print_only; then
        if ! grep -qs '"latency_us"' "$out/check.jsonl"; then
            echo "== nothing can be measured here: see above" >&2
            exit 1
        fi
        sed -n '/"status": "ok"/d; s/.*"kind": "\([^"]*\)".*"status": "\([^"]*\)".*/== left out, \1: \2/p' \
            "$out/check.jsonl" | sort -u
        if [ -n "$profile" ] && [ -f "$profile" ]; then
            cp "$profile" "$out/profile.toml"
        elif ! datasheet_of_gpu; then
            echo "== infersim has no datasheet of this GPU: write one (CONTRIBUTING.md), name it with --profile" >&2
            exit 1
        fi
    fi
    # GPUs before Ampere have no tensor cores for bf16.
    dtype=bf16
    $print_only || case $(said compute_capability) in [5-7].*) dtype=fp16 ;; esac
    execution=(--dtype "$dtype")
    step 390 kernels "$infersim" measure kernels --device "$device" "${named[@]}" --with-2-4 --dtype "$dtype" \
        --out "$out/kernels.jsonl"
    step 160 kernels-fp8 "$infersim" measure kernels --device "$device" "${named[@]}" --plan gemm-400 \
        --dtype fp8 --out "$out/kernels-fp8.jsonl"
    # Widths off multiples of 64, which no published table has.
    step 110 misalignment "$infersim" measure kernels --device "$device" "${named[@]}" --plan misalignment \
        --with-2-4 --dtype "$dtype" --out "$out/misalignment.jsonl"
    step 60 misalignment-fp8 "$infersim" measure kernels --device "$device" "${named[@]}" --plan misalignment \
        --dtype fp8 --out "$out/misalignment-fp8.jsonl"
    samples=("$out/kernels.jsonl")
    # A GPU without FP8 has a log without latencies.
    if $print_only || grep -qs '"latency_us"' "$out/kernels-fp8.jsonl"; then
        samples+=("$out/kernels-fp8.jsonl")
    fi
    measure_models=(--device "$device" "${named[@]}" --dtype "$dtype" --seconds 2)
fi

# First a fit that is judged on what it has not seen, then the one that is used, on all samples.
step 140 held-out "$infersim" calibrate "$out/profile.toml" "${samples[@]}" --hold-out 0.3 --skip-bad \
    --out "$out/held-out.fit.json"
step 140 calibrate "$infersim" calibrate "$out/profile.toml" "${samples[@]}" --skip-bad \
    --out "$out/profile.fit.json"
step 45 validate "$infersim" validate "$out/profile.toml" "${samples[0]}" --skip-bad \
    --html "$out/validation.html"
# Short prompts first: all plans are measured in them before long ones begin.
if [ "$device" = cpu ]; then
    models 150 models --batch 1 --context 256
    beside models --batch 1 --context 256
else
    models 260 models --batch 1,8 --context 1024
    models 170 models-long --batch 1 --context 8192
    beside models --batch 1,8 --context 1024
    beside models-long --batch 1 --context 8192
fi

$print_only && exit 0
echo "== everything is in $out; steps that did not succeed: $failed"
exit "$failed"
