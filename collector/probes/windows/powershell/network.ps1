# ---- The network ---------------------------------------------------------------------------------------------

function RouteLine($Route, [string]$Store) {
    Json ([ordered]@{
        kind = 'route'; store = $Store; prefix = $Route.DestinationPrefix; next_hop = $Route.NextHop
        if_index = $Route.InterfaceIndex; if_alias = $Route.InterfaceAlias; metric = $Route.RouteMetric
        if_metric = $Route.InterfaceMetric; protocol = [int]$Route.CimInstanceProperties['Protocol'].Value
        state = $Route.CimInstanceProperties['State'].Value
    })
}

function OldRoute($Route, [string]$Store) {
    Json ([ordered]@{
        kind = 'route'; store = $Store; prefix = $Route.Destination + '/' + $Route.Mask; next_hop = $Route.NextHop
        if_index = $Route.InterfaceIndex; metric = $Route.Metric1; protocol = $Route.Protocol; type = $Route.Type
    })
}

function ProbeRoutes {
    if (Has 'Get-NetRoute') {
        Via 'Get-NetRoute'
        foreach ($route in @(Get-NetRoute -PolicyStore ActiveStore -ErrorAction Stop)) { RouteLine $route 'active' }
        return
    }
    Via 'Win32_IP4RouteTable'
    foreach ($route in @(Cim 'Win32_IP4RouteTable')) { OldRoute $route 'active' }
}

function ProbePersistentRoutes {
    # Three places, none of which shows all: the store of New-NetRoute, the class of route -p, and its values.
    if (Has 'Get-NetRoute') {
        foreach ($route in (Seen { Get-NetRoute -PolicyStore PersistentStore -ErrorAction Stop })) { RouteLine $route 'persistent' }
    }
    foreach ($route in (Seen { Cim 'Win32_IP4PersistedRouteTable' })) { OldRoute $route 'persisted' }
    $values = Registry 'LocalMachine' 'SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\PersistentRoutes'
    if ($null -ne $values) {
        foreach ($name in $values.Keys) { Json ([ordered]@{ kind = 'value'; store = 'registry'; value = $name }) }
    }
    Json ([ordered]@{ kind = 'looked'; cmdlet = (Has 'Get-NetRoute'); registry = ($null -ne $values) })
}

function ProbeFoundRoutes {
    if (-not (Has 'Find-NetRoute')) { throw 'absent: Find-NetRoute came with Windows Server 2012' }
    foreach ($target in '169.254.169.254', '169.254.169.253', '169.254.169.250', '169.254.169.251', '169.254.169.123', '169.254.169.249', 'fd00:ec2::254', '8.8.8.8') {
        $line = [ordered]@{ kind = 'way'; target = $target }
        try {
            foreach ($found in @(Find-NetRoute -RemoteIPAddress $target -ErrorAction Stop)) {
                if ($null -ne $found.DestinationPrefix) {
                    $line['prefix'] = $found.DestinationPrefix
                    $line['next_hop'] = $found.NextHop
                    $line['if_index'] = $found.InterfaceIndex
                    $line['if_alias'] = $found.InterfaceAlias
                }
                elseif ($null -ne $found.IPAddress) { $line['source'] = $found.IPAddress }
            }
        }
        catch { $line['error'] = Reason $_ }
        Json $line
    }
}

