# ---- Small things that more than one probe needs ----------------------------------------------------------------

# disk_use OPTION FOLDER...: df of those folders that exist; a path that is not there says nothing of the disk.
disk_use() {
    d_option=$1
    shift
    for d_folder in "$@"; do
        shift
        locate "$d_folder"
        [ "$FILE" ] && [ -e "$FILE" ] && set -- "$@" "$FILE"
    done
    limit 4 df "$d_option" "$@"
}

# in_kernel NAME...: whether one of these parts of the kernel is there already; to ask one for its rules would
# load it.  A kernel without modules, and what is built into it, cannot be loaded any more.
in_kernel() {
    [ -e /proc/modules ] || return 0
    for m_name in "$@"; do
        [ -d "/sys/module/$m_name" ] && return 0
        grep -q "/$m_name\.ko" "/lib/modules/$(uname -r)/modules.builtin" && return 0
    done
    return 1
}

# firewall_rules COMMAND: chains, policies and the rules that could touch the agent.
firewall_rules() {
    have "$1" || { absent "no $1"; return; }
    in_kernel nf_tables ip_tables ip6_tables || { absent 'no packet filter in the kernel'; return; }
    # A rule without any address, port or owner concerns everything; the others only if they name ours.
    limit 3 "$1" 2>&1 | grep -e '^[*:#]' -e '^COMMIT' -e '169\.254' -e '443' -e owner -e 'dport 80' -e 'dport 53' \
        -e '^-A [^ ]* -j ' -e '^-A OUTPUT' -e '^-P' -e rror -e denied -e ermi | head -n 400 | cut_stream
}
