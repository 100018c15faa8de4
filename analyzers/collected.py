"""The collector's own sentences, as messages.

Evidence keeps them as plain English: why a connection failed and what to try, why a probe brought nothing,
how an attempt ended.  Each is known here by its template, so that a report can say it in the reader's
language; what is not known here, such as the words of a host, stands as it is.
"""

from __future__ import annotations

import re
from functools import cache
from string import Formatter

from analyzers.text import Message, Value, listed, say

_ADVICE = (
    say(
        "ask again; if it ends early once more, see in the host's kernel log whether it was killed for want "
        "of memory"
    ),
    say("allow more time"),
    say("allow this account the full language (AppLocker or Windows Defender Application Control)"),
    say("check /etc/krb5.conf and the realm"),
    say("check /etc/krb5.conf and the way to port 88"),
    say("check /etc/krb5.conf and the way to the KDC (port 88)"),
    say("check MaxSessions and AllowTcpForwarding of its sshd"),
    say("check ansible_winrm_proxy"),
    say("check that WinRM runs there and listens on this port (winrm enumerate winrm/config/listener)"),
    say("check that sshd or WinRM runs there and listens on this port, and the port in the inventory"),
    say(
        "check that the host maps this certificate to an account (winrm enumerate "
        "winrm/config/service/certmapping) and trusts its issuer"
    ),
    say("check the IP filter and the rights of the account"),
    say("check the address, the route from here, security groups and network ACLs, and that the host is up"),
    say("check the inventory's reference to it"),
    say("check the name, or give the address as ansible_host"),
    say("check the port and ansible_winrm_path"),
    say("check the port: something else than WinRM may listen there"),
    say("check the port: something else than sshd listens there"),
    say("check the proxy"),
    say("check the ticket (klist), the host's name and SPN, and both clocks"),
    say("check the user name and that the host's authorized_keys holds this key; compare: {command}"),
    say("check the user name and the key"),
    say("check this machine"),
    say("check user and password"),
    say("check user and password on one host (--limit), then run again"),
    say(
        "check user and password, and that CredSSP is enabled on the host (winrm get "
        "winrm/config/service/auth)"
    ),
    say("check user and password; Basic takes local accounts only and must be enabled on the host"),
    say(
        "check user (HOST\\user, DOMAIN\\user or user@domain), password, and that the account is not locked; "
        "a domain's policy may also forbid NTLM"
    ),
    say("check where it is to come from"),
    say("compare the clocks of host and bastion"),
    say(
        "compare the fingerprint with the host's console output and add the key to known_hosts, or run with "
        "--host-key-checking accept-new to trust it on first use"
    ),
    say(
        "compare the new fingerprint with the host's console output; only if the host was rebuilt: {command}"
    ),
    say("connect by the host's full name, or give ansible_winrm_kerberos_hostname_override"),
    say("connect by the name in the certificate, or give the host one for this name"),
    say("do not connect; find out who still uses this key, and give the host a new one"),
    say("from the jump host, check the address, the port, security groups and that sshd runs there"),
    say(
        "from the jump host, check the address, the route, security groups and network ACLs, and that the "
        "host is up"
    ),
    say("give a password or keytab, or run kinit before"),
    say(
        "give the authority with ansible_winrm_ca_trust_path, or, knowing the risk, "
        "ansible_winrm_server_cert_validation: ignore"
    ),
    say("have the host's certificate signed anew, or add its key to known_hosts"),
    say(
        "install it (krb5-user on Debian, krb5-workstation on Amazon Linux), or run kinit elsewhere and set "
        "ansible_winrm_kerberos_mode: manual"
    ),
    say("is an SSH server running there, on another port?"),
    say("its WinRM service may have been restarted, or the shell was idle too long; try again"),
    say("log in by hand and see whether `sh` runs there; a forced command or a restricted shell prevents it"),
    say(
        "log in by hand and start powershell.exe; AppLocker, a software restriction policy or a removed "
        "PowerShell prevents it"
    ),
    say("look at sshd's log on the host (MaxStartups, a crash, an intrusion guard), then try again"),
    say("look at sshd's log on the host, then try again"),
    say("look at the event log Microsoft-Windows-WinRM/Operational of the host, then try again"),
    say("look at the host (a restart, a crash of WinRM, a firewall that ends connections), then try again"),
    say("look at the host's certificate and SChannel log"),
    say("look for a ProxyJump that leads back to itself: {command}"),
    say("look for a proxy or an inspecting firewall between"),
    say("look the code up in the event log Microsoft-Windows-WinRM/Operational of the host"),
    say(
        "make it a member of Administrators or Remote Management Users; a local administrator may also need "
        "LocalAccountTokenFilterPolicy"
    ),
    say("mount it on a Linux host, or leave out triage_root and --root"),
    say("name a key (ansible_ssh_private_key_file), start an ssh-agent, or give a password (-k)"),
    say("offer fewer: set IdentitiesOnly yes and one IdentityFile for this host in ssh_config"),
    say("open it again"),
    say("pip install 'ssm-triage[winrm-credssp]', or use ansible_winrm_transport: ntlm"),
    say("pip install 'ssm-triage[winrm-kerberos]', which needs a C compiler and libkrb5-dev"),
    say("port 5985 is plain HTTP: set ansible_winrm_scheme: http with ntlm, or give the HTTPS port"),
    say("raise MaxEnvelopeSizekb (winrm get winrm/config; the default is 500)"),
    say("renew the certificate of the WinRM listener"),
    say("run the command by hand and look at what it says"),
    say("set AllowTcpForwarding yes (and PermitOpen) in the jump host's sshd_config"),
    say("set ProxyJump none for it in ssh_config"),
    say("set ansible_password, or give --ask-pass"),
    say("set ansible_user, or give --user"),
    say("set the clock of the host or the bastion"),
    say(
        "sshd may be at its limit (MaxStartups, PerSourcePenalties) or forbid this address (tcp wrappers); "
        "wait, lower --forks, look at its log"
    ),
    say(
        "the account needs a shell that runs commands: check its entry in /etc/passwd, its rc files and "
        "ForceCommand in sshd_config"
    ),
    say("raise the limit of open files here (ulimit -n), or lower --forks; the host is not to blame"),
    say("the bastion may be out of memory (dmesg says so); lower --forks or --processes and ask again"),
    say("the host may hang or be overloaded; look at its console, or allow more time"),
    say("the host or a proxy between does not offer Negotiate; give another ansible_winrm_transport"),
    say("this is a defect of ssm-triage; please report it with this line"),
    say("try again"),
    say("try again, or restart WinRM"),
    say("try again; domain accounts are tried on one host first, so that they are not locked"),
    say("try again; look for an rc file that reads standard input"),
    say("try again; over OpenSSH, set DefaultShell back to cmd.exe"),
    say("update the host's OpenSSH, or widen the algorithms in its sshd_config or your ssh_config"),
    say("update the host's SChannel settings: TLS 1.2 is the least we speak"),
    say("use HTTPS (port 5986), or ansible_winrm_transport: ntlm, which encrypts over HTTP too"),
    say("use ansible_become_method: sudo, or log in as root"),
    say(
        "wait for other sessions of this account to end, or raise the quota (MaxShellsPerUser, "
        "MaxConcurrentUsers in winrm get winrm/config/winrs)"
    ),
)
"""What to try, for each way in which a connection fails."""

