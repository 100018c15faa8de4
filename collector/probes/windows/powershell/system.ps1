# ---- The system ----------------------------------------------------------------------------------------------

function ProbeClock {
    $now = [DateTime]::UtcNow
    Field 'utc' (Moment $now)
    Field 'epoch' (Epoch $now)
    $offset = [TimeZoneInfo]::Local.GetUtcOffset($now)
    $sign = '+'
    if ($offset.Ticks -lt 0) { $sign = '-' }
    Field 'offset' ($sign + $offset.Duration().ToString('hhmm'))
    Field 'zone' ([TimeZoneInfo]::Local.Id)
    $time = Registry 'LocalMachine' 'SYSTEM\CurrentControlSet\Services\W32Time\Parameters'
    if ($null -ne $time) { Field 'source' ('w32time ' + $time['Type'] + ' ' + $time['NtpServer']) }
    try {
        $service = Get-Service -Name 'W32Time' -ErrorAction Stop
        Field 'service' $service.Status
        if ($service.Status.ToString() -ne 'Running') { Field 'ntp' 'no' }
    }
    catch { Field 'service' 'unknown' }
    $bios = Registry 'LocalMachine' 'SYSTEM\CurrentControlSet\Control\TimeZoneInformation'
    if ($null -ne $bios) { Field 'real_time_is_universal' $bios['RealTimeIsUniversal'] }
    $boot = (Cim 'Win32_OperatingSystem').LastBootUpTime
    if ($boot -is [string]) { $boot = [Management.ManagementDateTimeConverter]::ToDateTime($boot) }
    Field 'boot' (Epoch $boot)
    Field 'uptime' ([int]($now - $boot.ToUniversalTime()).TotalSeconds)
}

function ProbeWhoami {
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object Security.Principal.WindowsPrincipal $identity
    $elevated = $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
    Field 'user' $identity.Name
    Field 'login' $identity.Name
    Field 'sid' $identity.User.Value
    if ($elevated) { Field 'privilege' 'administrator' } else { Field 'privilege' 'none' }
    Field 'language' $ExecutionContext.SessionState.LanguageMode
    Field 'powershell' $PSVersionTable.PSVersion
    Field 'clr' ([Environment]::Version)
    Field 'culture' ([Globalization.CultureInfo]::InstalledUICulture.Name)
    Field 'oem' ([Globalization.CultureInfo]::CurrentCulture.TextInfo.OEMCodePage)
    foreach ($rule in @(Subkeys 'LocalMachine' 'SOFTWARE\Policies\Microsoft\Windows\SrpV2')) { Field 'applocker' $rule }
}

function ProbeHostname { [Environment]::MachineName }

function ProbeOs {
    $os = Cim 'Win32_OperatingSystem'
    $now = Registry 'LocalMachine' 'SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    Field 'ID' 'windows'
    Field 'VERSION_ID' ($os.Version + '.' + $now['UBR'])
    # ProductName is in English whatever the language of the host; Caption is not.
    Field 'PRETTY_NAME' $now['ProductName']
    Field 'BUILD' $now['CurrentBuildNumber']
    Field 'INSTALLATION_TYPE' $now['InstallationType']
    Field 'ARCHITECTURE' ([Environment]::GetEnvironmentVariable('PROCESSOR_ARCHITECTURE'))
    Field 'LOCALE' $os.Locale
    Field 'LANGUAGES' ($os.MUILanguages -join ',')
}

function ProbeVirtualization {
    $machine = Cim 'Win32_ComputerSystem'
    $product = Cim 'Win32_ComputerSystemProduct'
    Field 'vendor' $machine.Manufacturer
    Field 'product' $machine.Model
    Field 'uuid' $product.UUID
    Field 'asset_tag' (@(Cim 'Win32_SystemEnclosure')[0].SMBIOSAssetTag)
    Field 'bios' (Cim 'Win32_BIOS').SMBIOSBIOSVersion
    Field 'domain_member' $machine.PartOfDomain
}

function ProbeImageState {
    $state = Registry 'LocalMachine' 'SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State'
    $setup = Registry 'LocalMachine' 'SYSTEM\Setup'
    if ($null -eq $state) { throw 'absent: there is no key Setup\State' }
    Json ([ordered]@{
        kind = 'image-state'; state = $state['ImageState']; setup_in_progress = $setup['SystemSetupInProgress']
        setup_phase = $setup['SetupPhase']; oobe = $setup['OOBEInProgress']; clone_tag = $setup['CloneTag']
    })
}

