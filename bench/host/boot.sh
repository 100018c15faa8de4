#!/bin/sh
# Lays the files of WORK/rootfs over this machine's, where only this sshd sees them, and becomes the sshd.
#   boot.sh WORK
set -eu
mount --make-rprivate /
mkdir "$1/layers"
mount -t tmpfs bench "$1/layers"
for folder in etc usr/bin var; do
    mkdir -p "$1/layers/$folder/upper" "$1/layers/$folder/work"
    layers="lowerdir=/$folder,upperdir=$1/layers/$folder/upper,workdir=$1/layers/$folder/work"
    mount -t overlay bench -o "$layers" "/$folder"
done
cp -a "$1/rootfs/." /
mount -t tmpfs bench /run
mount -t tmpfs -o mode=0700 bench /root  # no profile of this machine's makes its hosts slow
mkdir -p /run/sshd
exec "$(PATH=$PATH:/usr/sbin:/sbin command -v sshd)" -D -f "$1/sshd_config" -E "$1/sshd.log"
