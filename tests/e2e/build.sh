#!/usr/bin/env bash
# Builds what the end-to-end tests run: a real etcd and kube-apiserver in one binary, a real Prometheus and a real
# OpenTelemetry collector; or only those that are named. Does nothing for those that are newer than what they are built
# from. The first time takes about twelve minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p .build

# Go's own check needs seconds and a module cache; this one needs neither.
fresh() {
    local output=.build/$1 source
    [ -x "$output" ] || return 1
    for source in build.sh go/"$1"/*; do
        [ "$output" -nt "$source" ] || return 1
    done
}

build() {
    local name=$1
    shift
    fresh "$name" && return
    command -v go >/dev/null || { echo "Go is missing: it builds $name (1.26 or later, https://go.dev/dl)" >&2; exit 1; }
    echo "building $name" >&2
    (cd go/"$name" && GOFLAGS=-buildvcs=false go build -o ../../.build/"$name".next "$@") ||
        { echo "building $name failed: Go 1.26 and a module proxy (GOPROXY) are needed the first time" >&2; exit 1; }
    mv .build/"$name".next .build/"$name"
}

[ $# -gt 0 ] || set -- apiserver prometheus collector
for name in "$@"; do
    case "$name" in
    prometheus) build prometheus github.com/prometheus/prometheus/cmd/prometheus ;;
    apiserver | collector) build "$name" . ;;
    *) echo "there is no $name to build" >&2 && exit 1 ;;
    esac
done
