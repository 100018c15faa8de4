# ---- The five layers of proxy settings -----------------------------------------------------------------------
#
# All are read from the hives: what this login has is not what LocalSystem has.  The agent takes the first that
# sets one: its service's environment, the machine's, LocalSystem's, LocalSystem's WinINET, WinHTTP.

$ProxyNames = 'http_proxy', 'https_proxy', 'no_proxy'

# WinHttp: proxy and bypass list out of the binary value that netsh writes: three numbers (size, count of
# changes, flags), then two strings behind their lengths.
function WinHttp([byte[]]$Blob) {
    if ($null -eq $Blob -or $Blob.Length -lt 16) { return $null }
    $flags = [BitConverter]::ToInt32($Blob, 8)
    $size = [BitConverter]::ToInt32($Blob, 12)
    if (-not ($flags -band 2) -or $size -lt 1 -or 16 + $size -gt $Blob.Length) { return @{ flags = $flags; proxy = ''; bypass = '' } }
    $proxy = [Text.Encoding]::ASCII.GetString($Blob, 16, $size)
    $bypass = ''
    $at = 16 + $size
    if ($at + 4 -le $Blob.Length) {
        $size = [BitConverter]::ToInt32($Blob, $at)
        if ($size -gt 0 -and $at + 4 + $size -le $Blob.Length) { $bypass = [Text.Encoding]::ASCII.GetString($Blob, $at + 4, $size) }
    }
    return @{ flags = $flags; proxy = $proxy; bypass = $bypass }
}

# Environment: the proxy variables among NAME=value pairs.
function FromPairs([string]$Layer, [string]$Origin, $Pairs) {
    foreach ($pair in @($Pairs)) {
        $name, $value = "$pair" -split '=', 2
        if ($ProxyNames -contains $name.ToLowerInvariant()) { @{ layer = $Layer; origin = $Origin; name = $name; value = "$value" } }
    }
}

function FromKey([string]$Layer, [string]$Hive, [string]$Path) {
    $values = Registry $Hive $Path
    if ($null -eq $values) { return }
    foreach ($name in $values.Keys) {
        if ($ProxyNames -contains $name.ToLowerInvariant()) {
            @{ layer = $Layer; origin = "$Hive\$Path"; name = $name; value = "$($values[$name])" }
        }
    }
}

function FromWinInet([string]$Layer, [string]$Hive, [string]$Path) {
    $values = Registry $Hive $Path
    if ($null -eq $values) { return }
    $origin = "$Hive\$Path"
    if ($values['AutoConfigURL']) { @{ layer = $Layer; origin = $origin; name = 'pac'; value = "$($values['AutoConfigURL'])" } }
    if ($values['ProxyEnable'] -ne 1) { return }
    @{ layer = $Layer; origin = $origin; name = 'server'; value = "$($values['ProxyServer'])" }
    @{ layer = $Layer; origin = $origin; name = 'bypass'; value = "$($values['ProxyOverride'])" }
}

# ProxyLayers: every setting with its secrets, for use on the host only.
function ProxyLayers {
    $service = Registry 'LocalMachine' 'SYSTEM\CurrentControlSet\Services\AmazonSSMAgent'
    if ($null -ne $service) { FromPairs 'service' 'HKLM\SYSTEM\CurrentControlSet\Services\AmazonSSMAgent\Environment' $service['Environment'] }
    FromKey 'machine' 'LocalMachine' 'SYSTEM\CurrentControlSet\Control\Session Manager\Environment'
    FromKey 'system-user' 'Users' 'S-1-5-18\Environment'
    $inet = 'Software\Microsoft\Windows\CurrentVersion\Internet Settings'
    FromWinInet 'system-inet' 'Users' "S-1-5-18\$inet"
    $http = Registry 'LocalMachine' 'SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\Connections'
    if ($null -ne $http) {
        $found = WinHttp $http['WinHttpSettings']
        if ($null -ne $found -and $found['proxy']) {
            $origin = 'WinHTTP (netsh winhttp)'
            @{ layer = 'winhttp'; origin = $origin; name = 'server'; value = $found['proxy'] }
            @{ layer = 'winhttp'; origin = $origin; name = 'bypass'; value = $found['bypass'] }
        }
    }
    FromKey 'login' 'CurrentUser' 'Environment'
    FromWinInet 'login' 'CurrentUser' $inet
}

function ProbeProxy {
    foreach ($setting in @(ProxyLayers)) {
        Json ([ordered]@{
            kind = 'setting'; layer = $setting['layer']; origin = $setting['origin']; name = $setting['name']
            value = (CoveredProxy $setting['value'])
        })
    }
    foreach ($layer in 'service', 'machine', 'system-user', 'system-inet', 'winhttp', 'login') {
        Json ([ordered]@{ kind = 'looked'; layer = $layer })
    }
}

# ServerOf: of "host:port" or "http=host:port;https=host:port", the one for a scheme.
function ServerOf([string]$Text, [string]$Scheme) {
    if ($Text -notlike '*=*') { return ($Text -split '[;\s]')[0] }
    foreach ($part in ($Text -split '[;\s]')) {
        $name, $value = $part -split '=', 2
        if ($name -eq $Scheme) { return $value }
    }
    return ''
}

# AgentProxy: what the agent would take: http, https, no (with secrets) and the layer; empty strings for none.
function AgentProxy {
    $all = @(ProxyLayers)
    foreach ($layer in 'service', 'machine', 'system-user') {
        $found = @{ http = ''; https = ''; no = ''; layer = $layer }
        foreach ($setting in $all) {
            if ($setting['layer'] -ne $layer) { continue }
            $found[($setting['name'].ToLowerInvariant() -replace '_proxy$', '')] = $setting['value']
        }
        if ($found['http'] -or $found['https']) { return $found }
    }
    foreach ($layer in 'system-inet', 'winhttp') {
        $found = @{ http = ''; https = ''; no = ''; layer = $layer }
        foreach ($setting in $all) {
            if ($setting['layer'] -ne $layer) { continue }
            if ($setting['name'] -eq 'server') {
                $found['http'] = ServerOf $setting['value'] 'http'
                $found['https'] = ServerOf $setting['value'] 'https'
            }
            if ($setting['name'] -eq 'bypass') { $found['no'] = $setting['value'] -replace '[;\s]+', ',' }
        }
        if ($found['http'] -or $found['https']) { return $found }
    }
    return @{ http = ''; https = ''; no = ''; layer = '' }
}

# Spared: whether a list of exceptions lets a name go direct, as Go reads it: 169.254.* is no pattern to it.
function Spared([string]$List, [string]$Name) {
    foreach ($entry in ($List -split '[,;\s]+')) {
        if (-not $entry) { continue }
        if ($entry -eq '*' -or $entry -eq $Name) { return $true }
        if ($Name -like ('*.' + $entry.TrimStart('*', '.'))) { return $true }
    }
    return $false
}
