# ---- The instance metadata service ---------------------------------------------------------------------------

META=latest/meta-data

# look_at_imds: one record per request.  The token is never printed; of the credentials only their state is.
look_at_imds() {
    i_url=http://$IMDS/latest/api/token
    i_ttl='X-aws-ec2-metadata-token-ttl-seconds: 60'
    fetch PUT "$i_url" 3 "$i_ttl"
    i_header=
    if [ "$F_HTTP" = 200 ]; then
        i_header="X-aws-ec2-metadata-token: $F_BODY"
        F_BODY=
    fi
    record token PUT "$i_url" 512
    i_url=http://$IMDS/$META/instance-id
    fetch GET "$i_url" 3
    record v1 GET "$i_url" 512
    if [ "$i_header" ] || [ "$F_HTTP" = 200 ]; then
        ask_imds instance-id $META/instance-id 512
        ask_imds region $META/placement/region 512
        ask_imds zone $META/placement/availability-zone 512
        ask_imds mac $META/mac 512
        ask_imds iam-info $META/iam/info 2048
        ask_imds role $META/iam/security-credentials/ 512
        i_role=${F_BODY%%"$NL"*}
        i_role=${i_role%"$CR"}
        case "$F_HTTP:$i_role" in
        200: | 200:*[!A-Za-z0-9_+=,.@-]*) ;;
        200:*) state_of_credentials credentials "$META/iam/security-credentials/$i_role" ;;
        esac
        ask_imds identity $META/identity-credentials/ec2/info 2048
        ask_imds document latest/dynamic/instance-identity/document 2048
    fi
    if [ "$PROXY_HTTP" ] && ! spared "${IMDS%:*}" 80; then
        i_url=http://$IMDS/latest/api/token
        fetch PUT "$i_url" 3 "$i_ttl" "$PROXY_HTTP"
        [ "$F_HTTP" = 200 ] && F_BODY=
        record proxied PUT "$i_url" 512
        field proxy "$(masked "$PROXY_HTTP")"
        field source "$PROXY_SOURCE"
    fi
}

ask_imds() {
    fetch GET "http://$IMDS/$2" 3 "$i_header"
    record "$1" GET "http://$IMDS/$2" "$3"
}

# state_of_credentials NAME PATH: of the document that holds the keys, what is no secret.
state_of_credentials() {
    fetch GET "http://$IMDS/$2" 3 "$i_header"
    i_document=$F_BODY
    [ "$F_HTTP" = 200 ] && F_BODY=
    record "$1" GET "http://$IMDS/$2" 512
    [ "$F_HTTP" = 200 ] || return 0
    for i_key in Code Message LastUpdated Expiration Type; do
        json_string "$i_key" "$i_document" && line "| \"$i_key\": \"$VALUE\""
    done
    i_document=
}
