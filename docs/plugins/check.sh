#!/usr/bin/env bash
# Follows writing-a-provider.md block by block in an empty folder, and fails if a block does. With the argument `build`
# it stops before the host is needed. BIN names the folder of the built host (default: target/debug), PORT where it
# listens, so that a Periplus on the usual port is no trouble.
#
# A comment before a block says what to do with it:
#   run            runs it
#   start          runs it, for what stays in the background
#   until: TEXT    runs it again and again until it prints TEXT, for 20 s at most
set -euo pipefail
cd "$(dirname "$0")/../.."

only="${1:-all}"
page="$PWD/docs/plugins/writing-a-provider.md"
port="${PORT:-19099}"
bin="$(realpath -m "${BIN:-target/debug}")"
# The page says where components are built, so cargo's own default must hold.
unset CARGO_TARGET_DIR
work="$(mktemp -d)"
# A folder of its own in place of the clone: what the page puts beside the clone lands beside it.
mkdir "$work/blocks" "$work/periplus"
ln -s "$PWD/plugins" "$PWD/wit" "$work/periplus/"
trap 'trap - EXIT; kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT

awk -v dir="$work/blocks" '
    /^<!-- .* -->$/ { how = substr($0, 6, length($0) - 9); next }
    /^```sh$/ && how != "" { n++; file = sprintf("%s/%02d", dir, n); print how > (file ".how"); inside = 1; next }
    /^```$/ { inside = 0; how = "" }
    inside { print > file }
' "$page"

# Until the deadline, for that is what a reader would do.
until_prints() {
    local text="$1" file="$2" deadline=$((SECONDS + 20)) output
    while :; do
        output="$(source "$file" 2>&1 || true)"
        case "$output" in *"$text"*) return 0 ;; esac
        if [ "$SECONDS" -ge "$deadline" ]; then
            printf 'FAILED: never printed %s, but:\n%s\n' "$text" "$output"
            return 1
        fi
        sleep 0.2
    done
}

cd "$work/periplus"
count=0
for how in "$work"/blocks/*.how; do
    block="${how%.how}"
    if grep -q 'target/debug/periplus\|curl' "$block" && [ "$only" = build ]; then break; fi
    sed -i "s|\$PERIPLUS/target/debug|$bin|; s|127.0.0.1:9099|127.0.0.1:$port|
        s|run --config periplus.yml|& --listen 127.0.0.1:$port|" "$block"
    case "$(cat "$how")" in
        run | start) source "$block" ;;
        until:*) text="$(cat "$how")"; until_prints "${text#until: }" "$block" ;;
    esac
    count=$((count + 1))
done
echo "$count blocks of ${page##*/} work"
