#!/bin/sh
# The demonstration: a real site, really broken, repaired while you watch. Called by `make demo`.
# DEMO_YES=1 answers the confirmation beforehand; DEMO_FAULT names another fault
# (`runbook demo faults` lists them).
set -eu
RUNBOOK_HOME=$(mktemp -d)
export RUNBOOK_HOME
leave() {
  runbook demo down >/dev/null 2>&1 || true
  rm -rf "$RUNBOOK_HOME"
}
trap leave EXIT
trap 'exit 130' INT TERM

step() {
  printf '\n$ %s\n' "$*"
  "$@"
}
ask_site() {
  printf '\n$ GET %s\n' "$url"
  python - "$url" <<'PYTHON'
import sys, urllib.error, urllib.request
try:
    with urllib.request.urlopen(sys.argv[1], timeout=10) as answer:
        print("HTTP", answer.status, answer.read().decode().strip())
except urllib.error.HTTPError as error:
    print("HTTP", error.code, error.reason)
except OSError as error:
    print("no answer:", error)
PYTHON
}

step runbook demo up
url=$(runbook demo url)
inventory=$(runbook demo inventory)
ask_site
step runbook demo break "${DEMO_FAULT:-backend-stopped}"
ask_site
code=0
if [ "${DEMO_YES:-}" = 1 ]; then
  step runbook run fix-502 --host prod --inventory "$inventory" --yes || code=$?
else
  step runbook run fix-502 --host prod --inventory "$inventory" || code=$?
fi
if [ "$code" -eq 3 ] && [ "${DEMO_YES:-}" != 1 ]; then
  printf '\nNothing was repaired: the fix was declined. Without a terminal to ask at, nothing\n'
  printf 'destructive is done unless it is approved beforehand: DEMO_YES=1 make demo\n'
  exit "$code"
fi
step runbook report last
ask_site
exit "$code"
