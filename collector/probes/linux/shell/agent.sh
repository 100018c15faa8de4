# ---- The agent: its processes, its proxy, its region and its endpoints ---------------------------------------

UNITS='amazon-ssm-agent.service snap.amazon-ssm-agent.amazon-ssm-agent.service'

# find_agents: process ids and names of the agent's processes in AGENTS, one "pid name" per line.
find_agents() {
    AGENTS=
    for g_file in /proc/[0-9]*/comm; do
        { read -r g_name <"$g_file"; } 2>/dev/null || continue
        case "$g_name" in
        amazon-ssm-agen* | ssm-agent-worke* | ssm-document-wo* | ssm-session-wor* | ssm-cli)
            g_pid=${g_file#/proc/}
            AGENTS="$AGENTS${g_pid%/comm} $g_name$NL"
            ;;
        esac
    done
}

# environ_of PID: the variables that matter of a process: those of the proxy, and which AWS ones are set.
environ_of() {
    tr '\0' '\n' <"/proc/$1/environ" 2>/dev/null | proxy_lines
}

# proxy_lines: of NAME=value lines, the proxy's with their secrets (for use) and the names of the AWS ones.
proxy_lines() {
    sed -n -e '/^[A-Za-z]*_[Pp][Rr][Oo][Xx][Yy]=/p' -e 's/^\(AWS_[A-Z0-9_]*\)=..*/\1=(set)/p'
}

# masked_lines: the same, fit to be printed: one variable is one line, so all before its last @ is covered.
masked_lines() {
    sed -e 's#^\([A-Za-z]*_[Pp][Rr][Oo][Xx][Yy]=\([A-Za-z0-9+.-]*://\)\{0,1\}\).*@#\1***@#'
}

