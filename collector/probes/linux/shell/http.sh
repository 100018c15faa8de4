# ---- One HTTP request, by whatever tool there is ------------------------------------------------------------

# A request in Python, for hosts without curl: method, URL, seconds and proxy are its arguments, the header
# comes on standard input.  It prints the answer as it came, then a line as curl's --write-out does below.
PYTHON_FETCH='
import socket, ssl, sys, time
try:
    from urllib.parse import urlsplit
except ImportError:
    from urlparse import urlsplit
method, url, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
header = sys.stdin.read().strip()
out = getattr(sys.stdout, "buffer", sys.stdout)
at, started, connected, remote, code, error = urlsplit(url), time.time(), 0.0, "", 0, ""
try:
    port = at.port or (443 if at.scheme == "https" else 80)
    sock = socket.create_connection((at.hostname, port), min(seconds, 3))
    connected, remote = time.time() - started, sock.getpeername()[0]
    sock.settimeout(seconds)
    if at.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        sock = context.wrap_socket(sock, server_hostname=at.hostname)
    lines = [method + " " + (at.path or "/") + " HTTP/1.0", "Host: " + at.hostname, "Content-Length: 0", header]
    sock.sendall("\r\n".join([line for line in lines if line] + ["", ""]).encode())
    answer = b""
    while len(answer) < 16384:
        piece = sock.recv(16384)
        if not piece:
            break
        answer += piece
    out.write(answer)
    error = "" if answer else "Empty reply from server"
    code = 0 if answer else 52
except Exception as problem:
    code, error = (28 if isinstance(problem, socket.timeout) else 7), str(problem) or type(problem).__name__
out.write(("\n@@ %d 000 %f %f 000 %s\npython: %s\n" % (code, connected, time.time() - started, remote, error)).encode())
'

# fetch METHOD URL SECONDS [HEADER [PROXY]]: ask once, directly or through PROXY, and keep what came in F_*.
# HEADER and PROXY may be secret: they reach the tool through its standard input, never as an argument.
fetch() {
    F_TOOL='' F_EXIT='' F_ERROR='' F_HTTP=000 F_CONNECT='' F_TOTAL='' F_REMOTE='' F_HEAD='' F_BODY='' F_TUNNEL=''
    if have curl; then
        fetch_curl "$@"
    elif [ "${5-}" ]; then
        :
    elif [ "$PYTHON" ]; then
        fetch_python "$@"
    elif have bash && [ "${2%%:*}" = http ]; then
        fetch_bash "$@"
    elif have wget && [ "$1${4-}" = GET ]; then
        fetch_wget "$@"
    fi
    headers "$F_HEAD"
    outcome "$F_EXIT" "$F_HTTP" "$F_CONNECT" "$F_ERROR"
}

# answer_of COMMAND...: its output, errors and all, in F_ALL and its exit code in F_EXIT; an endless one is cut.
answer_of() {
    LIMIT=20000
    F_ALL=$(
        {
            "$@" 2>&1
            put "$NL@exit $?"
        } | cut_stream
        put .
    )
    F_ALL=${F_ALL%.}
    F_EXIT=23
    case "$F_ALL" in
    *"$NL@exit "*)
        F_EXIT=${F_ALL##*"$NL@exit "}
        F_ALL=${F_ALL%"$NL@exit "*}
        ;;
    esac
}

fetch_curl() {
    F_TOOL=curl
    c_config="url = \"$2\"${NL}request = \"$1\"$NL"
    if [ "${4-}" ]; then c_config="${c_config}header = \"$(quoted "$4")\"$NL"; fi
    if [ "${5-}" ]; then
        c_config="${c_config}proxy = \"$(quoted "$5")\"$NL"
    else
        c_config="${c_config}noproxy = \"*\"$NL"
    fi
    c_first=3
    [ "$3" -lt 3 ] && c_first=$3
    answer_of configured_curl "$3" "$c_first"
    split_answer "$F_ALL"
    case "$F_ALL" in
    *"curl: ("*)
        F_ERROR="curl: (${F_ALL##*"curl: ("}"
        F_ERROR=${F_ERROR%%"$NL"*}
        ;;
    esac
    [ "$F_EXIT" = 0 ] && F_ERROR=
    if [ "$F_EXIT" = 7 ] && [ -z "${5-}" ]; then
        # Newer editions of curl keep to themselves which of the ways to fail it was.
        c_why=$(limit 3 curl -q -v -sS --noproxy '*' -m 2 "$2" 2>&1 | grep -i -e refused -e unreachable \
            -e 'no route' -e permitted -e denied -e 'invalid arg' | head -n 1)
        [ "$c_why" ] && F_ERROR="$F_ERROR (${c_why#\* })"
    fi
    :
}

