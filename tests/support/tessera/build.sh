#!/usr/bin/env bash
# build.sh DIR: builds Tessera's fsck into DIR/fsck and prints its path. Needs Go. Seconds the first time, nothing afterwards.
# Exit 77, with a line that says why: it cannot be had here.
set -euo pipefail
version=v1.0.4
mkdir -p "$1"
dir=$(cd "$1" && pwd)
# Two test processes may come here at once.
exec 9>"$dir/.build.lock"
flock 9

if [ -x "$dir/fsck" ] && [ "$(cat "$dir/built" 2>/dev/null)" = "$version" ]; then
  echo "$dir/fsck"
  exit 0
fi
command -v go >/dev/null || { echo "there is no Go"; exit 77; }
GOBIN=$dir go install "github.com/transparency-dev/tessera/cmd/fsck@$version" >&2 || { echo "fsck does not build (no network?)"; exit 77; }
echo "$version" >"$dir/built"
echo "$dir/fsck"