_FAILED = (
    say("{host} port {port}"),
    say("jump host: {failure}"),
    say("{where} refused the connection"),
    say("{where} did not answer the connection attempt"),
    say("{where} did not answer the connection attempt within {seconds} s"),
    say("{where} did not answer jump host {jump} within {seconds} s"),
    say("{where} cannot be reached: {words}"),
    say("{where} accepted the connection, but did not finish {doing} within {seconds} s"),
    say("{where} stopped answering while {doing}"),
    say("{where} closed the connection while {doing}"),
    say("{where} closed the connection before it said anything"),
    say("{where} and we have no algorithm in common: {words}"),
    say("{where} does not speak SSH: {words}"),
    say("{where} opened no channel: {words}"),
    say("{where} was not asked: this machine has no file descriptor left"),
    say("{host} has no address: {words}"),
    say("jump host {jump} could not connect to {where}"),
    say("jump host {jump} does not forward to {where}"),
    say("{name} is its own jump host"),
    say("the host key of {name} has changed: it shows {key}, known is {known}"),
    say("the host key of {name} is not known: it shows {key}"),
    say("{name} shows {key}, which is revoked at {place}"),
    say("the server took none of the credentials of {who} ({tried})"),
    say("the server hung up after it refused {count} credentials of {who} ({tried})"),
    say("there is nothing to log in with as {who}: no key, no agent, no password"),
    say("{where} rejected {who}; it is not tried again"),
    say("{where} knows the account, but denies it WinRM"),
    say("{where} is at one of its limits: {words}"),
    say("{where}: the login shell ended (exit code {code}) and took no script"),
    say("{where}: the script did not reach the shell whole, so none of it was run"),
    say("{where}: the script did not reach PowerShell whole, so none of it was run"),
    say("{where}: its certificate is for another name"),
    say("{where}: its certificate has expired"),
    say("{where}: its certificate is not valid yet"),
    say("{where}: its certificate is signed by nobody we trust"),
    say("{where}: it does not speak TLS on this port"),
    say("{where}: no password is given for {user}"),
    say("{where}: no user is given"),
    say("the collection was not done at its deadline"),
    say("the login shell took no script ({exit}): {words}"),
    say("the script ended early ({exit}): {words}"),
)
"""How a connection failed."""

