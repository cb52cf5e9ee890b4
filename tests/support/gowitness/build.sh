#!/usr/bin/env bash
# build.sh DIR: builds the public Go witness (omniwitness of transparency-dev/witness) into DIR/omniwitness and prints its path. Needs Go.
# Two minutes the first time, nothing afterwards. Exit 77, with a line that says why: it cannot be had here.
#
# Its module asks for an unreleased version of the Merkle library, for an endpoint that nobody asks here (`sign-subtree`). It is built with the
# released one (`go.mod`), which has all that cosigning a checkpoint takes, and `shim/subtree.go` refuses in the name of the other.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
# Two test processes may come here at once.
exec 9>"$dir/.build.lock"
flock 9

source=$(cat "$here/go.mod" "$here/go.sum" "$here/shim/subtree.go" | sha256sum)
if [ -x "$dir/omniwitness" ] && [ "$(cat "$dir/built" 2>/dev/null)" = "$source" ]; then
  echo "$dir/omniwitness"
  exit 0
fi
command -v go >/dev/null || { echo "there is no Go"; exit 77; }
rm -rf "$dir/source"
mkdir "$dir/source"
cp "$here/go.mod" "$here/go.sum" "$dir/source"
cd "$dir/source"
go mod vendor >&2 || { echo "the modules of omniwitness cannot be had (no network?)"; exit 77; }
cp "$here/shim/subtree.go" vendor/github.com/transparency-dev/merkle/proof/
go build -mod=vendor -trimpath -o "$dir/omniwitness" github.com/transparency-dev/witness/cmd/omniwitness >&2 || { echo "omniwitness does not build"; exit 77; }
rm -rf "$dir/source"
echo "$source" >"$dir/built"
echo "$dir/omniwitness"
