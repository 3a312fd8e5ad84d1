#!/usr/bin/env bash
# The demo is the product's own commands, one after the other; each is printed before it runs.
#   LOG=path     a combat log of your own instead of the simulated nights
#   NO_SERVE=1   stop before serving
#   DEMO=folder  where the project goes (default: demo/guild, or demo/own for a log of your own)
set -euo pipefail
cd "$(dirname "$0")/.."
gamelake="$PWD/.venv/bin/gamelake"
project="${DEMO:-$([ -n "${LOG:-}" ] && echo demo/own || echo demo/guild)}"

say() { printf '\n$ %s\n' "$*" >&2; }
step() { say "gamelake $*"; "$gamelake" "$@"; }

[ -z "${LOG:-}" ] || log=$(realpath -e -- "$LOG")
[ -e "$project/gamelake.toml" ] || step init "$project" --pack wow
cd "$project"
if [ -n "${LOG:-}" ]; then
    step raid import "$log"
else
    if [ ! -d logs ]; then # moved into place when complete, so that an interrupted demo starts over
        rm -rf logs.new
        step simulate wow --format combatlog --nights 12 --seed 7 --out logs.new
        mv logs.new logs
    fi
    say "gamelake raid import logs/*.txt"
    "$gamelake" raid import logs/*.txt
fi
step run
if [ -n "${NO_SERVE:-}" ]; then
    echo "done: cd $project && $gamelake serve" >&2
else
    say "gamelake serve"
    exec "$gamelake" serve
fi
