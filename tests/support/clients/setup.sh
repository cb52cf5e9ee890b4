#!/usr/bin/env bash
# setup.sh python|node: brings the official SDKs in the versions written beside this file into the folder of test tools, once, and prints
# what runs them: the interpreter of a virtual environment, or the folder that holds node_modules.
# Exit 77, with a line that says why: it cannot be had here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tools=${SPANSEAL_TEST_TOOLS:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/spanseal-test-tools}
missing() { echo "$*"; exit 77; }

# Two test processes may come here at once.
mkdir -p "$tools"
exec 9>"$tools/.setup-$1.lock"
flock 9

case $1 in
  python)
    dir=$tools/python
    command -v python3 >/dev/null || missing "there is no python3"
    if ! cmp -s "$here/requirements.txt" "$dir/installed"; then
      rm -rf "$dir"
      python3 -m venv "$dir" >&2 || missing "python3 has no venv module (Debian: apt-get install python3-venv)"
      "$dir/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2 \
        || missing "pip cannot install the SDK's packages (no network?)"
      cp "$here/requirements.txt" "$dir/installed"
    fi
    echo "$dir/bin/python"
    ;;
  node)
    dir=$tools/node
    command -v node >/dev/null && command -v npm >/dev/null || missing "there is no node with npm"
    if ! cmp -s "$here/package.json" "$dir/installed"; then
      rm -rf "$dir"
      mkdir "$dir"
      cp "$here/package.json" "$dir/"
      (cd "$dir" && npm install --no-audit --no-fund --loglevel=error >&2) || missing "npm cannot install the SDK's packages (no network?)"
      cp "$here/package.json" "$dir/installed"
    fi
    echo "$dir"
    ;;
  *)
    echo "usage: setup.sh python|node" >&2
    exit 64
    ;;
esac
