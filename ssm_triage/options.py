"""The options that verbs share, under the names that Ansible's users know."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from ssm_triage.exits import FailOn

Command = Callable[..., Any]

_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Size(click.ParamType[int | None]):
    """A number of bytes: ``500k``, ``4M``; ``all`` for no limit (``None``)."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if not isinstance(value, str):
            return int(value)
        if value == "all":
            return None
        if found := re.fullmatch(r"(\d+)([kmg]?)(?:i?b)?", value.lower()):
            return int(found[1]) * _SIZES[found[2]]
        return self.fail(f"{value!r} is no size: say 500k, 4M or all", param, ctx)


class Language(click.ParamType[str]):
    """A language of the reports; which there are is looked up when one is asked for."""

    name = "lang"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from reports.i18n import languages

        if value not in languages():
            self.fail(f"{value!r} is no language of the reports: say {', '.join(languages())}", param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from reports.i18n import languages

        return [CompletionItem(lang) for lang in languages() if lang.startswith(incomplete)]


class Seconds(click.ParamType[float]):
    """A time in seconds, more than none."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= 86_400:
            self.fail(f"{value!r} is no time: say seconds, such as 10", param, ctx)
        return seconds


def given(context: click.Context) -> frozenset[str]:
    """The parameters that stand on the command line, as against those that have a default.

    Raises:
        click.MissingParameter: there is neither an inventory nor a run to go on with.
    """
    params = context.params
    if not params["sources"] and not params["resume"]:
        missing = next(param for param in context.command.params if param.name == "sources")
        raise click.MissingParameter(ctx=context, param=missing)
    source = context.get_parameter_source
    return frozenset(name for name in params if source(name) is ParameterSource.COMMANDLINE)


def _all(*options: Command) -> Callable[[Command], Command]:
    """Several options as one decorator, in the order of the help page."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


probe_options = _all(
    click.option(
        "--only",
        multiple=True,
        metavar="PROBE,...",
        help="Ask these probes alone: names or lanes (local, network, log) of `ssm-triage probes`.",
    ),
    click.option("--skip", multiple=True, metavar="PROBE,...", help="Leave these out; the report says so."),
)


def _sources(*, required: bool) -> Callable[[Command], Command]:
    return _all(
        click.option(
            "-i",
            "--inventory",
            "sources",
            multiple=True,
            required=required,
            metavar="INVENTORY",
            help="Inventory: file, directory, 'host,' list, or - for the JSON of ansible-inventory --list on"
            " stdin. Repeatable.",
        ),
        click.option(
            "--vault-password-file",
            "vault_password_files",
            multiple=True,
            metavar="FILE",
            help="Opens vaulted values.",
        ),
    )


source_options = _sources(required=True)

inventory_options = _all(
    _sources(required=False),
    click.option("-l", "--limit", metavar="PATTERN", help="Only these hosts: Ansible's patterns, or @FILE."),
    click.option(
        "--list-hosts", is_flag=True, help="Show the hosts, how each would be reached and why; ask none."
    ),
)

connection_options = _all(
    click.option(
        "-c", "--connection", type=click.Choice(["ssh", "winrm", "local"]), help="Where none is said."
    ),
    click.option("-u", "--user", metavar="NAME", help="Log in as this user, where the inventory says none."),
    click.option("--port", type=click.IntRange(1, 65_535), help="Where none is said."),
    click.option("--private-key", "--key-file", "private_key", metavar="FILE", help="Key for SSH."),
    click.option("--ask-key-pass", is_flag=True, help="Ask for the key's passphrase."),
    click.option("-k", "--ask-pass", is_flag=True, help="Ask for the login password."),
    click.option(
        "--password-from",
        metavar="REF",
        help="Login password by env:NAME, file:PATH, cmd:COMMAND, keyring:SERVICE/USER.",
    ),
    click.option("-b", "--become", is_flag=True, help="Become another user on the host (sudo)."),
    click.option("--become-user", metavar="NAME", help="Whom to become (root)."),
    click.option("--become-method", metavar="METHOD", help="How (sudo)."),
    click.option("-K", "--ask-become-pass", is_flag=True, help="Ask for the password of sudo."),
    click.option("--become-password-from", metavar="REF", help="Password of sudo, by reference as above."),
    click.option("-J", "--jump", metavar="HOST,...", help="Go by way of these hosts."),
    click.option("--ssh-config", metavar="FILE", type=click.Path(), help="Instead of ~/.ssh/config."),
    click.option(
        "--ssh-common-args", metavar="ARGS", help="Options of ssh(1), such as '-o ServerAliveInterval=5'."
    ),
    click.option(
        "--host-key-checking",
        type=click.Choice(["strict", "accept-new", "off"]),
        help="Unknown host keys: refuse (default), learn, or do not look (marked in the report).",
    ),
    click.option(
        "-T",
        "--timeout",
        "connect_timeout",
        type=Seconds(),
        help="To connect, in seconds  [default: ConnectTimeout of ssh_config, else 10]",
    ),
    click.option(
        "--use-env-proxy",
        is_flag=True,
        help="Go to WinRM hosts by this machine's HTTPS_PROXY and its kin, else ignored.",
    ),
)

sweep_options = _all(
    click.option(
        "--resume",
        type=click.Path(file_okay=False),
        metavar="RUN",
        help="Go on with a run that was broken off, by the options that it was begun with: hosts whose"
        " evidence is whole are not asked again.",
    ),
    click.option(
        "-f", "--forks", type=click.IntRange(1, 512), default=10, show_default=True, help="Hosts at once."
    ),
    click.option(
        "--per-jump",
        type=click.IntRange(1, 512),
        default=64,
        show_default=True,
        help="Hosts at once behind one jump host.",
    ),
    click.option(
        "--rate",
        type=click.FloatRange(0.1, 10_000),
        default=50,
        show_default=True,
        help="New connections a second through one jump host, or to one address.",
    ),
    click.option(
        "--runner",
        type=click.Choice(["auto", "threads", "processes", "dask"]),
        default="auto",
        show_default=True,
        help="What asks the hosts: threads, processes of threads where they pay, or a Dask cluster.",
    ),
    click.option(
        "--processes", type=click.IntRange(1, 64), help="How many  [default: what --forks and the cores bear]"
    ),
    click.option("--scheduler", metavar="ADDRESS", help="Of the Dask cluster, such as tcp://10.0.0.5:8786."),
    click.option(
        "--evidence-via",
        metavar="PLACE",
        help="Workers leave evidence there, to be fetched: a folder that they share with this machine, or a"
        " URL that fsspec knows  [default: the scheduler]",
    ),
    click.option(
        "--probe-timeout",
        type=Seconds(),
        help="For one probe on a host, at most  [default: each its own, see `ssm-triage probes`]",
    ),
    click.option(
        "--command-timeout", type=Seconds(), default=90, show_default=True, help="For the script on a host."
    ),
    click.option(
        "--host-deadline", type=Seconds(), default=150, show_default=True, help="For one host, all in all."
    ),
    click.option(
        "--log-budget",
        type=Size(),
        default="4M",
        show_default=True,
        help="Bytes of logs per host: the last start and the tail; 'all' for whole files.",
    ),
    click.option(
        "--root", metavar="DIR", help="Look at a volume mounted there instead of the running system."
    ),
    probe_options,
    click.option("--dry-run", is_flag=True, help="Say what would be asked of which host; ask none."),
    click.option(
        "--progress",
        type=click.Choice(["auto", "live", "lines", "json", "none"]),
        default="auto",
        show_default=True,
        help="On stderr: a live view (on a terminal), a line a host, an event a line as JSON.",
    ),
)

output_options = _all(
    click.option(
        "-o", "--output", type=click.Path(), metavar="DIR", help="Run folder  [default: ssm-triage-runs/TIME]"
    ),
)

lang_option = click.option(
    "--lang",
    type=Language(),
    default="en",
    show_default=True,
    metavar="LANG",
    help="Language of what is told to readers.",
)

report_options = _all(
    click.option(
        "--reporter",
        "reporters",
        multiple=True,
        metavar="FORMAT[:TARGET]",
        help="html:DIR, json:-, ndjson, markdown, csv, junit, package:FILE, package-with-evidence:FILE; "
        "several by repeating.",
    ),
    click.option(
        "--package",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="A zip to hand over as well: pages, JSON, and a ticket for each who must act.",
    ),
    lang_option,
)

signature_option = click.option(
    "--signatures", multiple=True, type=click.Path(), metavar="DIR", help="Log signatures of your own."
)

verdict_options = _all(
    click.option(
        "--fail-on",
        type=click.Choice([str(level) for level in FailOn]),
        default="broken",
        show_default=True,
        help="From which verdict on the exit code has bit 2.",
    ),
    click.option(
        "--mute",
        "mutes",
        multiple=True,
        type=click.Path(),
        metavar="FILE",
        help="Causes that are known and do not count for the exit code: YAML of slug, hosts, reason, until.",
    ),
    click.option("--exit-zero", is_flag=True, help="Exit 0 whatever was found."),
    signature_option,
)

quiet_option = click.option("-q", "--quiet", is_flag=True, help="Nothing on stderr but errors.")

verbose_option = click.option(
    "-v",
    "--verbose",
    count=True,
    help="Say more: -v each verdict in a sentence, -vv what SSH does, -vvv all of it.",
)
