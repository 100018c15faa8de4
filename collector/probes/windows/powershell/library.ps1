# ---- What the probes share -----------------------------------------------------------------------------------
#
# Every probe is a function that puts out lines of text.  A probe that finds nothing to look at throws
# 'absent: why'; one that may not look throws 'denied: why'.  Only names of enumerations, numbers and values are
# put out, never a message of the system: those are in the language of the host.

# Via: which of several ways gave the output.
function Via([string]$Way) { $global:Way = $Way }

function Has([string]$Cmdlet) { return [bool](Get-Command -Name $Cmdlet -ErrorAction SilentlyContinue) }

# JsonText: a string in JSON, in ASCII alone.
function JsonText([string]$Text) {
    $out = New-Object Text.StringBuilder
    [void]$out.Append('"')
    foreach ($char in $Text.ToCharArray()) {
        $code = [int]$char
        if ($code -eq 34 -or $code -eq 92) { [void]$out.Append('\').Append($char) }
        elseif ($code -lt 32 -or $code -gt 126) { [void]$out.Append('\u').Append($code.ToString('x4')) }
        else { [void]$out.Append($char) }
    }
    return $out.Append('"').ToString()
}

# Json: a value in JSON.  ConvertTo-Json is not used: it cuts at a depth, unrolls lists of one, and its dates and
# enumerations differ between versions.
function Json($Value) {
    if ($null -eq $Value) { return 'null' }
    if ($Value -is [bool]) { if ($Value) { return 'true' } else { return 'false' } }
    if ($Value -is [string]) { return JsonText $Value }
    if ($Value -is [Enum]) { return JsonText $Value.ToString() }
    if ($Value -is [DateTime]) { return JsonText (Moment $Value) }
    if ($Value -is [ValueType] -and $Value -isnot [char] -and $Value -isnot [Guid] -and $Value -isnot [TimeSpan]) {
        return $Value.ToString([Globalization.CultureInfo]::InvariantCulture)
    }
    if ($Value -is [Collections.IDictionary]) {
        $pairs = @(foreach ($key in $Value.Keys) { (JsonText $key) + ':' + (Json $Value[$key]) })
        return '{' + ($pairs -join ',') + '}'
    }
    if ($Value -is [Collections.IEnumerable]) {
        $items = @(foreach ($item in $Value) { Json $item })
        return '[' + ($items -join ',') + ']'
    }
    return JsonText $Value.ToString()
}

# Moment: a time as ISO 8601 in UTC.
function Moment($Time) {
    if ($null -eq $Time) { return '' }
    return $Time.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture)
}

# Epoch: a time as seconds since 1970.
function Epoch($Time) {
    if ($null -eq $Time) { return '' }
    $start = New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc)
    $seconds = ($Time.ToUniversalTime() - $start).TotalSeconds
    return $seconds.ToString('0.###', [Globalization.CultureInfo]::InvariantCulture)
}

# Field: one key=value line of a record, on one line whatever the value holds.
function Field([string]$Key, $Value) {
    if ($null -eq $Value -or "$Value" -eq '') { return }
    return $Key + '=' + ("$Value" -replace '[\r\n\0]+', ' ')
}

# Body: lines of a record's body.
function Body([string]$Text) {
    foreach ($line in ($Text -split "`r?`n")) { '| ' + $line }
}

# Covered: user and password in URLs, and the ids of keys, under asterisks.
function Covered([string]$Text) {
    $Text = [regex]::Replace($Text, '://[^\s/"''<>]*@', '://***@')
    return [regex]::Replace($Text, '(AKIA|ASIA)[A-Z0-9]{12,}', '***')
}

# CoveredProxy: the value of one proxy setting; all before the last @ of an entry is covered.
function CoveredProxy([string]$Text) {
    return [regex]::Replace($Text, '(^|[;=\s])((?:[A-Za-z][A-Za-z0-9+.-]*://)?)[^;\s]*@', '$1$2***@')
}

