# ---- The agent's logs ----------------------------------------------------------------------------------------
#
# Read as they are while the agent writes and rolls them.  A file that is too big comes as the head of its last
# start and its tail.  Secrets are covered by as many asterisks, so that offsets and lines stay those of the file.

$LogBlock = 262144
$Latin = [Text.Encoding]::GetEncoding(28591)
$SecretShapes = '(?<=://)[^\s/"''<>]*(?=@)|(?:AKIA|ASIA)[A-Z0-9]{12,}|(?<=(?:SecretAccessKey|SessionToken|X-aws-ec2-metadata-token)"?\s*[:=]\s*"?)[A-Za-z0-9/+=_-]{16,}'

# LogFiles: what is read, the most telling first, what was rolled over last.
function LogFiles {
    $folder = (AgentData) + '\Logs'
    if (-not [IO.Directory]::Exists($folder)) { return }
    $all = (New-Object IO.DirectoryInfo $folder).GetFiles('*', [IO.SearchOption]::AllDirectories)
    $ranks = 'amazon-ssm-agent.log', 'ssm-agent-worker.log', 'errors.log', 'hibernate.log'
    foreach ($file in $all) {
        $rank = [Array]::IndexOf($ranks, $file.Name.ToLowerInvariant())
        if ($rank -lt 0 -and $file.FullName -like '*\audits\*') { $rank = 4 }
        elseif ($rank -lt 0 -and $file.Name -match '\.log\.(\d+)$') { $rank = 10000 - [int]$Matches[1] }
        elseif ($rank -lt 0) { continue }
        @{ rank = $rank; path = $file.FullName; name = $file.FullName.Substring($folder.Length + 1).Replace('\', '/'); modified = $file.LastWriteTimeUtc }
    }
}

# LastStart: where the line begins with which the last start of the agent shows itself; 0 where none does.
function LastStart($Stream, [string]$Words) {
    $overlap = 128
    $end = $Stream.Length
    $lowest = [Math]::Max([long]0, $end - 67108864)
    $buffer = New-Object byte[] ($LogBlock + $overlap)
    while ($end -gt $lowest) {
        $begin = [Math]::Max([long]0, $end - $LogBlock)
        [void]$Stream.Seek($begin, [IO.SeekOrigin]::Begin)
        $count = 0
        $want = [int][Math]::Min([long]($LogBlock + $overlap), $Stream.Length - $begin)
        while ($count -lt $want) {
            $read = $Stream.Read($buffer, $count, $want - $count)
            if ($read -le 0) { break }
            $count += $read
        }
        $text = $Latin.GetString($buffer, 0, $count)
        $at = $text.LastIndexOf($Words, [StringComparison]::Ordinal)
        if ($at -ge 0) { return $begin + $text.LastIndexOf("`n", $at, [StringComparison]::Ordinal) + 1 }
        $end = $begin
    }
    return [long]0
}

# SendPart: one run of bytes of a log, in blocks that end with a line where they can.
function SendPart($File, $Stream, [long]$From, [long]$To, $Line) {
    $head = [ordered]@{
        log = [ordered]@{
            name = $File['name']; path = $File['path']; size = $Stream.Length; modified = [long][Math]::Floor([double](Epoch $File['modified']))
            offset = $From; line = $Line
        }
    }
    $buffer = New-Object byte[] $LogBlock
    [void]$Stream.Seek($From, [IO.SeekOrigin]::Begin)
    $left = $To - $From
    $status = 'ok'
    while ($true) {
        $count = 0
        $want = [int][Math]::Min([long]$LogBlock, $left)
        while ($count -lt $want) {
            $read = $Stream.Read($buffer, $count, $want - $count)
            if ($read -le 0) { break }
            $count += $read
        }
        if ($count -lt $want) { $status = 'truncated' }
        if ($count -eq $want -and $want -lt $left) {
            # What stands behind the last line's end is read again with the next block: no secret is cut in two.
            $whole = [Array]::LastIndexOf($buffer, [byte]10, $count - 1) + 1
            if ($whole -gt 0 -and $whole -lt $count) {
                [void]$Stream.Seek($whole - $count, [IO.SeekOrigin]::Current)
                $count = $whole
            }
        }
        $text = $Latin.GetString($buffer, 0, $count)
        $text = [regex]::Replace($text, $SecretShapes, { param($match) '*' * $match.Length })
        SendFrame (Json $head) ($Latin.GetBytes($text))
        $head = [ordered]@{ more = $true }
        $left -= $count
        if ($left -le 0 -or $status -ne 'ok') { break }
    }
    SendFrame (Json ([ordered]@{ log_end = $status })) $null
}

# SendUnicode: a log in UTF-16, as an editor leaves it behind: its tail, in UTF-8.
function SendUnicode($File, $Stream, [long]$Share) {
    $text = Covered (TextOf $File['path'] ([int][Math]::Min([long]8388608, $Share)))
    SendFrame (Json ([ordered]@{
        log = [ordered]@{ name = $File['name']; path = $File['path']; size = $Stream.Length; modified = [long][Math]::Floor([double](Epoch $File['modified'])); offset = 0; line = $null }
    })) ([Text.Encoding]::UTF8.GetBytes($text))
    SendFrame (Json ([ordered]@{ log_end = 'ok'; note = 'it was UTF-16; offsets are those of its text in UTF-8' })) $null
}

function SendLog($File, [long]$Budget) {
    $stream = OpenShared $File['path']
    try {
        $length = $stream.Length
        $mark = New-Object byte[] 2
        if ($stream.Read($mark, 0, 2) -eq 2 -and ($mark[0] + $mark[1]) -eq 509) { SendUnicode $File $stream $Budget; return [Math]::Min($length, $Budget) }
        if ($Budget -lt 0 -or $length -le [long]($Budget * 0.75)) { SendPart $File $stream 0 $length 1; return $length }
        $share = [long]($Budget * 0.75)
        $tail = $length - [long]($share * 0.75)
        $start = LastStart $stream 'Proxy environment variables:'
        if ($start -eq 0) { $start = LastStart $stream 'amazon-ssm-agent - v' }
        if ($start -gt 0 -and $start -lt $tail) {
            $line = $null
            SendPart $File $stream $start ([Math]::Min($tail, $start + [long]($share * 0.25))) $line
        }
        [void]$stream.Seek($tail, [IO.SeekOrigin]::Begin)
        while ($tail -lt $length) {
            $byte = $stream.ReadByte()
            $tail++
            if ($byte -eq 10 -or $byte -lt 0) { break }
        }
        SendPart $File $stream $tail $length $null
        return $share
    }
    finally { $stream.Dispose() }
}

function SendLogs {
    $left = [long]$LogBudget
    $count = 0
    foreach ($file in @(LogFiles | Sort-Object -Property { $_['rank'] })) {
        if ($left -ge 0 -and $left -lt 4096) { break }
        $count++
        try {
            $spent = [long](@(SendLog $file $left)[-1])
            if ($left -ge 0) { $left = [Math]::Max([long]0, $left - $spent) }
        }
        catch {
            $status = 'error'
            if ((Reason $_) -eq 'UnauthorizedAccessException') { $status = 'denied' }
            SendFrame (Json ([ordered]@{
                log = [ordered]@{ name = $file['name']; path = $file['path']; size = 0; modified = $null; offset = 0; line = $null }
            })) $null
            SendFrame (Json ([ordered]@{ log_end = $status; note = (Reason $_) })) $null
        }
    }
    return $count
}