# TLS is judged by a record of its own; here an untrusted server, too, shall tell its date and its name.
configured_curl() {
    put "$c_config" | limit $(($1 + 2)) curl -q -K - -k -sS -i --connect-timeout "$2" -m "$1" \
        -w '\n@@ - %{http_code} %{time_connect} %{time_total} %{http_connect} %{remote_ip}\n'
}

fetch_python() {
    F_TOOL=python
    answer_of python_request "$@"
    split_answer "$F_ALL"
    F_EXIT=$F_CODE
    case "$F_EXIT:$F_ALL" in
    0:*) ;;
    *"${NL}python: "*) F_ERROR=${F_ALL##*"${NL}python: "} ;;
    esac
}

python_request() {
    put "${4-}" | limit $(($3 + 5)) "$PYTHON" -c "$PYTHON_FETCH" "$1" "$2" "$3"
}

fetch_bash() {
    F_TOOL=bash
    c_path=${2#http://}
    c_host=${c_path%%/*}
    answer_of bash_request "$3" "$c_host" "$1" "/${c_path#*/}" "${4-}"
    case "$F_EXIT" in
    0) split_answer "$F_ALL" ;;
    124 | 137 | 143) F_EXIT=28 F_ERROR='timed out' ;;
    *) F_ERROR=${F_ALL%%"$NL"*} ;;
    esac
}

bash_request() {
    # shellcheck disable=SC2016  # the inner bash expands them
    line "$5" | limit "$1" bash -c '
        read -r header
        exec 3<>"/dev/tcp/$0/80" || exit 7
        { printf "%s %s HTTP/1.0\r\nHost: %s\r\nContent-Length: 0\r\n" "$1" "$2" "$0"
          [ -z "$header" ] || printf "%s\r\n" "$header"
          printf "\r\n"; } >&3
        cat <&3' "$2" "$3" "$4"
}

