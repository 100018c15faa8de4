"""The three endpoints that the agent talks to, stage by stage."""

from __future__ import annotations

from collector.probes.model import Lane, Probe


def _endpoint(service: str, title: str) -> Probe:
    return Probe(
        id=f"endpoint-{service}",
        title=title,
        lane=Lane.NETWORK,
        feeds=("endpoints", "dns", "tls"),
        timeout_s=45,
        script=f"look_at_endpoint {service}\n",
    )


PROBES = (
    _endpoint("ssm", "Endpoint ssm: name, connection, TLS, answer, proxy"),
    _endpoint("ssmmessages", "Endpoint ssmmessages"),
    _endpoint("ec2messages", "Endpoint ec2messages"),
    Probe(
        id="route-get",
        title="The route to the metadata service and to each endpoint",
        lane=Lane.NETWORK,
        feeds=("routes",),
        timeout_s=15,
        script=r"""
have ip || { absent 'no ip'; return; }
line "# ${IMDS%:*}"
limit 3 ip route get "${IMDS%:*}" 2>&1
for service in ssm ssmmessages ec2messages; do
    endpoint_of "$service"
    is_name "$HOST" || continue
    have getent || continue
    address=$(limit 5 getent ahostsv4 "$HOST" | sed -n '1s/[[:space:]].*//p')
    [ "$address" ] || continue
    line "# $address $service"
    limit 3 ip route get "$address" 2>&1
done
:
""",
    ),
)
