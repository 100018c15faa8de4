# ---- The answer ----------------------------------------------------------------------------------------------
#
# A run of frames on standard output.  Each is a JSON object on one line, and behind it the bytes that it tells
# of, packed and in base64, between two marker lines:
#     @@BEGIN nonce length-of-what-is-packed its-SHA-256  /  base64  /  @@END nonce 0

function SendFrame([string]$Head, [byte[]]$Body) {
    $first = [Text.Encoding]::ASCII.GetBytes($Head + "`n")
    $memory = New-Object IO.MemoryStream
    $gzip = New-Object IO.Compression.GZipStream $memory, ([IO.Compression.CompressionMode]::Compress), $true
    $gzip.Write($first, 0, $first.Length)
    if ($null -ne $Body -and $Body.Length) { $gzip.Write($Body, 0, $Body.Length) }
    $gzip.Close()
    $packed = $memory.ToArray()
    # This one also runs where the policy allows FIPS algorithms only.
    $sha = New-Object Security.Cryptography.SHA256CryptoServiceProvider
    $digest = [BitConverter]::ToString($sha.ComputeHash($packed)).Replace('-', '').ToLowerInvariant()
    [Console]::Out.Write("`n@@BEGIN $Nonce $($packed.Length) $digest`n")
    [Console]::Out.Write([Convert]::ToBase64String($packed, [Base64FormattingOptions]::InsertLineBreaks))
    [Console]::Out.Write("`n@@END $Nonce 0`n")
    [Console]::Out.Flush()
}

# Known: what is found out on the way; one table, so that every function sees a change.
$Known = @{ region = $Region; source = $RegionSource; user = '' }

