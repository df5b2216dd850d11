#!/bin/sh
# The demonstration: a real site, really broken, repaired while you watch. Called by `make demo`.
# DEMO_YES=1 answers the confirmation beforehand.
set -eu
fault=${DEMO_FAULT:-backend-stopped}
RUNBOOK_HOME=$(mktemp -d)
export RUNBOOK_HOME
leave() {
  runbook demo down >/dev/null 2>&1 || true
  rm -rf "$RUNBOOK_HOME"
}
trap leave EXIT
trap 'exit 130' INT TERM

step() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }
ask_site() { step curl --silent --show-error --output /dev/null --write-out 'HTTP %{http_code}\n' --header 'Host: backend.example' "$url"; }

step runbook demo up
url=$(runbook demo url)
ask_site
step runbook demo break "$fault"
ask_site || true
set +e
if [ "${DEMO_YES:-}" = 1 ]; then
  step runbook run fix-502 --host prod --inventory "$(runbook demo inventory)" --yes
else
  step runbook run fix-502 --host prod --inventory "$(runbook demo inventory)"
fi
code=$?
set -e
if [ "$code" -ne 0 ]; then
  printf '\nThe run ended with exit code %s. Without a terminal nothing destructive is done unless DEMO_YES=1 is set.\n' "$code"
  exit "$code"
fi
step runbook report last
ask_site
