#!/bin/sh
# Run inside the image: turn Debian's packages into a host that is reached by ssh and boots quietly.
set -eu

useradd --create-home --shell /bin/bash deploy
install -d -o deploy -g deploy -m 0700 /home/deploy/.ssh
chmod 0440 /etc/sudoers.d/deploy

# Each host gets a key of its own, and only of this kind.
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
rm -f /etc/dpkg/dpkg.cfg.d/lab
rm -rf /var/lib/apt/lists/*
: > /etc/machine-id

# No consoles, no hardware, and no timers that would work in the middle of a test.
systemctl --quiet mask \
  console-getty.service getty@tty1.service \
  dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
  e2scrub_reap.service systemd-pstore.service systemd-udevd.service \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
systemctl --quiet set-default multi-user.target

# A host starts those it has a use for.
systemctl --quiet disable nginx postgresql redis-server supervisor

rm -f /etc/nginx/sites-enabled/default
install -d /etc/nginx/known-good /var/log/journal
