# ---- The agent -----------------------------------------------------------------------------------------------

function AgentFolder { return (ProgramFiles) + '\Amazon\SSM' }
function AgentData { return (ProgramData) + '\Amazon\SSM' }

function AgentProcesses {
    return Cim 'Win32_Process' "Name = 'amazon-ssm-agent.exe' OR Name LIKE 'ssm-%worker.exe' OR Name = 'ssm-cli.exe'"
}

function ProbeService {
    foreach ($name in 'AmazonSSMAgent', 'Amazon EC2Launch', 'Ec2Config', 'W32Time', 'Dhcp', 'Dnscache') {
        $key = Registry 'LocalMachine' "SYSTEM\CurrentControlSet\Services\$name"
        if ($null -eq $key) {
            if ($name -eq 'AmazonSSMAgent') { Json ([ordered]@{ kind = 'service'; name = $name; exists = $false }) }
            continue
        }
        $service = @(Cim 'Win32_Service' "Name = '$name'")[0]
        $failure = $null
        if ($key['FailureActions'] -is [byte[]]) { $failure = [BitConverter]::ToString($key['FailureActions']) }
        Json ([ordered]@{
            kind = 'service'; name = $name; exists = $true; state = $service.State; start_mode = $service.StartMode
            start = $key['Start']; delayed = $key['DelayedAutostart']; account = $service.StartName
            path = $service.PathName; pid = $service.ProcessId; exit_code = $service.ExitCode
            service_exit_code = $service.ServiceSpecificExitCode; failure_actions = $failure
            depends_on = @($key['DependOnService'])
        })
    }
    $control = Registry 'LocalMachine' 'SYSTEM\CurrentControlSet\Control'
    Json ([ordered]@{ kind = 'control'; services_pipe_timeout = $control['ServicesPipeTimeout'] })
}

function ProbeServiceEvents {
    # By number: the words are in the language of the host.  The parameters are not.
    $ids = 7000, 7001, 7009, 7011, 7022, 7023, 7024, 7031, 7032, 7034, 7036, 7038, 7040, 7041, 7045
    $wanted = @{ LogName = 'System'; ProviderName = 'Service Control Manager'; Id = $ids }
    $count = 0
    foreach ($entry in (Seen { Get-WinEvent -FilterHashtable $wanted -MaxEvents 2000 -ErrorAction Stop })) {
        $values = @(foreach ($property in $entry.Properties) { "$($property.Value)" })
        if (($values -join '|') -notmatch 'AmazonSSMAgent|Amazon SSM Agent|EC2Launch') { continue }
        Json ([ordered]@{
            kind = 'event'; log = 'System'; id = $entry.Id; time = $entry.TimeCreated; level = $entry.Level
            record = $entry.RecordId; values = $values
        })
        $count++
        if ($count -ge 100) { break }
    }
    $others = @(
        @{ LogName = 'System'; ProviderName = 'EventLog'; Id = 6005, 6006, 6008 },
        @{ LogName = 'System'; ProviderName = 'Microsoft-Windows-Kernel-General'; Id = 12, 13 },
        @{ LogName = 'System'; ProviderName = 'Microsoft-Windows-WindowsUpdateClient'; Id = 19, 20 },
        @{ LogName = 'System'; ProviderName = 'Microsoft-Windows-Resource-Exhaustion-Detector'; Id = 2004 },
        @{ LogName = 'Application'; ProviderName = 'Microsoft-Windows-Security-SPP'; Id = 8198, 12288 },
        @{ LogName = 'Application'; ProviderName = 'AmazonSSMAgent' }
    )
    foreach ($filter in $others) {
        foreach ($entry in (Seen { Get-WinEvent -FilterHashtable $filter -MaxEvents 10 -ErrorAction Stop })) {
            $values = @(foreach ($property in $entry.Properties) { Covered "$($property.Value)" } )
            Json ([ordered]@{
                kind = 'event'; log = $filter['LogName']; provider = $entry.ProviderName; id = $entry.Id
                time = $entry.TimeCreated; level = $entry.Level; values = $values
            })
        }
    }
    # Programs that AppLocker or Code Integrity (WDAC) forbade; those of the agent alone.
    $forbidding = @(
        @{ LogName = 'Microsoft-Windows-AppLocker/EXE and DLL'; Id = 8004 },
        @{ LogName = 'Microsoft-Windows-CodeIntegrity/Operational'; Id = 3077 }
    )
    foreach ($filter in $forbidding) {
        foreach ($entry in (Seen { Get-WinEvent -FilterHashtable $filter -MaxEvents 200 -ErrorAction Stop })) {
            $values = @(foreach ($property in $entry.Properties) { "$($property.Value)" })
            if (($values -join '|') -notmatch '\\Amazon\\SSM\\') { continue }
            Json ([ordered]@{
                kind = 'event'; log = $filter['LogName']; provider = $entry.ProviderName; id = $entry.Id
                time = $entry.TimeCreated; level = $entry.Level; values = $values
            })
        }
    }
}

