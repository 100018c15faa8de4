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

# firewall_modules NAME...: whether one of these parts of the kernel is loaded; to list rules would load them.
firewall_modules() {
    for m_name in "$@"; do
        [ -d "/sys/module/$m_name" ] && return 0
    done
    return 1
}

# firewall_rules COMMAND: chains, policies and the rules that could touch the agent.
firewall_rules() {
    have "$1" || { absent "no $1"; return; }
    firewall_modules ip_tables ip6_tables nf_tables x_tables || { absent 'no packet filter in the kernel'; return; }
    # A rule without any address, port or owner concerns everything; the others only if they name ours.
    limit 3 "$1" 2>&1 | grep -e '^[*:#]' -e '^COMMIT' -e '169\.254' -e '443' -e owner -e 'dport 80' -e 'dport 53' \
        -e '^-A [^ ]* -j ' -e '^-A OUTPUT' -e '^-P' -e rror -e denied -e ermi | head -n 400 | cut_stream
}
