# ---- Requests with own deadlines -----------------------------------------------------------------------------
#
# By sockets: Test-NetConnection takes twenty seconds for a dead address, and WebRequest hides at which stage a
# request failed and takes the proxy of the wrong account.

$Outcomes = @{
    NetworkUnreachable = 'no-route'; HostUnreachable = 'host-unreachable'; HostDown = 'host-unreachable'
    ConnectionRefused = 'refused'; TimedOut = 'timeout'; AccessDenied = 'denied'; HostNotFound = 'unresolved'
    TryAgain = 'unresolved'; NoData = 'unresolved'; AddressNotAvailable = 'invalid'
}

function OutcomeOf([string]$Reason, [string]$Otherwise) {
    if ($Outcomes.ContainsKey($Reason)) { return $Outcomes[$Reason] }
    return $Otherwise
}

function Seconds($Watch) {
    return $Watch.Elapsed.TotalSeconds.ToString('0.000', [Globalization.CultureInfo]::InvariantCulture)
}

# Dial: a TCP connection, or at which stage and why there is none.
function Dial([string]$Name, [int]$Port, [double]$Limit) {
    $answer = @{ outcome = 'connected'; error = ''; client = $null; seconds = ''; remote = '' }
    $watch = [Diagnostics.Stopwatch]::StartNew()
    $client = $null
    try {
        $ip = $null
        if ([Net.IPAddress]::TryParse($Name, [ref]$ip)) { $client = New-Object Net.Sockets.TcpClient $ip.AddressFamily }
        else { $client = New-Object Net.Sockets.TcpClient }
        $pending = $client.BeginConnect($Name, $Port, $null, $null)
        if ($pending.AsyncWaitHandle.WaitOne([int]($Limit * 1000), $false)) {
            $client.EndConnect($pending)
            $answer['client'] = $client
            $answer['remote'] = $client.Client.RemoteEndPoint.Address.ToString()
        }
        else {
            $answer['outcome'] = 'timeout'
            $answer['error'] = "no connection within $Limit s"
            $client.Close()
        }
    }
    catch {
        $answer['error'] = Reason $_
        $answer['outcome'] = OutcomeOf $answer['error'] 'error'
        if ($null -ne $client) { $client.Close() }
    }
    $answer['seconds'] = Seconds $watch
    return $answer
}

# Exchange: one HTTP request on an open stream; what came back, or why nothing did.
function Exchange($Stream, [string]$Request, [double]$Limit) {
    $answer = @{ outcome = 'answered'; error = ''; status = 0; headers = @{}; body = '' }
    $watch = [Diagnostics.Stopwatch]::StartNew()
    $text = New-Object Text.StringBuilder
    try {
        if ($Stream.CanTimeout) {
            $Stream.ReadTimeout = [int]($Limit * 1000)
            $Stream.WriteTimeout = [int]($Limit * 1000)
        }
        $bytes = [Text.Encoding]::ASCII.GetBytes($Request)
        $Stream.Write($bytes, 0, $bytes.Length)
        $Stream.Flush()
        $buffer = New-Object byte[] 4096
        $latin = [Text.Encoding]::GetEncoding(28591)
        $wanted = -1
        while ($text.Length -lt 16384 -and $watch.Elapsed.TotalSeconds -lt $Limit) {
            $read = $Stream.Read($buffer, 0, $buffer.Length)
            if ($read -le 0) { break }
            [void]$text.Append($latin.GetString($buffer, 0, $read))
            $so_far = $text.ToString()
            $end = $so_far.IndexOf("`r`n`r`n")
            if ($end -lt 0) { continue }
            if ($wanted -lt 0) {
                $wanted = 16384
                if ($so_far.Substring(0, $end) -match '(?im)^content-length:\s*(\d{1,7})') { $wanted = [int]$Matches[1] }
            }
            if ($text.Length -ge $end + 4 + $wanted) { break }
        }
    }
    catch { $answer['error'] = Reason $_ }
    $whole = $text.ToString()
    if ($whole -match '^HTTP/\d(?:\.\d)? (\d{3})') {
        $answer['status'] = [int]$Matches[1]
        $end = $whole.IndexOf("`r`n`r`n")
        if ($end -lt 0) { $end = $whole.Length }
        else { $answer['body'] = $whole.Substring($end + 4) }
        foreach ($line in ($whole.Substring(0, $end) -split "`r`n")) {
            $name, $value = $line -split ':', 2
            if ($null -ne $value -and -not $answer['headers'].ContainsKey($name.ToLowerInvariant())) {
                $answer['headers'][$name.ToLowerInvariant()] = $value.Trim()
            }
        }
        if ($answer['headers']['transfer-encoding'] -eq 'chunked' -and $answer['body'] -match '^[0-9a-fA-F]+[^\r\n]*\r\n') {
            $answer['body'] = $answer['body'].Substring($Matches[0].Length) -replace '\r\n0\r\n\r\n$', ''
        }
    }
    elseif ($answer['error'] -eq 'TimedOut' -or $answer['error'] -eq '') {
        $answer['outcome'] = 'no-answer'
        if ($whole) { $answer['error'] = 'not HTTP' }
    }
    else { $answer['outcome'] = 'error' }
    return $answer
}

