#!/usr/bin/env bash
# Installs promtool, which tests the alert rules, into .provider-tools: out of Debian's package of Prometheus, of which
# nothing else is installed or started.
set -euo pipefail
cd "$(dirname "$0")/.."

promtool=.provider-tools/bin/promtool
if [ ! -x "$promtool" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  (cd "$folder" && apt-get -o APT::Sandbox::User=root download -qq prometheus && dpkg -x prometheus_*.deb unpacked)
  mkdir -p .provider-tools/bin
  install -m 755 "$folder/unpacked/usr/bin/promtool" "$promtool"
fi
"$promtool" --version | head -1
