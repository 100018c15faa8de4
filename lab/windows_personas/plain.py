"""What cmd.exe prints on a host where PowerShell may not run; put together by us from documentation.

The words of the system are in another language on purpose: nothing may be read of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from collector.probes.windows.plain import SECTIONS, compile_plain
from lab.windows.powershell import Answer, Line, UnknownScript
from lab.windows_personas.host import ADDRESS, GATEWAY, STALE

COMMAND_LINE = "cmd.exe /d /q"
_BEGIN = re.compile(rb"^echo @@([0-9a-f]+) begin ", re.MULTILINE)
_SERVICES = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services"
_TCPIP = rf"{_SERVICES}\Tcpip\Parameters"

ROUTE_PRINT = f"""\
===========================================================================
Schnittstellenliste
  5...0a 1b 2c 3d 4e 5f ......Amazon Elastic Network Adapter
===========================================================================

IPv4-Routentabelle
===========================================================================
Aktive Routen:
     Netzwerkziel    Netzwerkmaske          Gateway    Schnittstelle Metrik
          0.0.0.0          0.0.0.0  {GATEWAY:>15} {ADDRESS:>16}     15
        10.0.16.0    255.255.240.0   Auf Verbindung {ADDRESS:>16}    271
       10.0.20.37  255.255.255.255   Auf Verbindung {ADDRESS:>16}    271
        127.0.0.0        255.0.0.0   Auf Verbindung         127.0.0.1    331
  169.254.169.250  255.255.255.255  {STALE:>15} {ADDRESS:>16}     30
  169.254.169.254  255.255.255.255  {STALE:>15} {ADDRESS:>16}     30
===========================================================================
Ständige Routen:
  Netzwerkadresse          Netzmaske  Gatewayadresse  Metrik
  169.254.169.254  255.255.255.255  {STALE:>15}  Standard
===========================================================================
"""
SC_QUERYEX = """\

SERVICE_NAME: AmazonSSMAgent
        TYP                : 10  WIN32_OWN_PROCESS
        STATUS             : 4  RUNNING
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
        WIN32_BEENDEN_CODE : 0   (0x0)
        DIENST_BEENDEN_CODE: 0   (0x0)
        PRÜFPUNKT          : 0x0
        WARTEHINWEIS       : 0x0
        PID                : 2104
        FLAGS              :
"""
STALE_ROUTE: Mapping[str, str] = {
    "hostname": "EC2AMAZ-PERSONA\n",
    "whoami": "ec2amaz-persona\\administrator\n"
    "VORDEFINIERT\\Administratoren  Alias  S-1-5-32-544 Gruppe ist obligatorisch\n",
    "os-release": "\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\n"
    "    ProductName    REG_SZ    Windows Server 2019 Datacenter\n"
    "    CurrentMajorVersionNumber    REG_DWORD    0xa\n    CurrentMinorVersionNumber    REG_DWORD    0x0\n"
    "    CurrentBuildNumber    REG_SZ    17763\n    UBR    REG_DWORD    0x1456\n",
    "image-state": "\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Setup\\State\n"
    "    ImageState    REG_SZ    IMAGE_STATE_COMPLETE\n\nHKEY_LOCAL_MACHINE\\SYSTEM\\Setup\n"
    "    SystemSetupInProgress    REG_DWORD    0x0\n",
    "service": SC_QUERYEX + f"\n{_SERVICES}\\AmazonSSMAgent\n    Type    REG_DWORD    0x10\n"
    "    Start    REG_DWORD    0x2\n    ObjectName    REG_SZ    LocalSystem\n"
    '    ImagePath    REG_EXPAND_SZ    "C:\\Program Files\\Amazon\\SSM\\amazon-ssm-agent.exe"\n',
    "persistent-routes": f"\n{_TCPIP}\\PersistentRoutes\n"
    f"    169.254.169.254,255.255.255.255,{STALE},-1    REG_SZ    \n"
    f"    169.254.169.250,255.255.255.255,{STALE},-1    REG_SZ    \n",
    "routes": ROUTE_PRINT,
    "addresses": f"\n{_TCPIP}\\Interfaces\\{{6b1c}}\n    EnableDHCP    REG_DWORD    0x1\n"
    f"    DhcpIPAddress    REG_SZ    {ADDRESS}\n    DhcpSubnetMask    REG_SZ    255.255.240.0\n"
    f"    DhcpDefaultGateway    REG_MULTI_SZ    {GATEWAY}\n    DhcpNameServer    REG_SZ    10.0.0.2\n"
    + ROUTE_PRINT,
    "resolv-conf": f"\n{_TCPIP}\\Interfaces\\{{6b1c}}\n    DhcpNameServer    REG_SZ    10.0.0.2\n",
    "proxy-layers": "",
    "firewall": f"\n{_SERVICES}\\SharedAccess\\Parameters\\FirewallPolicy\\DomainProfile\n"
    "    EnableFirewall    REG_DWORD    0x1\n",
    "imds": "http=000 exit=28\nhttp=000 exit=28\n",
    "agent-logs": "2026-11-23 07:36:00.1000 ERROR Agent failed to assume any identity\n",
}
"""A host with the stale route, in German."""


def cmd(told: Mapping[str, str] = STALE_ROUTE) -> Mapping[str, Line]:
    """The command line of a host, and what comes of what is typed there."""

    def typed(stdin: bytes) -> Answer:
        found = _BEGIN.search(stdin)
        nonce = found[1].decode() if found else ""
        if stdin.replace(b"\r\n", b"\n") != compile_plain(nonce):
            raise UnknownScript(stdin)
        sections = (
            f"@@{nonce} begin {name}\n{told.get(name, '')}\n@@{nonce} end {name}\n"
            for name in (*SECTIONS, "agent-logs")
        )
        banner = "Microsoft Windows [Version 10.0.17763.5206]\n\n"
        return Answer("".join((banner, *sections, f"@@{nonce} bye\n")).replace("\n", "\r\n"))

    return {COMMAND_LINE: typed}
