#!/bin/sh
# Measures this crate on a discrete GPU, in one table, together with PyTorch on the same GPU if it is installed.
#
#   benches/discrete.sh build DIR     builds the programs and puts everything needed into DIR, for copying to the machine
#   DIR/discrete.sh [--small] [--adapter NAME]
#                                     runs there, offline: x86-64 Linux with a Vulkan loader and driver
#
# If the machine has no Vulkan loader, put libvulkan.so.1 beside this file. PyTorch's rows need python3 with torch.
# Exits with 1 if a check of the results fails.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

if [ "${1:-}" = build ]; then
    to=${2:?a directory}
    cd "$here/.."
    cargo build --release --example verify --example gpu_report --example tune
    bench=$(cargo bench --bench vs_backprop --no-run --message-format=json 2>/dev/null |
        sed -n 's/.*"name":"vs_backprop".*"executable":"\([^"]*\)".*/\1/p')
    mkdir -p "$to"
    cp target/release/examples/verify target/release/examples/gpu_report target/release/examples/tune "$to"
    cp "$bench" "$to/vs_backprop"
    cp benches/discrete.sh benches/discrete.py "$to"
    cp -r tests/golden "$to"
    exit
fi

small=
adapter=
while [ $# -gt 0 ]; do
    case $1 in
    --small) small=--small ;;
    --adapter) adapter=${2:?a name} && shift ;;
    *) echo "unknown option $1" >&2 && exit 2 ;;
    esac
    shift
done
cd "$here"
export LD_LIBRARY_PATH="$here${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
wanted() { if [ -n "$adapter" ]; then "$@" --adapter "$adapter"; else "$@"; fi; }

echo "# $(date -u +%Y-%m-%d)"
status=0
echo "## Results against the golden vectors"
if [ -n "$small" ]; then only=mlp_tanh; else only=; fi
log=$(mktemp)
wanted ./verify --vectors golden ${only:+--only "$only"} >"$log" 2>&1 || status=1
if [ $status = 0 ]; then tail -n 3 "$log"; else cat "$log"; fi
rm "$log"
echo "## Products, bandwidth, small steps, updates"
wanted ./gpu_report $small || status=1
echo "## Steps beside plain backprop"
if [ -n "$small" ]; then only="784-512-512-10 tanh, batch 32"; else only=; fi
wanted ./vs_backprop --bench --quick ${only:+--only "$only"} || status=1
echo "## PyTorch"
if python3 -c 'import torch' 2>/dev/null; then python3 discrete.py $small || status=1; else echo "not at hand"; fi
exit $status