# unit_files: the unit file of each of the agent's units and the drop-ins, as far as they lie in the usual places.
unit_files() {
    for u_unit in $UNITS; do
        for u_folder in /etc/systemd/system /run/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
            [ "$u_folder" = /lib/systemd/system ] && [ -h "$ROOT/lib" ] && continue
            for u_file in "$ROOT$u_folder/$u_unit" "$ROOT$u_folder/$u_unit.d"/*.conf; do
                [ -f "$u_file" ] && line "${u_file#"$ROOT"}"
            done
        done
    done
    for u_file in "$ROOT"/etc/init/amazon-ssm-agent.* "$ROOT"/etc/init.d/amazon-ssm-agent \
        "$ROOT"/etc/systemd/system/service.d/*.conf "$ROOT"/etc/systemd/system.conf.d/*.conf; do
        [ -f "$u_file" ] && line "${u_file#"$ROOT"}"
    done
}

# unit_environment: NAME=value lines that the unit's files set, environment files included.
unit_environment() {
    unit_files | while read -r v_file; do
        sed -n -e 's/^[[:space:]]*Environment=//p' -e 's/^[[:space:]]*env[[:space:]]\{1,\}//p' \
            -e 's/^[[:space:]]*export[[:space:]]\{1,\}//p' "$ROOT$v_file" |
            sed -e 's/["'\'']//g' -e 's/%%/%/g' -e 's/[[:space:]]\{1,\}\([A-Za-z_0-9]*=\)/\'"$NL"'\1/g'
        sed -n 's/^[[:space:]]*EnvironmentFile=-\{0,1\}//p' "$ROOT$v_file" | while read -r v_more; do
            [ -r "$ROOT$v_more" ] && sed -e 's/["'\'']//g' "$ROOT$v_more"
        done
    done
}

# agent_proxy: the proxy settings that the agent has, in PROXY_HTTP, PROXY_HTTPS, PROXY_SPARED: of its running
# process, else of what its unit would give it.  Upper case wins, as in Go's golang.org/x/net/http/httpproxy.
agent_proxy() {
    PROXY_HTTP='' PROXY_HTTPS='' PROXY_SPARED='' PROXY_SOURCE=unit FIPS=''
    p_lines=
    p_pid=${AGENTS%% *}
    if [ "$p_pid" ] && [ -r "/proc/$p_pid/environ" ]; then
        PROXY_SOURCE=process
        p_lines=$(tr '\0' '\n' <"/proc/$p_pid/environ" | grep -i -e '^[a-z]*_proxy=' -e '^AWS_USE_FIPS_ENDPOINT=')
    else
        p_lines=$(unit_environment | grep -i -e '^[a-z]*_proxy=' -e '^AWS_USE_FIPS_ENDPOINT=')
    fi
    variable "$p_lines" HTTP_PROXY http_proxy && PROXY_HTTP=$VALUE
    variable "$p_lines" HTTPS_PROXY https_proxy && PROXY_HTTPS=$VALUE
    variable "$p_lines" NO_PROXY no_proxy && PROXY_SPARED=$VALUE
    variable "$p_lines" AWS_USE_FIPS_ENDPOINT && [ "$VALUE" = true ] && FIPS=-fips
}

# variable LINES NAME...: the first of these that is set and not empty, in VALUE.
variable() {
    v_lines=$NL$1$NL
    shift
    for v_name in "$@"; do
        case "$v_lines" in
        *"$NL$v_name="*)
            VALUE=${v_lines##*"$NL$v_name="}
            VALUE=${VALUE%%"$NL"*}
            [ "$VALUE" ] && return 0
            ;;
        esac
    done
    VALUE=
    return 1
}

# spared HOST PORT: whether no_proxy spares it, by the rules of Go's httpproxy: exact addresses, networks,
# names with all that ends in them, each with or without a port; a star spares everything.
spared() {
    case "$1" in localhost | 127.*) return 0 ;; esac
    s_left=$PROXY_SPARED,
    case "$s_left" in *[A-Z]*) s_left=$(put "$s_left" | tr 'A-Z' 'a-z') ;; esac
    while [ "$s_left" ]; do
        s_entry=${s_left%%,*}
        s_left=${s_left#*,}
        s_entry=${s_entry#"${s_entry%%[! ]*}"}
        s_entry=${s_entry%"${s_entry##*[! ]}"}
        case "$s_entry" in
        '') continue ;;
        '*') return 0 ;;
        */*) in_network "$1" "$s_entry" && return 0; continue ;;
        *:*) [ "${s_entry##*:}" = "$2" ] || continue; s_entry=${s_entry%:*} ;;
        esac
        s_entry=${s_entry#\*}
        case "$1" in
        "${s_entry#.}") [ "$s_entry" = "${s_entry#.}" ] && return 0 ;;
        *".${s_entry#.}") is_address "$1" || return 0 ;;
        esac
    done
    return 1
}

is_address() { case "$1" in *[!0-9.]*) return 1 ;; *.*.*.*) return 0 ;; *) return 1 ;; esac; }

# in_network ADDRESS NETWORK/BITS, IPv4.
in_network() {
    is_address "$1" && is_address "${2%/*}" || return 1
    n_bits=${2#*/}
    case "$n_bits" in '' | *[!0-9]* | ???*) return 1 ;; esac
    [ "$n_bits" = 0 ] && return 0
    [ "$n_bits" -le 32 ] || return 1
    n_shift=$((32 - n_bits))
    [ $(($(number "$1") >> n_shift)) = $(($(number "${2%/*}") >> n_shift)) ]
}