function ProbeProcesses {
    foreach ($process in @(AgentProcesses)) {
        $started = $process.CreationDate
        if ($started -is [string]) { $started = [Management.ManagementDateTimeConverter]::ToDateTime($started) }
        Json ([ordered]@{
            kind = 'process'; pid = $process.ProcessId; parent = $process.ParentProcessId; name = $process.Name
            session = $process.SessionId; started = $started; path = $process.ExecutablePath
        })
    }
}

function ProbePackages {
    # The list of what is installed; never Win32_Product, which repairs what it lists.
    foreach ($path in 'SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall', 'SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall') {
        foreach ($name in @(Subkeys 'LocalMachine' $path)) {
            $entry = Registry 'LocalMachine' "$path\$name"
            if ($entry['DisplayName'] -ne 'Amazon SSM Agent') { continue }
            if ($entry['SystemComponent'] -eq 1 -and -not $entry['BundleVersion']) { continue }
            '[msi]'
            Field 'version' $entry['DisplayVersion']
            Field 'state' 'installed'
            Field 'path' $entry['InstallLocation']
            Field 'installed_on' $entry['InstallDate']
        }
    }
    $program = (AgentFolder) + '\amazon-ssm-agent.exe'
    if ([IO.File]::Exists($program)) {
        '[file]'
        Field 'version' ([Diagnostics.FileVersionInfo]::GetVersionInfo($program).ProductVersion)
        Field 'path' $program
    }
}

function ProbeAgentVersion {
    # What the file says of itself.  The program is not run: it would write to its log.
    $program = (AgentFolder) + '\amazon-ssm-agent.exe'
    if (-not [IO.File]::Exists($program)) { throw "absent: no such file: $program" }
    $version = [Diagnostics.FileVersionInfo]::GetVersionInfo($program)
    $text = $version.ProductVersion
    if (-not $text) { $text = $version.FileVersion }
    if (-not $text -and [IO.File]::Exists((AgentFolder) + '\VERSION')) { $text = FileOf ((AgentFolder) + '\VERSION') 200 }
    if (-not $text) { throw 'absent: the program does not tell its version' }
    'SSM Agent version: ' + "$text".Trim()
}

function ProbeAgentFiles {
    foreach ($folder in (AgentFolder), (AgentData), ((AgentData) + '\Logs'), ((AgentData) + '\InstanceData'), ((AgentData) + '\runtimeconfig')) {
        if (-not [IO.Directory]::Exists($folder)) { Json ([ordered]@{ kind = 'missing'; path = $folder }); continue }
        $listed = 0
        foreach ($entry in (New-Object IO.DirectoryInfo $folder).GetFileSystemInfos()) {
            $size = $null
            if ($entry -is [IO.FileInfo]) { $size = $entry.Length }
            Json ([ordered]@{
                kind = 'file'; path = $entry.FullName; size = $size; modified = $entry.LastWriteTimeUtc
                attributes = $entry.Attributes.ToString()
            })
            $listed++
            if ($listed -ge 60) { break }
        }
    }
}

function ProbeAgentConfig { FileOf ((AgentFolder) + '\amazon-ssm-agent.json') }
function ProbeSeelog { FileOf ((AgentFolder) + '\seelog.xml') }
function ProbeIdentityConfig { FileOf ((AgentData) + '\runtimeconfig\identity_config.json') }

function ProbeRegistration {
    # Of the vault only that it is there; what it holds is secret.
    $path = (AgentData) + '\InstanceData\registration'
    if ([IO.File]::Exists($path)) {
        $text = TextOf $path 8192
        '[registration]'
        Field 'path' $path
        if ($text -match '"ManagedInstanceID"\s*:\s*"(mi-[0-9a-f]+)"') { Field 'instance' $Matches[1] }
        if ($text -match '"Region"\s*:\s*"([a-z0-9-]+)"') { Field 'region' $Matches[1] }
        Field 'modified' (Epoch ([IO.File]::GetLastWriteTimeUtc($path)))
    }
    $store = (AgentData) + '\Vault\Store'
    if ([IO.Directory]::Exists($store)) {
        '[vault]'
        foreach ($file in [IO.Directory]::GetFiles($store)) { Field 'file' ([IO.Path]::GetFileName($file)) }
    }
}