# Registry: the values of a key by name; $null where there is none.  A key that may not be read throws.
function Registry([string]$Hive, [string]$Path) {
    $base = [Microsoft.Win32.RegistryKey]::OpenBaseKey([Microsoft.Win32.RegistryHive]$Hive, [Microsoft.Win32.RegistryView]::Registry64)
    $key = $base.OpenSubKey($Path, $false)
    if ($null -eq $key) { return $null }
    $found = @{}
    foreach ($name in $key.GetValueNames()) {
        $found[$name] = $key.GetValue($name, $null, [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
    }
    $key.Close()
    return $found
}

# Subkeys: the names of the keys beneath a key.
function Subkeys([string]$Hive, [string]$Path) {
    $base = [Microsoft.Win32.RegistryKey]::OpenBaseKey([Microsoft.Win32.RegistryHive]$Hive, [Microsoft.Win32.RegistryView]::Registry64)
    $key = $base.OpenSubKey($Path, $false)
    if ($null -eq $key) { return @() }
    $names = $key.GetSubKeyNames()
    $key.Close()
    return $names
}

# Cim: the objects of a class, by whichever cmdlet this version has.
function Cim([string]$Class, [string]$Filter = '', [string]$Namespace = 'root\cimv2') {
    $query = "SELECT * FROM $Class"
    if ($Filter) { $query = "$query WHERE $Filter" }
    if (Has 'Get-CimInstance') { return Get-CimInstance -Query $query -Namespace $Namespace -ErrorAction Stop }
    return Get-WmiObject -Query $query -Namespace $Namespace -ErrorAction Stop
}

# Seen: the objects of a pipeline; an empty answer instead of the error that some cmdlets give for "none".
function Seen([scriptblock]$Look) {
    try { return @(& $Look) }
    catch {
        if ($_.CategoryInfo.Category -eq 'ObjectNotFound') { return @() }
        throw
    }
}

# Reason: what went wrong, in a word that no translation touches.
function Reason($Caught) {
    $inner = $Caught.Exception
    while ($null -ne $inner) {
        if ($inner -is [Net.Sockets.SocketException]) { return $inner.SocketErrorCode.ToString() }
        if ($null -eq $inner.InnerException) { break }
        $inner = $inner.InnerException
    }
    if ($inner -is [Management.Automation.RuntimeException] -and $Caught.FullyQualifiedErrorId) {
        return $Caught.FullyQualifiedErrorId
    }
    return $inner.GetType().Name
}

# OpenShared: a file for reading while others write, rename or delete it.
function OpenShared([string]$Path) {
    $share = [IO.FileShare]([int][IO.FileShare]::ReadWrite -bor [int][IO.FileShare]::Delete)
    return New-Object IO.FileStream $Path, ([IO.FileMode]::Open), ([IO.FileAccess]::Read), $share
}

# TextOf: the last bytes of a text file, in whichever Unicode it is.
function TextOf([string]$Path, [int]$Limit = 65536) {
    $stream = OpenShared $Path
    try {
        $mark = New-Object byte[] 4
        [void]$stream.Read($mark, 0, 4)
        $encoding = [Text.Encoding]::UTF8
        if ($mark[0] -eq 255 -and $mark[1] -eq 254) { $encoding = [Text.Encoding]::Unicode }
        elseif ($mark[0] -eq 254 -and $mark[1] -eq 255) { $encoding = [Text.Encoding]::BigEndianUnicode }
        $from = [Math]::Max([long]0, $stream.Length - $Limit)
        $from = $from - ($from % 2)
        [void]$stream.Seek($from, [IO.SeekOrigin]::Begin)
        $buffer = New-Object byte[] $Limit
        $count = 0
        while ($count -lt $Limit) {
            $read = $stream.Read($buffer, $count, $Limit - $count)
            if ($read -le 0) { break }
            $count += $read
        }
        return $encoding.GetString($buffer, 0, $count).TrimStart([char]0xFEFF)
    }
    finally { $stream.Dispose() }
}

# FileOf: a whole small file, or why it is not there.
function FileOf([string]$Path, [int]$Limit = 65536) {
    if (-not [IO.File]::Exists($Path)) { throw "absent: no such file: $Path" }
    return Covered (TextOf $Path $Limit)
}

function ProgramData { return [Environment]::GetFolderPath('CommonApplicationData') }
function ProgramFiles {
    $folder = [Environment]::GetEnvironmentVariable('ProgramW6432')
    if ($folder) { return $folder }
    return [Environment]::GetFolderPath('ProgramFiles')
}
function SystemFolder { return [Environment]::GetFolderPath('Windows') }
