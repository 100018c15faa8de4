# ---- Printing ---------------------------------------------------------------------------------------------
# Everything is printed by the shell itself: what a tool gets as an argument, all users of the host can see.

NL='
'
CR=$(printf '\r')
case ${KSH_VERSION-} in
*MIRBSD*) put() { print -rn -- "$*"; } ;;
*) put() { printf '%s' "$*"; } ;;
esac
line() { put "$*$NL"; }
have() { command -v "$1" >/dev/null 2>&1; }

# ---- The frame --------------------------------------------------------------------------------------------
# A marker line carries a random word, so that nothing on this host can pass for one.

mark() { put "$NL@@$NONCE $*$NL"; }

# now: the uptime in UP, without starting a process; the reader subtracts.
now() {
    UP=-
    { read -r UP _ </proc/uptime; } 2>/dev/null
}

# ask ID FUNCTION: run one probe between two markers.  It may set STATUS, NOTE (why) and VIA (which way it took).
ask() {
    now
    mark begin "$1" "$UP"
    STATUS='' NOTE='' VIA=-
    case "$NEEDS_ROOT" in
    *" $1 "*) [ "$MY_UID" = 0 ] || STATUS=denied NOTE='needs root' ;;
    esac
    a_rc=0
    if [ -z "$STATUS" ]; then
        "$2"
        a_rc=$?
    fi
    case "${STATUS:-$a_rc}" in
    0) STATUS=ok ;;
    126 | 127) STATUS=absent ;;
    124 | 137 | 143) STATUS=timeout ;;
    [0-9]*) STATUS=error ;;
    esac
    now
    mark end "$1" "$STATUS" "$a_rc" "$UP" "$VIA" "${NOTE%%"$NL"*}"
}

absent() {
    STATUS=absent NOTE=$*
}

# ---- Bounds -----------------------------------------------------------------------------------------------

# limit SECONDS COMMAND...: the first line of defence, where the host has a timeout tool.
limit() {
    if [ "$TIMEOUT" ]; then
        # shellcheck disable=SC2086  # two words: the tool and its option
        $TIMEOUT "$@"
    else
        shift
        "$@"
    fi
}

# bounded SECONDS COMMAND...: the second.  COMMAND runs as an orphan and its output comes through a relay that
# can be killed, so that we go on after SECONDS even where a process cannot be killed (a hung mount).
bounded() {
    b_seconds=$1
    shift
    {
        {
            own_pid
            line "$PID"
            "$@"
        } </dev/null 2>/dev/null &
    } | {
        read -r b_pid
        relay "$b_seconds" || {
            reap "$b_pid"
            mark stop
        }
    }
}

own_pid() {
    PID=0
    { read -r PID _ </proc/self/stat; } 2>/dev/null
}

# relay SECONDS: standard input to standard output, for no longer than that.
relay() {
    if [ "$TIMEOUT" ]; then
        # shellcheck disable=SC2086
        $TIMEOUT "$1" cat
        return
    fi
    exec 3<&0
    cat <&3 &
    r_cat=$!
    (
        trap 'kill "$r_sleep"; exit' TERM
        sleep "$1" &
        r_sleep=$!
        wait "$r_sleep" && kill "$r_cat"
    ) >/dev/null 2>&1 3<&- &
    r_watch=$!
    wait "$r_cat"
    r_rc=$?
    kill "$r_watch" 2>/dev/null
    exec 3<&-
    return "$r_rc"
}

# reap PID: end an orphan of ours and all that it started.
reap() {
    { read -r r_line <"/proc/$1/stat"; } 2>/dev/null || return 0
    stat_fields "$r_line"
    [ "$GROUP" = "$MY_GROUP" ] || return 0
    r_all=$1
    r_parents=$1
    r_depth=0
    while [ "$r_parents" ] && [ "$r_depth" -lt 20 ]; do # what forks faster than we look must not keep us
        r_depth=$((r_depth + 1))
        r_children=
        for r_file in /proc/[0-9]*/stat; do
            { read -r r_line <"$r_file"; } 2>/dev/null || continue
            stat_fields "$r_line"
            case " $r_parents " in
            *" $PARENT "*) r_children="$r_children ${r_line%% *}" ;;
            esac
        done
        r_all="$r_all $r_children"
        r_parents=$r_children
    done
    # shellcheck disable=SC2086  # a list of process ids
    kill -9 $r_all 2>/dev/null
}