fetch_wget() {
    F_TOOL=wget
    answer_of limit $(($3 + 2)) wget -q -S -O - -T "$3" "$2"
    # Both kinds of wget print the headers indented, and the body after them.
    F_HEAD=$(put "$F_ALL" | sed -n 's#^ \{1,\}##p')
    F_BODY=$(put "$F_ALL" | sed -e '/^ /d' -e '/^wget: /d')
    F_ERROR=$(put "$F_ALL" | grep -i -e '^wget:' -e failed -e 'timed out' -e 'unable to' | head -n 1)
    case "$F_HEAD" in
    HTTP/*)
        F_HTTP=${F_HEAD#* }
        F_HTTP=$(first 3 "$F_HTTP")
        ;;
    esac
}

# split_answer TEXT: take head, body and the closing "@@ exit code connect total tunnel remote" line apart.
split_answer() {
    F_CODE=28
    F_BODY=$1
    case "$1" in
    *"$NL@@ "*)
        s_line=${1##*"$NL@@ "}
        F_BODY=${1%"$NL@@ "*}
        set -f
        # shellcheck disable=SC2086  # words
        set -- ${s_line%%"$NL"*}
        set +f
        F_CODE=${1-} F_HTTP=${2-} F_CONNECT=${3-} F_TOTAL=${4-} F_TUNNEL=${5-} F_REMOTE=${6-}
        ;;
    esac
    while :; do
        case "$F_BODY" in
        HTTP/*"$CR$NL$CR$NL"*)
            F_HEAD=${F_BODY%%"$CR$NL$CR$NL"*}
            F_BODY=${F_BODY#*"$CR$NL$CR$NL"}
            ;;
        HTTP/*) F_HEAD=$F_BODY F_BODY='' ;;
        *) break ;;
        esac
    done
    if [ "${F_HTTP:-000}" = 000 ]; then
        F_HTTP=000
        case "$F_HEAD" in
        HTTP/*' '[1-5][0-9][0-9]*)
            F_HTTP=${F_HEAD#* }
            F_HTTP=$(first 3 "$F_HTTP")
            ;;
        esac
    fi
}

# headers HEAD: the three response headers that tell who answered, and when.
headers() {
    F_TYPE='' F_DATE='' F_SERVER=''
    h_rest=$1
    while [ "$h_rest" ]; do
        h_line=${h_rest%%"$NL"*}
        case "$h_rest" in *"$NL"*) h_rest=${h_rest#*"$NL"} ;; *) h_rest= ;; esac
        h_value=${h_line#*:}
        h_value=${h_value# }
        h_value=${h_value%"$CR"}
        h_value=${h_value%"${h_value##*[! ]}"}
        case "$h_line" in
        [Cc]ontent-[Tt]ype:*) F_TYPE=$h_value ;;
        [Dd]ate:*) F_DATE=$h_value ;;
        [Ss]erver:*) F_SERVER=$h_value ;;
        esac
    done
}

# outcome EXIT HTTP CONNECT ERROR: the word for how a request went, in OUTCOME.
outcome() {
    case "$2" in
    [1-5][0-9][0-9]) OUTCOME=answered ;;
    *)
        OUTCOME=error
        case "$1" in
        28 | 124 | 137 | 143) OUTCOME=timeout ;;
        52 | 56) OUTCOME=no-answer ;;
        esac
        # Only a connection that came about has a time other than 0.000...
        case "$OUTCOME:$3" in timeout:*[1-9]*) OUTCOME=no-answer ;; esac
        case "$OUTCOME:$4" in error:*'imed out'* | error:*'imeout'*) OUTCOME=timeout ;; esac
        case "$4" in
        *refused*) OUTCOME=refused ;;
        *'etwork is unreachable'* | *'etwork unreachable'*) OUTCOME=no-route ;;
        *'o route to host'* | *'ost is unreachable'* | *'ost unreachable'*) OUTCOME=host-unreachable ;;
        *'ermission denied'* | *'not permitted'*) OUTCOME=denied ;;
        *'nvalid argument'*) OUTCOME=invalid ;;
        *'not resolve '* | *"n't resolve "* | *'service not known'* | *'failure in name'* | *'bad address'* | \
            *'No address associated'*) OUTCOME=unresolved ;;
        esac
        ;;
    esac
}

# record NAME METHOD URL BYTES: what the last fetch brought, its body cut to BYTES.
record() {
    line "[$1]"
    if [ -z "$F_TOOL" ]; then
        field outcome skipped
        field error 'no tool can make this request'
        return
    fi
    field tool "$F_TOOL"
    field method "$2"
    field url "$3"
    field exit "$F_EXIT"
    field outcome "$OUTCOME"
    [ "$F_ERROR" ] && field error "$F_ERROR"
    field http "$F_HTTP"
    [ "$F_CONNECT" ] && field connect_s "$F_CONNECT"
    [ "$F_TOTAL" ] && field total_s "$F_TOTAL"
    [ "$F_REMOTE" ] && field remote "$F_REMOTE"
    [ "$F_TYPE" ] && field type "$F_TYPE"
    [ "$F_DATE" ] && field date "$F_DATE"
    [ "$F_SERVER" ] && field server "$F_SERVER"
    body "$4" "$F_BODY"
}

# quoted TEXT: as curl's configuration wants it between double quotes.
quoted() {
    q_rest=$1
    while :; do
        case "$q_rest" in
        *[\\\"]*)
            q_plain=${q_rest%%[\\\"]*}
            q_rest=${q_rest#"$q_plain"}
            case "$q_rest" in
            \\*) put "$q_plain\\\\" ;;
            *) put "$q_plain\\\"" ;;
            esac
            q_rest=${q_rest#?}
            ;;
        *) break ;;
        esac
    done
    put "$q_rest"
}