function ProbeAddresses {
    if (-not (Has 'Get-NetAdapter')) { return OldAddresses }
    Via 'Get-NetAdapter'
    foreach ($adapter in @(Get-NetAdapter -IncludeHidden -ErrorAction Stop)) {
        Json ([ordered]@{
            kind = 'adapter'; if_index = $adapter.ifIndex; name = $adapter.Name; description = $adapter.InterfaceDescription
            mac = $adapter.MacAddress; status = [int]$adapter.CimInstanceProperties['InterfaceOperationalStatus'].Value
            admin = [int]$adapter.CimInstanceProperties['InterfaceAdminStatus'].Value; virtual = $adapter.Virtual
            hidden = $adapter.Hidden; mtu = $adapter.MtuSize; driver = $adapter.DriverVersionString
        })
    }
    foreach ($address in @(Get-NetIPAddress -ErrorAction Stop)) {
        Json ([ordered]@{
            kind = 'address'; if_index = $address.InterfaceIndex; if_alias = $address.InterfaceAlias
            address = $address.IPAddress; prefix_length = $address.PrefixLength
            origin = [int]$address.CimInstanceProperties['PrefixOrigin'].Value
            state = [int]$address.CimInstanceProperties['AddressState'].Value
        })
    }
    foreach ($interface in @(Get-NetIPInterface -ErrorAction Stop)) {
        Json ([ordered]@{
            kind = 'interface'; if_index = $interface.InterfaceIndex; if_alias = $interface.InterfaceAlias
            family = [int]$interface.CimInstanceProperties['AddressFamily'].Value; metric = $interface.InterfaceMetric
            dhcp = [int]$interface.CimInstanceProperties['Dhcp'].Value; mtu = $interface.NlMtu
            state = [int]$interface.CimInstanceProperties['ConnectionState'].Value
            forwarding = [int]$interface.CimInstanceProperties['Forwarding'].Value
        })
    }
}

function OldAddresses {
    Via 'Win32_NetworkAdapterConfiguration'
    foreach ($adapter in @(Cim 'Win32_NetworkAdapter')) {
        if ($null -eq $adapter.NetConnectionStatus) { continue }
        $up = 2
        if ($adapter.NetConnectionStatus -eq 2) { $up = 1 }
        Json ([ordered]@{
            kind = 'adapter'; if_index = $adapter.InterfaceIndex; name = $adapter.NetConnectionID
            description = $adapter.Description; mac = $adapter.MACAddress; status = $up
        })
    }
    foreach ($setting in @(Cim 'Win32_NetworkAdapterConfiguration' 'IPEnabled = TRUE')) {
        for ($i = 0; $i -lt @($setting.IPAddress).Count; $i++) {
            Json ([ordered]@{
                kind = 'address'; if_index = $setting.InterfaceIndex; address = $setting.IPAddress[$i]
                mask = $setting.IPSubnet[$i]
            })
        }
    }
}

function ProbeNeighbours {
    if (-not (Has 'Get-NetNeighbor')) { throw 'absent: Get-NetNeighbor came with Windows Server 2012' }
    foreach ($neighbour in (Seen { Get-NetNeighbor -ErrorAction Stop })) {
        Json ([ordered]@{
            kind = 'neighbour'; address = $neighbour.IPAddress; if_index = $neighbour.InterfaceIndex
            if_alias = $neighbour.InterfaceAlias; mac = $neighbour.LinkLayerAddress
            state = [int]$neighbour.CimInstanceProperties['State'].Value
        })
    }
}

function ProbeResolvers {
    if (Has 'Get-DnsClientServerAddress') {
        Via 'Get-DnsClientServerAddress'
        foreach ($servers in @(Get-DnsClientServerAddress -ErrorAction Stop)) {
            if (@($servers.ServerAddresses).Count -eq 0) { continue }
            Json ([ordered]@{
                kind = 'servers'; if_index = $servers.InterfaceIndex; if_alias = $servers.InterfaceAlias
                servers = @($servers.ServerAddresses)
            })
        }
    }
    else {
        Via 'Win32_NetworkAdapterConfiguration'
        foreach ($setting in @(Cim 'Win32_NetworkAdapterConfiguration' 'IPEnabled = TRUE')) {
            if (-not $setting.DNSServerSearchOrder) { continue }
            Json ([ordered]@{ kind = 'servers'; if_index = $setting.InterfaceIndex; servers = @($setting.DNSServerSearchOrder) })
        }
    }
    $tcpip = Registry 'LocalMachine' 'SYSTEM\CurrentControlSet\Services\Tcpip\Parameters'
    Json ([ordered]@{ kind = 'search'; list = $tcpip['SearchList']; domain = $tcpip['Domain']; dhcp_domain = $tcpip['DhcpDomain'] })
    # The values and not Get-DnsClientNrptRule: that one does not show what a group policy brings.
    foreach ($path in 'SYSTEM\CurrentControlSet\Services\Dnscache\Parameters\DnsPolicyConfig', 'SOFTWARE\Policies\Microsoft\Windows NT\DNSClient\DnsPolicyConfig') {
        foreach ($name in @(Subkeys 'LocalMachine' $path)) {
            $rule = Registry 'LocalMachine' "$path\$name"
            Json ([ordered]@{ kind = 'nrpt'; names = @($rule['Name']); servers = $rule['GenericDNSServers']; path = "$path\$name" })
        }
    }
}

