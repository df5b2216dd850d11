#!/bin/sh
# Install the programs of the system that the lab needs. Does nothing where they are there already.
set -eu

programs="debootstrap ip nsenter openssl setpriv ssh ssh-keygen unshare"
packages="debootstrap debian-archive-keyring iproute2 openssl openssh-client util-linux"

missing=
for program in $programs; do
  command -v "$program" > /dev/null || missing="$missing $program"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get > /dev/null; then
  echo "the lab needs:$missing; there is no apt-get to install them with" >&2
  exit 1
fi
if [ "$(id -u)" != 0 ]; then
  echo "the lab needs:$missing; run as root: apt-get install $packages" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet=2
# shellcheck disable=SC2086 # a list of words
apt-get install --quiet=2 --yes --no-install-recommends --no-upgrade $packages
