# ---- One endpoint, stage by stage: name, connection, TLS, answer, and the same through the proxy ---------------

# resolve_host HOST: as the C library answers, hosts file and all; its addresses in ADDRESSES.
resolve_host() {
    ADDRESSES=
    line '[resolve]'
    now
    d_start=$UP
    if have getent; then
        field tool getent
        d_answer=$(limit 8 getent ahosts "$1" 2>&1)
        d_exit=$?
        d_answer=$(put "$d_answer" | sed -n 's/^\([0-9a-fA-F.:]*\)[[:space:]].*/\1/p' | sort -u)
    elif [ "$PYTHON" ]; then
        field tool python
        d_answer=$(limit 8 "$PYTHON" -c 'import socket, sys
for a in sorted(set(i[4][0] for i in socket.getaddrinfo(sys.argv[1], 443))): print(a)' "$1" 2>&1)
        d_exit=$?
    elif have nslookup; then
        field tool nslookup
        d_answer=$(limit 8 nslookup "$1" 2>&1)
        d_exit=$?
        d_answer=$(put "$d_answer" | sed -e '1,/^Name/d' | sed -n 's/^Address[ 0-9]*: *\([0-9a-fA-F.:]*\).*/\1/p')
    else
        field outcome skipped
        field error 'no tool can resolve a name'
        return
    fi
    field exit "$d_exit"
    now
    field ms "$(elapsed "$d_start" "$UP")"
    if [ "$d_exit" = 0 ]; then
        for d_address in $d_answer; do
            field address "$d_address"
            ADDRESSES="$ADDRESSES $d_address"
        done
    else
        case "$d_exit" in
        124 | 137 | 143) field error 'timed out' ;;
        2) field error 'no such name' ;;
        *) field error "${d_answer##*"$NL"}" ;;
        esac
    fi
}

# elapsed START END, readings of /proc/uptime ("12.34"), in milliseconds.
elapsed() {
    case "$1$2" in *[!0-9.]* | '') return ;; esac
    put $(((${2%.*} - ${1%.*}) * 1000 + (1${2#*.} - 1${1#*.}) * 10))
}

# nameservers: the first three that this host asks, the real ones behind systemd's stub included.
nameservers() {
    sed -n 's/^[[:space:]]*nameserver[[:space:]]\{1,\}\([0-9a-fA-F.:]*\).*/\1/p' \
        /etc/resolv.conf /run/systemd/resolve/resolv.conf 2>/dev/null | awk '!seen[$0]++' | head -n 3
}

# ask_nameserver SERVER HOST: one direct question.
ask_nameserver() {
    line "[dns $1]"
    if have dig; then
        field tool dig
        d_answer=$(limit 4 dig +time=2 +tries=1 "@$1" "$2" A 2>&1)
        d_exit=$?
        d_code=${d_answer##*status: }
        if [ "$d_code" != "$d_answer" ]; then
            field rcode "${d_code%%,*}"
            put "$d_answer$NL" | sed -n 's/^[^;].*[[:space:]]IN[[:space:]]\{1,\}A[[:space:]]\{1,\}\([0-9.]*\)$/address=\1/p'
            return
        fi
    elif have host; then
        field tool host
        d_answer=$(limit 4 host -W 2 -t A "$2" "$1" 2>&1)
        d_exit=$?
    elif have nslookup; then
        field tool nslookup
        d_answer=$(limit 4 nslookup "$2" "$1" 2>&1)
        d_exit=$?
    else
        field outcome skipped
        field error 'no tool can ask one nameserver'
        return
    fi
    case "$d_answer" in
    *NXDOMAIN*) field rcode NXDOMAIN ;;
    *SERVFAIL*) field rcode SERVFAIL ;;
    *REFUSED*) field rcode REFUSED ;;
    *'has address'* | *"Name:"*)
        field rcode NOERROR
        put "$d_answer$NL" | sed -n -e 's/.* has address \([0-9.]*\)$/address=\1/p' \
            -e '/^Name/,$s/^Address[ 0-9]*: *\([0-9.]*\)$/address=\1/p'
        ;;
    *'has no '* | *"No answer"*) field rcode NOERROR ;;
    *)
        d_error=$(put "$d_answer" | grep -i -e refused -e unreachable -e 'timed out' -e 'no route' -e permitted -e 'no servers' | head -n 1)
        case "$d_error" in *'timed out'* | *'no servers'*) d_exit=124 ;; esac
        outcome "$d_exit" 000 '' "$d_error"
        [ "$OUTCOME" = error ] && [ -z "$d_error" ] && OUTCOME=timeout
        field outcome "$OUTCOME"
        field error "${d_error#;; }"
        ;;
    esac
}

