#!/usr/bin/env bash
# Starts Periplus with the quickstart configuration: this machine's sockets by a plugin, and Pods of a stand-in
# Kubernetes API server (or, with the argument `kubernetes`, of the cluster that KUBECONFIG names).
set -euo pipefail
cd "$(dirname "$0")/../.."

bin="${BIN:?the folder of the built programs; use make run}"
listen="${LISTEN:-127.0.0.1:9099}"
run=.run/quickstart
mkdir -p "$run"
api_pid=
periplus_pid=

stop() {
    trap - EXIT INT TERM
    for pid in $periplus_pid $api_pid; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in $periplus_pid $api_pid; do wait "$pid" 2>/dev/null || true; done
    echo "stopped"
}
trap stop EXIT
trap 'exit 0' INT TERM

# Background programs of a script ignore Ctrl-C; `stop` ends them in order instead.
if [ "${1:-}" = kubernetes ]; then
    : "${KUBECONFIG:?names the cluster, for example KUBECONFIG=\$HOME/.kube/config make run-kubernetes}"
    [ -r "$KUBECONFIG" ] || { echo "KUBECONFIG names $KUBECONFIG, which cannot be read"; exit 1; }
    ln -sf "$(realpath "$KUBECONFIG")" "$run/kubeconfig"
    cluster="the cluster of $KUBECONFIG"
else
    rm -f "$run/kubeconfig"
    "$bin/periplus-kube-api" --listen 127.0.0.1:0 --kubeconfig "$run/kubeconfig" \
        --pods 300 --nodes 5 --churn-per-second 2 >"$run/kube-api.log" 2>&1 &
    api_pid=$!
    for _ in $(seq 100); do
        [ -s "$run/kubeconfig" ] && break
        kill -0 "$api_pid" 2>/dev/null || { echo "the stand-in API server did not start:"; cat "$run/kube-api.log"; exit 1; }
        sleep 0.1
    done
    cluster="a stand-in API server with 300 pods that come and go"
fi

cat <<TEXT

Periplus starts on http://$listen
  job local: the listening sockets of this machine, found by a plugin
  job pods:  $cluster
  job nodes: its kubelets

Try, in another terminal:
  curl -s http://$listen/sd/local                 # ready-made targets, for http_sd_configs
  curl -s http://$listen/sd/pods?stage=discovered # what the provider found, before any rule
  curl -s http://$listen/api/v1/providers         # who finds what, and how fresh it is
  curl -s http://$listen/metrics
  python3 -m http.server 9100 --bind 127.0.0.1    # a new socket: see it appear in /sd/local
Point a Prometheus at it:
  scrape_configs:
    - job_name: local
      http_sd_configs: [{url: "http://$listen/sd/local", refresh_interval: 5s}]
Ctrl-C stops everything.

TEXT

"$bin/periplus" run --config examples/quickstart/periplus.yml --listen "$listen" --plugin-cache "$run/plugin-cache" &
periplus_pid=$!
wait "$periplus_pid"