function ProbeStrayCredentials {
    # Where LocalSystem looks, and who else has such a file; names of profiles only.
    $homes = @((SystemFolder) + '\System32\config\systemprofile')
    foreach ($file in $homes) {
        $path = $file + '\.aws\credentials'
        if (-not [IO.File]::Exists($path)) { continue }
        "[$path]"
        Field 'modified' (Epoch ([IO.File]::GetLastWriteTimeUtc($path)))
        foreach ($line in ((TextOf $path 65536) -split "`r?`n")) {
            if ($line -match '^\s*\[(?:profile )?([^\]]{1,64})\]') { Field 'profile' $Matches[1] }
        }
    }
    $names = @()
    $service = Registry 'LocalMachine' 'SYSTEM\CurrentControlSet\Services\AmazonSSMAgent'
    if ($null -ne $service) { foreach ($pair in @($service['Environment'])) { $names += ("$pair" -split '=', 2)[0] } }
    $machine = Registry 'LocalMachine' 'SYSTEM\CurrentControlSet\Control\Session Manager\Environment'
    $names += @($machine.Keys)
    $names = @($names | Where-Object { $_ -like 'AWS_*' })
    if ($names.Count) { '[environment]'; foreach ($name in $names) { Field 'name' $name } }
}

function ProbeUpdate {
    $folder = (AgentData) + '\Update'
    if (-not [IO.Directory]::Exists($folder)) { throw 'absent: the agent has never updated itself' }
    $logs = @()
    foreach ($entry in (New-Object IO.DirectoryInfo $folder).GetFileSystemInfos('*', [IO.SearchOption]::AllDirectories)) {
        '{0} {1} {2}' -f (Moment $entry.LastWriteTimeUtc), $entry.Attributes.ToString().Replace(' ', ''), $entry.FullName
        if ($entry -is [IO.FileInfo] -and ($entry.Name -like '*.log' -or $entry.Name -like 'stdout*' -or $entry.Name -like 'stderr*')) { $logs += $entry }
    }
    foreach ($log in @($logs | Sort-Object -Property LastWriteTimeUtc -Descending | Select-Object -First 3)) {
        '# ' + $log.FullName
        Covered (TextOf $log.FullName 8192)
    }
}

# ---- The launch agents of EC2 --------------------------------------------------------------------------------

function LaunchLog([string]$Agent, [string]$Path) {
    if (-not [IO.File]::Exists($Path)) { return }
    $lines = @((TextOf $Path 262144) -split "`r?`n" | Where-Object { $_ -match '169\.254\.|[Rr]oute|[Gg]ateway|[Ee]rror|[Ff]ail|Version' })
    foreach ($line in @($lines | Select-Object -Last 60)) {
        Json ([ordered]@{ kind = 'log'; agent = $Agent; path = $Path; text = (Covered $line) })
    }
}

function ProbeLaunchAgents {
    $config = (ProgramFiles) + '\Amazon\Ec2ConfigService'
    if ([IO.Directory]::Exists($config)) {
        $program = $config + '\Ec2Config.exe'
        $version = ''
        if ([IO.File]::Exists($program)) { $version = [Diagnostics.FileVersionInfo]::GetVersionInfo($program).FileVersion }
        Json ([ordered]@{ kind = 'agent'; agent = 'EC2Config'; path = $config; version = $version })
        LaunchLog 'EC2Config' ($config + '\Logs\Ec2ConfigLog.txt')
    }
    $first = (ProgramData) + '\Amazon\EC2-Windows\Launch'
    if ([IO.Directory]::Exists($first)) {
        $version = ''
        $manifest = $first + '\Module\Ec2Launch.psd1'
        if ([IO.File]::Exists($manifest) -and (TextOf $manifest) -match "ModuleVersion\s*=\s*['""]([0-9.]+)") { $version = $Matches[1] }
        Json ([ordered]@{ kind = 'agent'; agent = 'EC2Launch v1'; path = $first; version = $version })
        LaunchLog 'EC2Launch v1' ($first + '\Log\Ec2Launch.log')
    }
    $second = (ProgramFiles) + '\Amazon\EC2Launch'
    if ([IO.Directory]::Exists($second)) {
        $program = $second + '\EC2Launch.exe'
        $version = ''
        if ([IO.File]::Exists($program)) { $version = [Diagnostics.FileVersionInfo]::GetVersionInfo($program).FileVersion }
        Json ([ordered]@{ kind = 'agent'; agent = 'EC2Launch v2'; path = $second; version = $version })
        LaunchLog 'EC2Launch v2' ((ProgramData) + '\Amazon\EC2Launch\log\agent.log')
    }
}