# try_tcp ADDRESS PORT: one connection; by whichever tool tells why it failed.
try_tcp() {
    line '[tcp]'
    field address "$1"
    now
    d_start=$UP
    d_exit=0
    if have bash; then
        field tool bash
        # shellcheck disable=SC2016  # the inner bash expands them
        d_error=$(limit 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>&1) || d_exit=$?
    elif [ "$PYTHON" ]; then
        field tool python
        d_error=$(limit 4 "$PYTHON" -c 'import socket, sys
try: socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
except socket.timeout: sys.exit(28)
except Exception as error: sys.exit(str(error))' "$1" "$2" 2>&1) || d_exit=$?
    elif have nc; then
        field tool nc
        d_error=$(limit 3 nc -w 3 "$1" "$2" 2>&1 </dev/null) || d_exit=$?
        case "$d_exit:$d_error" in 1:) d_exit=124 ;; esac
    elif have curl; then
        field tool curl
        d_error=$(limit 4 curl -q -v -sS --noproxy '*' -m 3 "http://$1:$2/" 2>&1) || d_exit=$?
        case "$d_error" in *'onnected to '*) d_exit=0 ;; esac
        d_error=$(put "$d_error" | grep -i -e refused -e unreachable -e route -e permitted -e denied -e invalid -e 'timed out' | head -n 1)
    else
        field outcome skipped
        field error 'no tool can open a connection'
        return
    fi
    if [ "$d_exit" = 0 ]; then
        CONNECTED=$1
        field outcome connected
    else
        outcome "$d_exit" 000 '' "$d_error"
        field outcome "$OUTCOME"
        case "$d_exit" in 124 | 137 | 143) d_error='timed out' ;; esac
        d_error=${d_error%%"$NL"*}
        field error "${d_error#bash: }"
    fi
    now
    field ms "$(elapsed "$d_start" "$UP")"
}

# try_tls HOST ADDRESS: whom the server says it is, and whether this host trusts it.
try_tls() {
    line '[tls]'
    if have openssl; then
        tls_openssl "$1" "$2"
    elif [ "$PYTHON" ]; then
        tls_python "$1" "$2"
    else
        field outcome skipped
        field error 'no tool can look into TLS'
    fi
}

tls_openssl() {
    field tool openssl
    case "$2" in *:*) t_to="[$2]:443" ;; *) t_to=$2:443 ;; esac
    t_all=$(limit 6 openssl s_client -connect "$t_to" -servername "$1" 2>&1 </dev/null)
    t_exit=$?
    case "$t_all" in
    *'-----BEGIN CERTIFICATE-----'*)
        t_text=$(put "$t_all$NL" | openssl x509 -noout -subject -issuer -dates -checkhost "$1" 2>/dev/null ||
            put "$t_all$NL" | openssl x509 -noout -subject -issuer -dates 2>/dev/null)
        t_verify=${t_all##*Verify return code: }
        t_verify=${t_verify%%"$NL"*}
        case "$t_verify" in
        '0 ('*) case "$t_text" in *'does NOT match'*) t_outcome=wrong-host ;; *) t_outcome=ok ;; esac ;;
        '10 ('*) t_outcome=expired ;;
        '9 ('*) t_outcome=not-yet-valid ;;
        *) t_outcome=untrusted ;;
        esac
        field outcome "$t_outcome"
        t_protocol=${t_all##*"$NL"New, }
        field protocol "${t_protocol%%,*}"
        put "$t_text$NL" | sed -n -e 's/^subject= */subject=/p' -e 's/^issuer= */issuer=/p' \
            -e 's/^notBefore=/not_before=/p' -e 's/^notAfter=/not_after=/p'
        field verify "$t_verify"
        ;;
    *)
        t_error=$(put "$t_all" | grep -e 'error:' -e 'errno' -e 'rror' | head -n 1)
        tls_failure "$t_exit" "$t_all"
        field outcome "$OUTCOME"
        field error "$t_error"
        ;;
    esac
}

