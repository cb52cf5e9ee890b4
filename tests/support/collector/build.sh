#!/usr/bin/env bash
# build.sh DIR: builds the OpenTelemetry Collector of builder.yaml below DIR and prints the path of its program. Needs Go 1.25 or newer.
# About 5 minutes on 2 cores the first time, nothing afterwards. Exit 77, with a line that says why: it cannot be had here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
# Two test processes may come here at once.
exec 9>"$dir/.build.lock"
flock 9

# Named by what is in it, so that checkouts with different lists do not build each other's away.
otelcol=$dir/otelcol-$(sha256sum "$here/builder.yaml" | cut -c 1-12)
if [ -x "$otelcol" ]; then
  echo "$otelcol"
  exit 0
fi
command -v go >/dev/null || { echo "there is no Go"; exit 77; }
{
  GOBIN=$dir go install go.opentelemetry.io/collector/cmd/builder@v0.152.0
  sed "s#^dist: .*#dist: {name: otelcol, output_path: $dir/src, module: otelcol-test}#" "$here/builder.yaml" >"$dir/builder.yaml"
  # The builder's own `go mod tidy` also wants modules that only tests of dependencies import, and not all of them can be had: so it
  # generates only, and `go build -mod=mod` fetches just what is compiled.
  "$dir/builder" --config "$dir/builder.yaml" --skip-get-modules --skip-compilation
  (cd "$dir/src" && GOFLAGS=-mod=mod go build -trimpath -ldflags="-s -w" -o "$otelcol.new" .)
} >&2 || { echo "the Collector does not build (no network?)"; exit 77; }
mv "$otelcol.new" "$otelcol"
echo "$otelcol"
