"""pyinfra's inventory: the hosts of the job.  Every public name of a list or tuple would be a group."""

import os
import sys

sys.path.insert(0, os.environ["BENCH_PEERS"])
import job as jobs

_job = jobs.read()
hosts = [
    (
        host,
        {
            "ssh_port": _job.port,
            "ssh_user": _job.user,
            "ssh_key": _job.key,
            "ssh_known_hosts_file": _job.known_hosts,
            "ssh_config_file": "/dev/null",
        },
    )
    for host in _job.hosts
]