_NOTES = (
    say("it took longer than its bound"),
    say("it was damaged on the way"),
    say("the host sent more than {limit} bytes"),
    say("cut at {limit} bytes"),
    say("no answer from the script: {failure}"),
    say("not collected"),
    say("left out by --skip"),
    say("left out by --only"),
    say("needs root"),
    say("the region is not known"),
    say("the region is not known; give triage_region in the inventory"),
    say("{path}: permission denied"),
    say("{program}: not permitted"),
    say("{path}: no such file"),
    say("{path}: no such folder"),
    say("{path}: a link that leaves the root"),
    say("no log file in {folder}"),
    say("no such file: {path}"),
    say("there is no log of the agent"),
    say("it was UTF-16; offsets are those of its text in UTF-8"),
    say("the agent has never updated itself"),
    say("the program does not tell its version"),
)
"""Why a probe or a log brought nothing, or not all."""

_OUTCOMES = (
    say("connected"),
    say("timeout"),
    say("refused"),
    say("reset"),
    say("no-route"),
    say("host-unreachable"),
    say("no-answer"),
    say("denied"),
    say("invalid"),
    say("error"),
    say("untrusted"),
    say("expired"),
    say("not-yet-valid"),
    say("wrong-host"),
    say("unreachable"),
    say("running"),
    say("starting"),
    say("restarting"),
    say("failed"),
    say("stopped"),
    say("disabled"),
    say("masked"),
    say("absent"),
)
"""How an attempt ended, and the states of a service."""


_LONGEST = 1_000
"""Characters of a sentence of the collector's, at most."""


def collected(text: str) -> Message:
    """The message that says ``text``; what no template fits is told as it is."""
    for template, pattern in _patterns() if len(text) <= _LONGEST else ():
        if match := pattern.fullmatch(text):
            return Message(template, {k: _within(k, v) for k, v in match.groupdict().items()})
    return say("{text}", text=text)


def outcomes(text: str) -> Message:
    """Several outcomes with commas between, as a stage of an attempt has them (``connected, 3 ms``)."""
    return listed([collected(part) for part in text.split(", ")], ", ")


def _within(gap: str, value: str) -> Value:
    return collected(value) if gap in ("failure", "where") else value


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The templates, those that say most first, and what fits each."""
    templates = [message.template for message in (*_ADVICE, *_FAILED, *_NOTES, *_OUTCOMES)]
    templates.sort(key=lambda template: -sum(len(said) for said, *_ in Formatter().parse(template)))
    return tuple((template, re.compile(_pattern(template), re.DOTALL)) for template in templates)


def _pattern(template: str) -> str:
    parts = Formatter().parse(template)
    return "".join(re.escape(said) + (f"(?P<{gap}>.+?)" if gap else "") for said, gap, *_ in parts)
