#!/usr/bin/env bash
# setup.sh python|node|guides|vercel|verifier: brings the official SDKs (or the libraries that guides speak of, or what the second verifier
# needs), in the versions written beside this file (or beside that), into the folder of test tools, once, and prints what runs them: the
# interpreter of a virtual environment, or the folder that holds node_modules.
# Exit 77, with a line that says why: it cannot be had here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tools=${SPANSEAL_TEST_TOOLS:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/spanseal-test-tools}
missing() { echo "$*"; exit 77; }

environment() { # FOLDER REQUIREMENTS WHAT: a virtual environment
  command -v python3 >/dev/null || missing "there is no python3"
  if ! cmp -s "$2" "$1/installed"; then
    rm -rf "$1"
    python3 -m venv "$1" >&2 || missing "python3 has no venv module (Debian: apt-get install python3-venv)"
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check -r "$2" >&2 || missing "pip cannot install $3 (no network?)"
    cp "$2" "$1/installed"
  fi
  echo "$1/bin/python"
}

packages() { # FOLDER LIST WHAT: node_modules, in the versions of the list's package.json
  command -v node >/dev/null && command -v npm >/dev/null || missing "there is no node with npm"
  if ! cmp -s "$2/package.json" "$1/installed"; then
    rm -rf "$1"
    mkdir "$1"
    cp "$2/package.json" "$1/"
    (cd "$1" && npm install --no-audit --no-fund --loglevel=error >&2) || missing "npm cannot install $3 (no network?)"
    cp "$2/package.json" "$1/installed"
  fi
  echo "$1"
}

# Two test processes may come here at once.
mkdir -p "$tools"
exec 9>"$tools/.setup-$1.lock"
flock 9

case $1 in
  python) environment "$tools/python" "$here/requirements.txt" "the SDK's packages" ;;
  guides) environment "$tools/guides" "$here/guides.txt" "the libraries that guides speak of" ;;
  verifier) environment "$tools/verifier" "$here/../../verifier/requirements.txt" "the packages of the second verifier" ;;
  node) packages "$tools/node" "$here" "the SDK's packages" ;;
  vercel) packages "$tools/vercel" "$here/vercel" "the packages of the Vercel AI SDK" ;;
  *)
    echo "usage: setup.sh python|node|guides|vercel|verifier" >&2
    exit 64
    ;;
esac