function ProbeFirewall {
    $profiles = 'SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy'
    foreach ($name in 'DomainProfile', 'PublicProfile', 'StandardProfile') {
        foreach ($root in $profiles, 'SOFTWARE\Policies\Microsoft\WindowsFirewall') {
            $values = Registry 'LocalMachine' "$root\$name"
            if ($null -eq $values) { continue }
            Json ([ordered]@{
                kind = 'profile'; name = $name; enabled = $values['EnableFirewall']
                outbound = $values['DefaultOutboundAction']; policy = ($root -like 'SOFTWARE*')
            })
        }
    }
    # Rules as the service keeps them: v2.31|Action=Block|Active=TRUE|Dir=Out|RA4=169.254.169.254|...
    foreach ($root in "$profiles\FirewallRules", 'SOFTWARE\Policies\Microsoft\WindowsFirewall\FirewallRules') {
        $rules = Registry 'LocalMachine' $root
        if ($null -eq $rules) { continue }
        foreach ($name in $rules.Keys) {
            $rule = [string]$rules[$name]
            if ($rule -notlike '*|Dir=Out|*' -or $rule -notlike '*|Active=TRUE|*') { continue }
            $touches = $rule -like '*169.254.*' -or $rule -like '*|RPort=443|*' -or $rule -like '*|RPort=80|*' -or $rule -like '*Action=Block*' -or $rule -like '*amazon-ssm*'
            if ($touches) { Json ([ordered]@{ kind = 'rule'; name = $name; rule = $rule; policy = ($root -like 'SOFTWARE*') }) }
        }
    }
}

function ProbeHostsFile {
    FileOf ((SystemFolder) + '\System32\drivers\etc\hosts')
}

function ProbeSockets {
    if (-not (Has 'Get-NetTCPConnection')) { throw 'absent: Get-NetTCPConnection came with Windows Server 2012' }
    $agents = @{}
    foreach ($process in @(AgentProcesses)) { $agents[[int]$process.ProcessId] = $process.Name }
    foreach ($connection in (Seen { Get-NetTCPConnection -ErrorAction Stop })) {
        $owner = [int]$connection.OwningProcess
        if (-not $agents.ContainsKey($owner)) { continue }
        Json ([ordered]@{
            kind = 'socket'; process = $agents[$owner]; pid = $owner; local = $connection.LocalAddress
            peer = $connection.RemoteAddress; peer_port = $connection.RemotePort
            state = [int]$connection.CimInstanceProperties['State'].Value
        })
    }
}

function Exhibit([string]$Command, [scriptblock]$Run) {
    "# $Command (code page $([Console]::OutputEncoding.CodePage))"
    try { CoveredProxy (Covered (@(& $Run | Select-Object -First 400) -join "`n")) }
    catch { 'not run: ' + (Reason $_) }
}

function ProbeExhibits {
    # For human eyes, in the host's own language and code page; nothing is read from these.
    Exhibit 'route print' { route.exe print }
    Exhibit 'ipconfig /all' { ipconfig.exe /all }
    Exhibit 'netsh winhttp show proxy' { netsh.exe winhttp show proxy }
}