# tls_failure EXIT TEXT: why there was no certificate to look at, in OUTCOME.
tls_failure() {
    case "$1:$2" in
    124:* | 137:* | 143:* | *'imed out'*) OUTCOME=timeout ;;
    *'alert protocol version'* | *'unsupported protocol'* | *'no protocols available'* | *'VERSION_ALERT'* | \
        *'PROTOCOL_VERSION'* | *'UNSUPPORTED_PROTOCOL'*) OUTCOME=version ;;
    *'wrong version number'* | *'unknown protocol'* | *'http request'* | *'packet length too long'* | *'WRONG_VERSION_NUMBER'*)
        OUTCOME=not-tls
        ;;
    *'onnection reset'* | *'errno=104'* | *'errno 104'*) OUTCOME=reset ;;
    *'unexpected eof'* | *'errno=0'* | *'EOF'* | *'no peer certificate'*) OUTCOME=eof ;;
    *) OUTCOME=error ;;
    esac
}

PYTHON_TLS='
import socket, ssl, sys, time
host, address = sys.argv[1], sys.argv[2]
def shake(context):
    sock = context.wrap_socket(socket.create_connection((address, 443), 3), server_hostname=host)
    return sock.version(), sock.getpeercert()
try:
    protocol, peer = shake(ssl.create_default_context())
    name = lambda parts: ", ".join("=".join(pair) for part in parts for pair in part)
    print("outcome=ok\nprotocol=%s\nsubject=%s\nissuer=%s\nnot_before=%s\nnot_after=%s" % (
        protocol, name(peer["subject"]), name(peer["issuer"]), peer["notBefore"], peer["notAfter"]))
except ssl.SSLError as error:
    print("@%s" % error)
except Exception as error:
    print("@%s %s" % (type(error).__name__, error))
'

tls_python() {
    field tool python
    t_all=$(limit 6 "$PYTHON" -c "$PYTHON_TLS" "$1" "$2" 2>&1)
    t_exit=$?
    case "$t_all" in
    outcome=*) line "$t_all" ;;
    *)
        tls_failure "$t_exit" "$t_all"
        case "$t_all" in
        *'has expired'*) OUTCOME=expired ;;
        *'not yet valid'*) OUTCOME=not-yet-valid ;;
        *'ostname mismatch'* | *"doesn't match"*) OUTCOME=wrong-host ;;
        *'CERTIFICATE_VERIFY_FAILED'*) OUTCOME=untrusted ;;
        esac
        field outcome "$OUTCOME"
        field error "${t_all#@}"
        ;;
    esac
}

# look_at_endpoint SERVICE: all stages of one endpoint.
look_at_endpoint() {
    endpoint_of "$1"
    line '[endpoint]'
    field service "$1"
    field host "$HOST"
    field port 443
    field source "$HOST_SOURCE"
    field region "$REGION"
    field region_source "$REGION_SOURCE"
    if [ -z "$HOST" ]; then
        field error 'the region is not known'
        NOTE='the region is not known' STATUS=absent
        return
    fi
    if ! is_name "$HOST"; then
        line '[resolve]'
        field outcome skipped
        field error 'this is no host name'
        return
    fi
    resolve_host "$HOST"
    for d_server in $(nameservers); do
        ask_nameserver "$d_server" "$HOST"
    done
    CONNECTED=
    d_count=0
    for d_address in $ADDRESSES; do
        d_count=$((d_count + 1))
        [ "$d_count" -gt 3 ] && break
        try_tcp "$d_address" 443
    done
    if [ "$CONNECTED" ]; then
        try_tls "$HOST" "$CONNECTED"
        fetch GET "https://$HOST/" 8
        record http GET "https://$HOST/" 512
    fi
    if [ "$PROXY_HTTPS" ] && ! spared "$HOST" 443; then
        fetch GET "https://$HOST/" 8 '' "$PROXY_HTTPS"
        record proxy GET "https://$HOST/" 512
        field proxy "$(masked "$PROXY_HTTPS")"
        field source "$PROXY_SOURCE"
        case "$F_TUNNEL" in '' | 000) ;; *) field connect "$F_TUNNEL" ;; esac
        proxied_issuer
    fi
}

# proxied_issuer: who signed what comes through the proxy: its own authority, if it looks inside.
proxied_issuer() {
    [ "$OUTCOME" = answered ] || return 0
    d_config="url = \"https://$HOST/\"${NL}proxy = \"$(quoted "$PROXY_HTTPS")\"$NL"
    put "$d_config" | limit 8 curl -q -K - -k -v -sS -o /dev/null --connect-timeout 3 -m 6 2>&1 |
        sed -n 's/^\* *issuer: */issuer=/p' | head -n 1
}