function ProbeDisk {
    foreach ($disk in @(Cim 'Win32_LogicalDisk' 'DriveType = 3')) {
        Json ([ordered]@{ kind = 'disk'; device = $disk.DeviceID; size = $disk.Size; free = $disk.FreeSpace; system = $disk.FileSystem })
    }
}

function ProbeMemory {
    $os = Cim 'Win32_OperatingSystem'
    'MemTotal: {0} kB' -f $os.TotalVisibleMemorySize
    'MemFree: {0} kB' -f $os.FreePhysicalMemory
    'MemAvailable: {0} kB' -f $os.FreePhysicalMemory
    'SwapTotal: {0} kB' -f $os.SizeStoredInPagingFiles
    'SwapFree: {0} kB' -f $os.FreeSpaceInPagingFiles
}

function ProbeSchannel {
    $root = 'SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols'
    foreach ($protocol in @(Subkeys 'LocalMachine' $root)) {
        $client = Registry 'LocalMachine' "$root\$protocol\Client"
        if ($null -eq $client) { continue }
        Json ([ordered]@{
            kind = 'protocol'; name = $protocol; enabled = $client['Enabled']
            disabled_by_default = $client['DisabledByDefault']
        })
    }
    $policy = Registry 'LocalMachine' 'SYSTEM\CurrentControlSet\Control\Lsa\FipsAlgorithmPolicy'
    if ($null -ne $policy) { Json ([ordered]@{ kind = 'fips'; enabled = $policy['Enabled'] }) }
    $net = Registry 'LocalMachine' 'SOFTWARE\Microsoft\.NETFramework\v4.0.30319'
    if ($null -ne $net) {
        Json ([ordered]@{ kind = 'dotnet'; strong_crypto = $net['SchUseStrongCrypto']; system_default = $net['SystemDefaultTlsVersions'] })
    }
    $suites = Registry 'LocalMachine' 'SOFTWARE\Policies\Microsoft\Cryptography\Configuration\SSL\00010002'
    if ($null -ne $suites) { Json ([ordered]@{ kind = 'suites'; functions = $suites['Functions'] }) }
}

function ProbeRoots {
    # The roots beneath which Amazon Trust Services issues the certificates of its endpoints.
    $wanted = 'Amazon Root CA|Starfield (Services )?Root Certificate Authority|Starfield Class 2|DigiCert Global Root'
    foreach ($name in 'Root', 'AuthRoot', 'Disallowed') {
        $store = New-Object Security.Cryptography.X509Certificates.X509Store $name, ([Security.Cryptography.X509Certificates.StoreLocation]::LocalMachine)
        $store.Open([Security.Cryptography.X509Certificates.OpenFlags]'ReadOnly, OpenExistingOnly')
        $all = @($store.Certificates)
        Json ([ordered]@{ kind = 'store'; store = $name; count = $all.Count })
        foreach ($certificate in $all) {
            if ($certificate.Subject -notmatch $wanted) { continue }
            Json ([ordered]@{
                kind = 'certificate'; store = $name; subject = $certificate.Subject; thumbprint = $certificate.Thumbprint
                not_before = $certificate.NotBefore; not_after = $certificate.NotAfter
            })
        }
        $store.Close()
    }
    $policy = Registry 'LocalMachine' 'SOFTWARE\Policies\Microsoft\SystemCertificates\AuthRoot'
    if ($null -ne $policy) { Json ([ordered]@{ kind = 'policy'; disable_root_auto_update = $policy['DisableRootAutoUpdate'] }) }
}

function ProbeSecurity {
    foreach ($product in @(Cim 'Win32_Service' "Name = 'WinDefend' OR Name = 'Sense' OR Name LIKE 'CbDefense%' OR Name = 'CSFalconService' OR Name LIKE 'Sentinel%' OR Name = 'ds_agent' OR Name = 'AppIDSvc'")) {
        if ($product.State -eq 'Running') { Field 'product' $product.Name }
    }
    foreach ($rule in @(Subkeys 'LocalMachine' 'SOFTWARE\Policies\Microsoft\Windows\SrpV2')) { Field 'applocker' $rule }
    Field 'language' $ExecutionContext.SessionState.LanguageMode
}