number() {
    n_sum=0
    n_rest=$1.
    while [ "$n_rest" ]; do
        n_part=${n_rest%%.*}
        n_rest=${n_rest#*.}
        while :; do case "$n_part" in 0?*) n_part=${n_part#0} ;; *) break ;; esac; done
        [ "${#n_part}" -le 3 ] || n_part=0
        n_sum=$((n_sum * 256 + ${n_part:-0}))
    done
    put "$n_sum"
}

# json_string KEY TEXT: the first string under that key, in VALUE; good for the flat documents read here.
json_string() {
    VALUE=
    case "$2" in *"\"$1\""*) ;; *) return 1 ;; esac
    j_rest=${2#*"\"$1\""}
    j_rest=${j_rest#"${j_rest%%[!: ]*}"}
    case "$j_rest" in
    \"*)
        j_rest=${j_rest#\"}
        VALUE=${j_rest%%\"*}
        ;;
    *) return 1 ;;
    esac
}

# agent_setting SECTION KEY: a string of the agent's configuration, in VALUE.
agent_setting() {
    VALUE=
    case "$CONFIG" in *"\"$1\":{"*) ;; *) return 1 ;; esac
    a_section=${CONFIG#*"\"$1\":{"}
    json_string "$2" "${a_section%%\}*}" && [ "$VALUE" ]
}

agent_config() {
    CONFIG=
    locate /etc/amazon/ssm/amazon-ssm-agent.json
    [ -r "$FILE" ] && CONFIG=$(LIMIT=65536 && cut_file "$FILE" | tr -d ' \t\r\n')
}

# find_region: REGION and REGION_SOURCE; what the inventory says stands.
find_region() {
    REGION_SOURCE=inventory
    [ "$REGION" ] && return
    REGION_SOURCE=imds
    fetch PUT "http://$IMDS/latest/api/token" 2 'X-aws-ec2-metadata-token-ttl-seconds: 60'
    f_header=
    [ "$F_HTTP" = 200 ] && f_header="X-aws-ec2-metadata-token: $F_BODY"
    case "$OUTCOME" in
    answered | no-answer)
        fetch GET "http://$IMDS/latest/meta-data/placement/region" 2 "$f_header"
        [ "$F_HTTP" = 200 ] && REGION=$F_BODY
        ;;
    esac
    is_name "$REGION" && return
    REGION_SOURCE=agent-config
    agent_setting Agent Region && REGION=$VALUE
    is_name "$REGION" && return
    # The identity's configuration names no region; the registration of a hybrid host does.
    REGION_SOURCE=registration REGION=
    locate /var/lib/amazon/ssm/registration
    [ -r "$FILE" ] && json_string Region "$(LIMIT=4096 && cut_file "$FILE")" && REGION=$VALUE
    is_name "$REGION" || REGION='' REGION_SOURCE=''
}

is_name() { case "$1" in '' | *[!A-Za-z0-9.-]*) return 1 ;; esac; }

# endpoint_of SERVICE: the host that the agent asks, in HOST, and in HOST_SOURCE who says so.
endpoint_of() {
    case "$1" in
    ssm) e_section=Ssm ;;
    ssmmessages) e_section=Mgs ;;
    ec2messages) e_section=Mds ;;
    esac
    if agent_setting "$e_section" Endpoint; then
        HOST=${VALUE#*://}
        HOST=${HOST%%/*}
        HOST_SOURCE=agent-config
        return
    fi
    e_region=$REGION
    HOST_SOURCE=region
    if agent_setting Agent Region || { [ "$1" = ssmmessages ] && agent_setting Mgs Region; }; then
        e_region=$VALUE
        HOST_SOURCE=agent-config
    fi
    case "$e_region" in
    '') HOST= ;;
    cn-*) HOST=$1$FIPS.$e_region.amazonaws.com.cn ;;
    us-iso-*) HOST=$1$FIPS.$e_region.c2s.ic.gov ;;
    us-isob-*) HOST=$1$FIPS.$e_region.sc2s.sgov.gov ;;
    us-isof-*) HOST=$1$FIPS.$e_region.csp.hci.ic.gov ;;
    eu-isoe-*) HOST=$1$FIPS.$e_region.cloud.adc-e.uk ;;
    eusc-*) HOST=$1$FIPS.$e_region.amazonaws.eu ;;
    *) HOST=$1$FIPS.$e_region.amazonaws.com ;;
    esac
}
