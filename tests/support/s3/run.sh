#!/usr/bin/env bash
# run.sh KIND DIR PORT [MON_PORT]: one throw-away S3 server on 127.0.0.1:PORT with everything it writes under DIR.
#
# KIND: minio, versity or rgw. Prints `ready` once it answers, then waits for the end of its standard input, stops what it
# started (by process id) and removes DIR. So a test process that dies, however it dies, takes its server along. Until then each line of
# its standard input is an order: `kill` (as the machine would; prints `killed`), and for minio and versity `start`, on what was written
# before, at the same port (prints `ready`).
# Exit 77, with a line that says why: the server is not installed here.
set -euo pipefail
kind=$1 dir=$2 port=$3 mon_port=${4:-}
here=$(cd "$(dirname "$0")" && pwd)
access=testaccess secret=testsecret0123456789
pids=()

say() { echo "run.sh $kind: $*" >&2; }
missing() { echo "$*"; exit 77; }

# The program on PATH, or where the test tools are installed.
find_program() {
  command -v "$1" && return
  local tools=${SPANSEAL_TEST_TOOLS:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/spanseal-test-tools}
  [ -x "$tools/bin/$1" ] && echo "$tools/bin/$1"
}

# start LOG COMMAND...: in a session of its own, so that a Ctrl-C meant for the tests does not reach it first.
start() {
  local log=$1; shift
  setsid "$@" >>"$log" 2>&1 </dev/null &
  pids=("$!" "${pids[@]}")
}

# wait_until SECONDS WHAT COMMAND...
wait_until() {
  local end=$((SECONDS + $1)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    if [ $SECONDS -ge $end ]; then say "$what: not ready in time"; tail -n 20 "$dir"/*.log >&2 || true; exit 1; fi
    for pid in "${pids[@]}"; do
      kill -0 "$pid" 2>/dev/null || { say "$what: a process ended early"; tail -n 20 "$dir"/*.log >&2 || true; exit 1; }
    done
    sleep 0.1
  done
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

finish() {
  local code=$?
  trap '' EXIT INT TERM HUP
  exec 2>/dev/null   # The shell would report each of them as killed.
  # Nothing here outlives the test, so nothing needs to be closed in good order (radosgw takes five seconds for that).
  for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$dir"
  exit $code
}

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
trap finish EXIT
trap 'exit 1' TERM HUP
trap '' INT

kill_all() {
  local pid
  for pid in "${pids[@]}"; do kill -KILL "$pid" && wait "$pid" || true; done 2>/dev/null
  pids=()
}

case $kind in
  minio)
    program=$(find_program minio) || missing "minio: go install github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
    mkdir "$dir/data"
    up() {
      start "$dir/minio.log" env HOME="$dir" MINIO_ROOT_USER=$access MINIO_ROOT_PASSWORD=$secret MINIO_BROWSER=off \
        "$program" server "$dir/data" --address "127.0.0.1:$port"
      wait_until 60 minio curl -sf --noproxy '*' "http://127.0.0.1:$port/minio/health/cluster"
    }
    up
    ;;
  versity)
    program=$(find_program versitygw) || missing "versitygw: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0"
    mkdir "$dir/data" "$dir/versions"   # the versions must not lie inside the data
    up() {
      start "$dir/versity.log" env ROOT_ACCESS_KEY=$access ROOT_SECRET_KEY=$secret \
        "$program" --port "127.0.0.1:$port" --health /health posix --versioning-dir "$dir/versions" "$dir/data"
      wait_until 60 versity curl -sf --noproxy '*' "http://127.0.0.1:$port/health"
    }
    up
    ;;
  rgw) . "$here/rgw.sh" ;;
  *) say "unknown kind"; exit 64 ;;
esac

echo ready
while read -r order; do
  case $order in
    kill) kill_all; echo killed ;;
    start) up; echo ready ;;
    *) say "unknown order: $order"; exit 64 ;;
  esac
done