# OpenSpace: a place of its own for probes to run in, which can be given up where one of them hangs.
function OpenSpace {
    $space = [Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace()
    $space.Open()
    $given = '$Region = "{0}"; $RegionSource = "{1}"; $Imds = "{2}"' -f $Known['region'], $Known['source'], $Imds
    $quiet = '$ErrorActionPreference = "Stop"; $ProgressPreference = "SilentlyContinue"'
    $shell = [PowerShell]::Create()
    $shell.Runspace = $space
    [void]$shell.AddScript("$quiet`n$given`n$Library").Invoke()
    $shell.Dispose()
    return $space
}

function Begin($Probe, $Space) {
    $shell = [PowerShell]::Create()
    $shell.Runspace = $Space
    [void]$shell.AddScript('$global:Way = ""; ' + $Probe['call'])
    $out = New-Object 'Management.Automation.PSDataCollection[PSObject]'
    $in = New-Object 'Management.Automation.PSDataCollection[PSObject]'
    $in.Complete()
    return @{
        id = $Probe['id']; shell = $shell; space = $Space; out = $out; limit = $Probe['limit']; max = $Probe['max']
        handle = $shell.BeginInvoke($in, $out); watch = [Diagnostics.Stopwatch]::StartNew()
    }
}

# Finish: waits for a probe within its limit, and sends what came of it.  Returns whether its place can be used on.
function Finish($Run) {
    $left = [Math]::Max(0, [int]($Run['limit'] * 1000 - $Run['watch'].ElapsedMilliseconds))
    $status = 'ok'
    $note = ''
    $usable = $true
    if ($Run['handle'].AsyncWaitHandle.WaitOne($left, $false)) {
        try { [void]$Run['shell'].EndInvoke($Run['handle']) }
        catch {
            $status, $note = Failure $_
        }
    }
    else {
        $status = 'timeout'
        $note = "not done within $($Run['limit']) s"
        $usable = $false
        [void]$Run['shell'].BeginStop($null, $null)
    }
    # ReadAll, as walking through a collection that is still open would wait for its end.
    $lines = @(foreach ($item in $Run['out'].ReadAll()) { "$item" })
    $text = $lines -join "`n"
    if ($text) { $text += "`n" }
    $bytes = [Text.Encoding]::UTF8.GetBytes($text)
    if ($bytes.Length -gt $Run['max']) {
        $kept = New-Object byte[] $Run['max']
        [Array]::Copy($bytes, $kept, $Run['max'])
        $bytes = $kept
        $status = 'truncated'
        $note = "cut at $($Run['max']) bytes"
    }
    $way = ''
    if ($usable) { $way = "$($Run['space'].SessionStateProxy.GetVariable('Way'))" }
    SendFrame (Json ([ordered]@{
        probe = $Run['id']; status = $status; ms = [long]$Run['watch'].ElapsedMilliseconds; via = $way; note = $note
        ran_as = $Known['user']
    })) $bytes
    $global:Answer = $text
    return $usable
}

# Failure: the status that an error means, and why in words that no translation touches.
function Failure($Caught) {
    $inner = $Caught.Exception
    while ($null -ne $inner.InnerException) { $inner = $inner.InnerException }
    $record = $Caught
    if ($inner -is [Management.Automation.RuntimeException] -and $null -ne $inner.ErrorRecord) { $record = $inner.ErrorRecord }
    $said = "$($record.TargetObject)"
    if ($said -like 'absent: *') { return 'absent', $said.Substring(8) }
    if ($said -like 'denied: *') { return 'denied', $said.Substring(8) }
    if ($null -ne $record.Exception -and $inner -is [Management.Automation.RuntimeException]) { $inner = $record.Exception }
    $name = $inner.GetType().Name
    if ($name -eq 'UnauthorizedAccessException' -or $name -eq 'SecurityException' -or $record.CategoryInfo.Category -eq 'PermissionDenied') {
        return 'denied', $name
    }
    if ($name -eq 'CommandNotFoundException') { return 'absent', "this Windows has no $($inner.CommandName)" }
    return 'error', ("$name $($record.FullyQualifiedErrorId) line $($record.InvocationInfo.ScriptLineNumber)")
}

function Main {
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object Security.Principal.WindowsPrincipal $identity
    $Known['user'] = $identity.Name
    $privilege = 'none'
    if ($principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) { $privilege = 'administrator' }
    SendFrame (Json ([ordered]@{
        hello = [ordered]@{
            version = '1'; user = $Known['user']; privilege = $privilege; powershell = $PSVersionTable.PSVersion.ToString()
            language = $ExecutionContext.SessionState.LanguageMode.ToString(); machine = [Environment]::MachineName
        }
    })) $null
    # The metadata service first, beside all that is local: it tells the region, and it may take its time.
    $runs = @()
    foreach ($probe in $FirstProbes) { $runs += Begin $probe (OpenSpace) }
    $started = $false
    if ($Known['region']) {
        foreach ($probe in $NetworkProbes) { $runs += Begin $probe (OpenSpace) }
        $started = $true
    }
    $space = OpenSpace
    foreach ($probe in $LocalProbes) {
        if (-not (Finish (Begin $probe $space))) { $space = OpenSpace }
    }
    foreach ($run in $runs) {
        [void](Finish $run)
        if (-not $started -and $run['id'] -eq 'imds') {
            if ($global:Answer -match '(?m)^\[region\](?:\n[^\[].*)*?\n\| ([a-z]{2,6}(?:-[a-z]+)+-\d{1,2})') {
                $Known['region'] = $Matches[1]
                $Known['source'] = 'imds'
            }
        }
    }
    if (-not $started) {
        $runs = @()
        foreach ($probe in $NetworkProbes) { $runs += Begin $probe (OpenSpace) }
        foreach ($run in $runs) { [void](Finish $run) }
    }
    foreach ($probe in $LogProbes) {
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $status = 'ok'
        $note = ''
        try {
            if (@(SendLogs)[-1] -eq 0) { $status = 'absent'; $note = 'there is no log of the agent' }
        }
        catch { $status, $note = Failure $_ }
        SendFrame (Json ([ordered]@{ probe = $probe['id']; status = $status; ms = [long]$watch.ElapsedMilliseconds; note = $note; ran_as = $Known['user'] })) $null
    }
    SendFrame '{"bye":true}' $null
}
