#!/usr/bin/env bash
# Makes sure that the real servers which tests and comparisons run against are installed. As root on
# Debian what is missing is installed from Debian's packages; elsewhere each missing one is named, and
# the tests that need it are skipped with a printed reason. With CI=true a missing server is a failure.
set -euo pipefail

# command:package
servers=(haproxy:haproxy nginx:nginx-light caddy:caddy wrk:wrk taskset:util-linux promtool:prometheus
  redis-server:redis-server pebble:pebble postgres:postgresql h2load:nghttp2-client
  amtool:prometheus-alertmanager chromium:chromium)

export PATH="$PATH:/usr/sbin:/sbin"
# Debian keeps the server of PostgreSQL out of the usual folders.
for folder in /usr/lib/postgresql/*/bin; do PATH="$PATH:$folder"; done

missing() {
  local entry
  for entry in "${servers[@]}"; do
    command -v "${entry%%:*}" >/dev/null || echo "${entry##*:}"
  done
}

is_debian() {
  [ -r /etc/os-release ] && grep -qE '^ID(_LIKE)?=.*debian' /etc/os-release
}

# A package must not start its service: a policy-rc.d that says "forbidden" (101) stands guard meanwhile.
guard=/usr/sbin/policy-rc.d
install_packages() {
  if [ ! -e "$guard" ]; then
    trap 'rm -f "$guard"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod 755 "$guard"
  fi
  local apt=(apt-get install --yes --quiet --no-install-recommends "$@")
  export DEBIAN_FRONTEND=noninteractive
  "${apt[@]}" || { apt-get update --quiet && "${apt[@]}"; }
}

mapfile -t wanted < <(missing)
if [ "${#wanted[@]}" -gt 0 ] && [ "$(id -u)" = 0 ] && is_debian; then
  echo "installing from Debian: ${wanted[*]}"
  install_packages "${wanted[@]}" || echo "could not install ${wanted[*]}"
fi

mapfile -t absent < <(missing)
for package in "${absent[@]}"; do
  echo "missing: $package – what needs it is skipped; install it with: apt-get install $package"
done
if [ "${#absent[@]}" -gt 0 ] && [ "${CI:-}" = true ]; then
  echo "CI=true: a missing server is a failure" >&2
  exit 1
fi
echo "real servers: $((${#servers[@]} - ${#absent[@]})) of ${#servers[@]} installed"
