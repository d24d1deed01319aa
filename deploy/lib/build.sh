#!/bin/bash
# build.sh FOLDER TARGET [MESON OPTION...]: configures FOLDER of the checkout if needed, and builds
# TARGET ("all", or a file). Quiet unless it fails.
set -eu
cd "$(dirname "$0")/../.."
folder=$1 target=$2
shift 2
log=$(mktemp)
if ! {
    [ -e "$folder/build.ninja" ] || meson setup "$folder" "$@"
    ninja -C "$folder" "$target"
} >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "build.sh: building $folder failed; the whole output is in $log" >&2
    exit 1
fi
rm -f "$log"
