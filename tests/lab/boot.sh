#!/bin/sh
# boot.sh ROOT HOSTNAME HIERARCHIES INIT...: become the first process of a host.
# Run as process 1 of fresh namespaces, with the host's network. HIERARCHIES are the control group
# hierarchies of version 1, each as its mount option, separated by blanks; empty means version 2.
set -eu
root=$1 name=$2 hierarchies=$3
shift 3

hostname "$name"

mount -t proc -o nosuid,noexec,nodev proc "$root/proc"
# Most sysctls are the whole machine's: read-only, apart from those of the host's own network.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro,nosuid,noexec,nodev "$root/proc/sys"
mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
mount -o remount,bind,rw,nosuid,noexec,nodev "$root/proc/sys/net"
# The machine's load is not this host's, which has none until somebody writes it there.
echo 0.00 0.00 0.00 1/100 1 > "$root/proc-loadavg"
mount --bind "$root/proc-loadavg" "$root/proc/loadavg"
rm "$root/proc-loadavg"
mount -t sysfs -o nosuid,noexec,nodev,ro sysfs "$root/sys"

groups=$root/sys/fs/cgroup
if [ -z "$hierarchies" ]; then
  mount -t cgroup2 -o nosuid,noexec,nodev cgroup2 "$groups"
else
  mount -t tmpfs -o mode=0755,size=1m tmpfs "$groups"
  for options in $hierarchies; do
    folder=$groups/${options#name=}
    mkdir "$folder"
    case $options in
      name=*) mount -t cgroup -o "nosuid,noexec,nodev,none,xattr,$options" cgroup "$folder" ;;
      unified) mount -t cgroup2 -o nosuid,noexec,nodev cgroup2 "$folder" ;;
      *) mount -t cgroup -o "nosuid,noexec,nodev,$options" cgroup "$folder" ;;
    esac
  done
fi

mount -t tmpfs -o mode=0755,nosuid,size=1m tmpfs "$root/dev"
for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
  numbers=${device#*:}
  mknod -m 0666 "$root/dev/${device%%:*}" c "${numbers%:*}" "${numbers#*:}"
done
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev,size=64m tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
mount -t tmpfs -o mode=0755,nosuid,nodev,size=32m tmpfs "$root/run"
mkdir "$root/run/lock"

ip link set lo up

cd "$root"
mkdir -p .machine
pivot_root . .machine
cd /
umount -l /.machine
rmdir /.machine

# A host may do anything to itself, and nothing to the machine it runs on.
exec setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-mac_admin,-mac_override,-perfmon,-bpf,-syslog \
  env -i container=lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