# stat_fields LINE: PARENT and GROUP of a line of /proc/PID/stat (proc(5)); the name in it may hold anything.
stat_fields() {
    # shellcheck disable=SC2086
    set -- ${1##*) }
    PARENT=${2-} GROUP=${3-}
}

# beside COMMAND...: run COMMAND beside what is being read here, and print its output behind that.
beside() {
    beside_output=$("$@" </dev/null; put .)
    cat
    put "${beside_output%.}"
}

# member NAME: standard input as one part of the answer, packed where the host can pack.
member() {
    mark "$1" "$PACK"
    if [ "$PACK" = gzip ]; then gzip -1c; else cat; fi
}

# ---- Files ------------------------------------------------------------------------------------------------

# locate PATH: where to read PATH of the host in FILE; with a root, nothing outside of it is ever read.
locate() {
    FILE=$ROOT$1
    [ -z "$ROOT" ] && return 0
    l_real=$(readlink -f "$FILE" 2>/dev/null) || l_real=
    case "$l_real" in
    '') return 0 ;;
    "$ROOT_REAL" | "$ROOT_REAL"/*) FILE=$l_real ;;
    *)  # An absolute link means a path below the root, as it did when the volume was alive.
        l_real=$(readlink -f "$ROOT$l_real" 2>/dev/null) || l_real=
        case "$l_real" in
        "$ROOT_REAL"/*) FILE=$l_real ;;
        *) FILE= ;;
        esac
        ;;
    esac
}

# show PATH: the file, masked and cut to LIMIT bytes; says absent or denied where it cannot be read.
show() {
    locate "$1"
    if [ -z "$FILE" ]; then
        absent "$1: a link that leaves the root"
    elif [ ! -e "$FILE" ]; then
        absent "$1: no such file"
    elif [ ! -r "$FILE" ]; then
        STATUS=denied NOTE="$1: permission denied"
    else
        cut_file "$FILE" | mask
    fi
}

cut_file() { if have head; then head -c "$LIMIT" "$1"; else cat "$1"; fi; }
cut_stream() { if have head; then head -c "$LIMIT"; else cat; fi; }

# first COUNT TEXT: its first bytes.
case ${KSH_VERSION-} in
*MIRBSD*) eval 'first() { put "${2:0:$1}"; }' ;;
*) first() { printf "%.$1s" "$2"; } ;;
esac

# body COUNT TEXT: the lines of a text behind bars, no more than COUNT bytes of it.
body() {
    b_text=$(first "$1" "$2")
    while [ "$b_text" ]; do
        b_line=${b_text%%"$NL"*}
        line "| ${b_line%"$CR"}"
        case "$b_text" in
        *"$NL"*) b_text=${b_text#*"$NL"} ;;
        *) b_text= ;;
        esac
    done
}

# field KEY TEXT: one line of a record.
field() {
    f_value=${2%%"$NL"*}
    line "$1=${f_value%"$CR"}"
}

# ---- Secrets ----------------------------------------------------------------------------------------------

# mask: cover user and password of every URL that passes through, and AWS keys, before they leave the host.
mask() {
    sed -e 's#://[^[:space:]]*@#://***@#g' \
        -e 's#\(_[Pp][Rr][Oo][Xx][Yy][=:][[:space:]]*["'\'']\{0,1\}\)[^:/@[:space:]]*:[^/@[:space:]][^@[:space:]]*@#\1***@#g' \
        -e 's#\([Aa][Ww][Ss]_[A-Za-z_]*[Kk][Ee][Yy][A-Za-z_]*[[:space:]]*[=:][[:space:]]*\)[^[:space:]"'\'']*#\1***#g' \
        -e 's#\([Aa][Ww][Ss]_[A-Za-z_]*[Tt][Oo][Kk][Ee][Nn][[:space:]]*[=:][[:space:]]*\)[^[:space:]"'\'']*#\1***#g'
}

# masked URL: the same for one value.
masked() {
    case "$1" in
    *://*@*) put "${1%%://*}://***@${1##*@}" ;;
    *@*) put "***@${1##*@}" ;;
    *) put "$1" ;;
    esac
}
