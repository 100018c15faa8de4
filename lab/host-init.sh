#!/bin/sh
# The first process of a lab host: its own view of the file system, its agent, its sshd.
# Runs in fresh mount, pid and host-name namespaces; nothing of the machine beneath is changed.
#   host-init.sh WORK NAME      WORK/rootfs is laid over the system, WORK/sshd_config is served
set -eu
work=$1 name=$2
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

mount --make-rprivate /
mkdir -p "$work/layers"
mount -t tmpfs lab "$work/layers"
for folder in etc root usr/bin var; do
    mkdir -p "$work/layers/$folder/upper" "$work/layers/$folder/work"
    mount -t overlay lab -o "lowerdir=/$folder,upperdir=$work/layers/$folder/upper,workdir=$work/layers/$folder/work" "/$folder"
done
mount -t tmpfs lab /run
mkdir -p /run/sshd /run/systemd/system
cp -a "$work/rootfs/." /
if [ -e /etc/ssl/certs/lab-authority.pem ]; then
    ln -sf lab-authority.pem "/etc/ssl/certs/$(openssl x509 -hash -noout -in /etc/ssl/certs/lab-authority.pem).0"
    cat /etc/ssl/certs/lab-authority.pem >> /etc/ssl/certs/ca-certificates.crt
fi
hostname "$name"
if [ -e /etc/lab/agent.environ ]; then
    environ=$(cat /etc/lab/agent.environ)
    # shellcheck disable=SC2086  # one word a variable
    env -i PATH="$PATH" $environ /usr/bin/amazon-ssm-agent 100000 &
    sed -i "s/@MAINPID@/$!/" /etc/lab/amazon-ssm-agent.service
    # shellcheck disable=SC2086
    env -i PATH="$PATH" $environ /usr/bin/ssm-agent-worker 100000 &
fi
exec /usr/sbin/sshd -D -e -f "$work/sshd_config"