function HttpRequest([string]$Method, [string]$Target, [string]$Name, [string]$Header = '') {
    $request = "$Method $Target HTTP/1.1`r`nHost: $Name`r`nUser-Agent: ssm-triage`r`nAccept: */*`r`nConnection: close`r`n"
    if ($Method -eq 'PUT') { $request += "Content-Length: 0`r`n" }
    if ($Header) { $request += $Header + "`r`n" }
    return $request + "`r`n"
}

# AnswerFields: the lines of a record that tell of an answer.
function AnswerFields($Answer) {
    Field 'outcome' $Answer['outcome']
    if ($Answer['error']) { Field 'error' $Answer['error'] }
    Field 'http' $Answer['status'].ToString('000')
    Field 'type' $Answer['headers']['content-type']
    Field 'date' $Answer['headers']['date']
    Field 'server' $Answer['headers']['server']
}

# ---- The instance metadata service ---------------------------------------------------------------------------

$ImdsToken = ''

# AskImds: one request to the metadata service, as a record.  Returns nothing but lines; the answer's body is
# kept in $global:ImdsBody for those that go on from it.
function AskImds([string]$Record, [string]$Method, [string]$Path, [string]$Header, [int]$Limit) {
    $url = "http://$Imds/$Path"
    "[$Record]"
    Field 'tool' 'dotnet'
    Field 'method' $Method
    Field 'url' $url
    $global:ImdsBody = ''
    $global:ImdsStatus = 0
    $watch = [Diagnostics.Stopwatch]::StartNew()
    $place, $port = $Imds -split ':', 2
    if (-not $port) { $port = 80 }
    $dialled = Dial $place $port 3
    Field 'connect_s' $dialled['seconds']
    if ($null -eq $dialled['client']) {
        Field 'outcome' $dialled['outcome']
        Field 'error' $dialled['error']
        Field 'http' '000'
        Field 'total_s' (Seconds $watch)
        return
    }
    $answer = Exchange $dialled['client'].GetStream() (HttpRequest $Method "/$Path" $Imds $Header) 3
    $dialled['client'].Close()
    AnswerFields $answer
    Field 'remote' $dialled['remote']
    Field 'total_s' (Seconds $watch)
    $global:ImdsBody = $answer['body']
    $global:ImdsStatus = $answer['status']
    $body = $answer['body']
    if ($answer['status'] -eq 200 -and $Record -eq 'token') { return }
    if ($answer['status'] -eq 200 -and $Record -eq 'credentials') {
        # The document holds keys; what is no secret is picked out of it.
        foreach ($key in 'Code', 'Message', 'LastUpdated', 'Expiration', 'Type') {
            if ($body -match "`"$key`"\s*:\s*(`"[^`"]*`")") { '| "' + $key + '": ' + $Matches[1] }
        }
        return
    }
    if ($body) { Body (Covered $body.Substring(0, [Math]::Min($Limit, $body.Length))) }
}

function ProbeImds {
    $ttl = 'X-aws-ec2-metadata-token-ttl-seconds: 60'
    AskImds 'token' 'PUT' 'latest/api/token' $ttl 512
    $header = ''
    if ($global:ImdsStatus -eq 200) { $header = 'X-aws-ec2-metadata-token: ' + $global:ImdsBody.Trim() }
    AskImds 'v1' 'GET' 'latest/meta-data/instance-id' '' 512
    if ($header -or $global:ImdsStatus -eq 200) {
        AskImds 'instance-id' 'GET' 'latest/meta-data/instance-id' $header 512
        AskImds 'region' 'GET' 'latest/meta-data/placement/region' $header 512
        AskImds 'zone' 'GET' 'latest/meta-data/placement/availability-zone' $header 512
        AskImds 'mac' 'GET' 'latest/meta-data/mac' $header 512
        AskImds 'iam-info' 'GET' 'latest/meta-data/iam/info' $header 2048
        AskImds 'role' 'GET' 'latest/meta-data/iam/security-credentials/' $header 512
        $role = ($global:ImdsBody -split "`r?`n")[0]
        if ($global:ImdsStatus -eq 200 -and $role -match '^[A-Za-z0-9_+=,.@-]{1,64}$') {
            AskImds 'credentials' 'GET' "latest/meta-data/iam/security-credentials/$role" $header 512
        }
        AskImds 'identity' 'GET' 'latest/meta-data/identity-credentials/ec2/info' $header 2048
        AskImds 'document' 'GET' 'latest/dynamic/instance-identity/document' $header 2048
    }
    $proxy = AgentProxy
    if ($proxy['http'] -and -not (Spared $proxy['no'] '169.254.169.254')) {
        '[proxied]'
        Field 'tool' 'dotnet'
        Field 'method' 'PUT'
        Field 'url' "http://$Imds/latest/api/token"
        Field 'proxy' (CoveredProxy $proxy['http'])
        Field 'source' $proxy['layer']
        $place = ProxyPlace $proxy['http']
        $dialled = Dial $place['name'] $place['port'] 3
        if ($null -eq $dialled['client']) {
            Field 'outcome' $dialled['outcome']
            Field 'error' $dialled['error']
            Field 'http' '000'
            return
        }
        $login = ProxyLogin $place
        if ($login) { $ttl = "$ttl`r`n$login" }
        $answer = Exchange $dialled['client'].GetStream() (HttpRequest 'PUT' "http://$Imds/latest/api/token" $Imds $ttl) 3
        $dialled['client'].Close()
        AnswerFields $answer
        if ($answer['status'] -ne 200 -and $answer['body']) {
            Body (Covered $answer['body'].Substring(0, [Math]::Min(512, $answer['body'].Length)))
        }
    }
}

# ProxyPlace: name, port and user of a proxy's URL; without a scheme it is http.
function ProxyPlace([string]$Url) {
    $text = $Url
    if ($text -notmatch '^[A-Za-z][A-Za-z0-9+.-]*://') { $text = "http://$text" }
    $place = @{ name = ''; port = 80; user = ''; scheme = 'http' }
    if ($text -match '^([A-Za-z0-9+.-]+)://(?:(.*)@)?(\[[^\]]*\]|[^:/@]*)(?::(\d{1,5}))?') {
        $place['scheme'] = $Matches[1].ToLowerInvariant()
        $place['user'] = $Matches[2]
        $place['name'] = $Matches[3].Trim('[', ']')
        if ($Matches[4]) { $place['port'] = [int]$Matches[4] }
        elseif ($place['scheme'] -eq 'https') { $place['port'] = 443 }
    }
    return $place
}

function ProxyLogin($Place) {
    if (-not $Place['user']) { return '' }
    $plain = [Uri]::UnescapeDataString($Place['user'])
    return 'Proxy-Authorization: Basic ' + [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($plain))
}

# ---- The endpoints -------------------------------------------------------------------------------------------

# Handshake: TLS on an open connection.  The chain is judged by Windows; whatever the verdict, the handshake goes
# on, so that the certificate can be told.
function Handshake($Client, [string]$Name, [double]$Limit) {
    $answer = @{ outcome = 'ok'; error = ''; stream = $null; protocol = ''; subject = ''; issuer = ''; not_before = ''; not_after = ''; verify = '' }
    $Client.ReceiveTimeout = [int]($Limit * 1000)
    $Client.SendTimeout = [int]($Limit * 1000)
    $global:Judged = $null
    $judge = {
        param($from, $certificate, $chain, $errors)
        $states = @(foreach ($state in $chain.ChainStatus) { $state.Status.ToString() })
        $global:Judged = @{ errors = $errors.ToString(); chain = ($states -join ', ') }
        return $true
    }
    try {
        $plain = $Client.GetStream()
        $callback = [Net.Security.RemoteCertificateValidationCallback]$judge
        $stream = New-Object Net.Security.SslStream -ArgumentList $plain, $false, $callback
        # 1.2, 1.1 and 1.0 by number: .NET 4.0 has no names for the newer two.
        $protocols = [Enum]::ToObject([Security.Authentication.SslProtocols], 4032)
        try { $stream.AuthenticateAsClient($Name, $null, $protocols, $false) }
        catch [ArgumentException] { $stream.AuthenticateAsClient($Name) }
        $answer['stream'] = $stream
        $answer['protocol'] = $stream.SslProtocol.ToString()
        $seen = New-Object Security.Cryptography.X509Certificates.X509Certificate2 $stream.RemoteCertificate
        $answer['subject'] = $seen.Subject
        $answer['issuer'] = $seen.Issuer
        $answer['not_before'] = Moment $seen.NotBefore
        $answer['not_after'] = Moment $seen.NotAfter
        $judged = $global:Judged
        if ($null -ne $judged -and $judged['errors'] -ne 'None') {
            $answer['verify'] = $judged['errors'] + ': ' + $judged['chain']
            $answer['outcome'] = 'untrusted'
            if ($judged['errors'] -eq 'RemoteCertificateNameMismatch') { $answer['outcome'] = 'wrong-host' }
            elseif ($judged['chain'] -match 'NotTimeValid') {
                if ($seen.NotAfter -lt [DateTime]::Now) { $answer['outcome'] = 'expired' }
                elseif ($seen.NotBefore -gt [DateTime]::Now) { $answer['outcome'] = 'not-yet-valid' }
            }
        }
    }
    catch {
        $why = Reason $_
        $answer['error'] = $why
        $answer['outcome'] = 'error'
        if ($why -eq 'ConnectionReset' -or $why -eq 'ConnectionAborted') { $answer['outcome'] = 'reset' }
        elseif ($why -eq 'TimedOut') { $answer['outcome'] = 'timeout' }
        elseif ($why -eq 'EndOfStreamException' -or $why -eq 'IOException') { $answer['outcome'] = 'eof' }
    }
    return $answer
}

function HandshakeFields($Shaken) {
    foreach ($key in 'outcome', 'protocol', 'subject', 'issuer', 'not_before', 'not_after', 'verify', 'error') { Field $key $Shaken[$key] }
}

# Resolve: the addresses of a name, as this host resolves it.
function Resolve([string]$Name) {
    '[resolve]'
    Field 'tool' 'dotnet'
    $watch = [Diagnostics.Stopwatch]::StartNew()
    $global:Found = @()
    try {
        $pending = [Net.Dns]::BeginGetHostAddresses($Name, $null, $null)
        if ($pending.AsyncWaitHandle.WaitOne(6000, $false)) {
            $global:Found = @(foreach ($ip in [Net.Dns]::EndGetHostAddresses($pending)) { $ip.ToString() })
            Field 'exit' '0'
            foreach ($ip in $global:Found) { Field 'address' $ip }
        }
        else {
            Field 'exit' '124'
            Field 'error' 'timeout'
        }
    }
    catch {
        $why = Reason $_
        Field 'exit' '1'
        if ($why -eq 'HostNotFound') { Field 'error' 'HostNotFound: the name does not resolve' } else { Field 'error' $why }
    }
    Field 'ms' ([int]$watch.Elapsed.TotalMilliseconds)
}

$Rcodes = @{
    DNS_ERROR_RCODE_NAME_ERROR = 'NXDOMAIN'; DNS_ERROR_RCODE_SERVER_FAILURE = 'SERVFAIL'
    DNS_ERROR_RCODE_REFUSED = 'REFUSED'; DNS_INFO_NO_RECORDS = 'NOERROR'
}

# AskResolvers: the same question of each name server directly.
function AskResolvers([string]$Name) {
    if (-not (Has 'Resolve-DnsName') -or -not (Has 'Get-DnsClientServerAddress')) { return }
    $servers = @(foreach ($one in @(Get-DnsClientServerAddress -AddressFamily IPv4 -ErrorAction Stop)) { $one.ServerAddresses })
    foreach ($server in @($servers | Select-Object -Unique -First 3)) {
        "[dns $server]"
        Field 'tool' 'Resolve-DnsName'
        try {
            $answers = @(Resolve-DnsName -Name $Name -Type A -Server $server -DnsOnly -NoHostsFile -QuickTimeout -ErrorAction Stop)
            Field 'rcode' 'NOERROR'
            foreach ($one in $answers) { if ($one.QueryType -eq 'A') { Field 'address' $one.IPAddress } }
        }
        catch {
            $id = ("$($_.FullyQualifiedErrorId)" -split ',')[0]
            if ($Rcodes.ContainsKey($id)) { Field 'rcode' $Rcodes[$id] }
            elseif ($id -match 'TIMEOUT|CONNECTION') { Field 'outcome' 'timeout' }
            else { Field 'outcome' 'error' }
            Field 'error' $id
        }
    }
}

# ConfiguredEndpoint: what the agent's own file puts in the place of an endpoint.
function ConfiguredEndpoint([string]$Service) {
    $path = (AgentFolder) + '\amazon-ssm-agent.json'
    if (-not [IO.File]::Exists($path)) { return '' }
    $keys = @{ ssm = 'Ssm'; ssmmessages = 'Mgs'; ec2messages = 'Mds' }
    if ((TextOf $path) -match ('"' + $keys[$Service] + '"\s*:\s*\{[^}]*"Endpoint"\s*:\s*"([^"]+)"')) { return $Matches[1] }
    return ''
}

function ProbeEndpoint([string]$Service) {
    $name = ConfiguredEndpoint $Service
    $source = 'agent-config'
    if (-not $name) {
        $source = 'region'
        if ($Region) {
            $suffix = 'amazonaws.com'
            if ($Region -like 'cn-*') { $suffix = 'amazonaws.com.cn' }
            $name = "$Service.$Region.$suffix"
        }
    }
    if (-not $name) { throw 'absent: the region is not known; give triage_region in the inventory' }
    $name = ($name -replace '^https://', '').TrimEnd('/')
    '[endpoint]'
    Field 'service' $Service
    Field 'host' $name
    Field 'port' '443'
    Field 'source' $source
    Field 'region' $Region
    Field 'region_source' $RegionSource
    Resolve $name
    $addresses = @($global:Found)
    if ($addresses.Count -eq 0) { AskResolvers $name }
    $client = $null
    foreach ($ip in @($addresses | Select-Object -First 3)) {
        $dialled = Dial $ip 443 4
        '[tcp]'
        Field 'address' $ip
        Field 'outcome' $dialled['outcome']
        Field 'error' $dialled['error']
        Field 'ms' ([int]([double]::Parse($dialled['seconds'], [Globalization.CultureInfo]::InvariantCulture) * 1000))
        if ($null -ne $dialled['client']) { $client = $dialled['client']; $remote = $ip; break }
    }
    if ($null -ne $client) {
        $shaken = Handshake $client $name 6
        '[tls]'
        HandshakeFields $shaken
        Field 'address' $remote
        if ($null -ne $shaken['stream']) {
            $answer = Exchange $shaken['stream'] (HttpRequest 'GET' '/' $name) 6
            '[http]'
            AnswerFields $answer
            Field 'remote' $remote
            Body (Covered $answer['body'].Substring(0, [Math]::Min(512, $answer['body'].Length)))
        }
        $client.Close()
    }
    $proxy = AgentProxy
    if ($proxy['https'] -and -not (Spared $proxy['no'] $name)) { ByProxy $name $proxy }
}

function ByProxy([string]$Name, $Proxy) {
    '[proxy]'
    Field 'proxy' (CoveredProxy $Proxy['https'])
    Field 'source' $Proxy['layer']
    $place = ProxyPlace $Proxy['https']
    $dialled = Dial $place['name'] $place['port'] 4
    if ($null -eq $dialled['client']) {
        Field 'outcome' $dialled['outcome']
        $why = $dialled['error']
        if ($dialled['outcome'] -eq 'unresolved') { $why = "could not resolve proxy: $why" }
        Field 'error' $why
        return
    }
    $stream = $dialled['client'].GetStream()
    if ($place['scheme'] -eq 'https') {
        $outer = Handshake $dialled['client'] $place['name'] 6
        if ($null -eq $outer['stream']) {
            Field 'outcome' 'error'
            Field 'error' ('no TLS record from the proxy: ' + $outer['error'])
            $dialled['client'].Close()
            return
        }
        $stream = $outer['stream']
    }
    $request = "CONNECT ${Name}:443 HTTP/1.1`r`nHost: ${Name}:443`r`nUser-Agent: ssm-triage`r`n"
    $login = ProxyLogin $place
    if ($login) { $request += $login + "`r`n" }
    $answer = Tunnel $stream ($request + "`r`n") 6
    Field 'connect' $answer['status'].ToString('000')
    if ($answer['status'] -ne 200) {
        $outcome = 'answered'
        if ($answer['status'] -eq 0) { $outcome = 'no-answer' }
        Field 'outcome' $outcome
        Field 'error' $answer['error']
        $dialled['client'].Close()
        return
    }
    if ($place['scheme'] -eq 'https') {
        # TLS within TLS is beyond this script; that the tunnel stands is told.
        Field 'outcome' 'skipped'
        $dialled['client'].Close()
        return
    }
    $shaken = Handshake $dialled['client'] $Name 6
    Field 'issuer' $shaken['issuer']
    if ($null -ne $shaken['stream']) { AnswerFields (Exchange $shaken['stream'] (HttpRequest 'GET' '/' $Name) 6) }
    else {
        Field 'outcome' 'error'
        Field 'error' ('TLS: ' + $shaken['outcome'] + ' ' + $shaken['error'])
    }
    $dialled['client'].Close()
}

# Tunnel: the answer to CONNECT, read byte by byte so that nothing of the tunnel is taken.
function Tunnel($Stream, [string]$Request, [double]$Limit) {
    $answer = @{ status = 0; error = '' }
    try {
        $Stream.ReadTimeout = [int]($Limit * 1000)
        $bytes = [Text.Encoding]::ASCII.GetBytes($Request)
        $Stream.Write($bytes, 0, $bytes.Length)
        $Stream.Flush()
        $text = New-Object Text.StringBuilder
        while ($text.Length -lt 8192) {
            $byte = $Stream.ReadByte()
            if ($byte -lt 0) { break }
            [void]$text.Append([char]$byte)
            if ($byte -eq 10 -and $text.ToString().EndsWith("`r`n`r`n")) { break }
        }
        if ($text.ToString() -match '^HTTP/\d(?:\.\d)? (\d{3})') { $answer['status'] = [int]$Matches[1] }
        else { $answer['error'] = 'not HTTP' }
    }
    catch { $answer['error'] = Reason $_ }
    return $answer
}
