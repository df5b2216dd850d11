#!/bin/sh
# Fetch Prometheus, Alertmanager and the blackbox exporter into build/heal, from the packages of this
# machine's release. They are unpacked and not installed: no root is needed, and none starts by itself.
set -eu
cd "$(dirname "$0")/../.."

place=$PWD/build/heal
programs="prometheus promtool prometheus-alertmanager amtool prometheus-blackbox-exporter"
packages="prometheus prometheus-alertmanager prometheus-blackbox-exporter"

missing=
for program in $programs; do
  [ -x "$place/bin/$program" ] || command -v "$program" > /dev/null || missing="$missing $program"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get > /dev/null; then
  echo "nothing can be watched: there is no$missing, and no apt-get to fetch them with" >&2
  exit 1
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
fetch() {
  # shellcheck disable=SC2086 # a list of words
  apt-get download --quiet=2 --option APT::Sandbox::User= $packages
}
# A machine that is new has no lists of packages yet.
if ! fetch 2> /dev/null; then
  if [ "$(id -u)" != 0 ]; then
    echo "nothing can be watched: run as root: apt-get update" >&2
    exit 1
  fi
  apt-get update --quiet=2
  fetch
fi
for package in *.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x ./usr/bin ./usr/share
done
# All of it or nothing is there, whoever fetches it at the same time.
mkdir -p "${place%/*}" share
mv usr/share/prometheus share/
unpacked=$place.$$
mkdir "$unpacked"
mv usr/bin "$unpacked/bin"
mv share "$unpacked/share"
rm -rf "$place"
mv -T "$unpacked" "$place"
