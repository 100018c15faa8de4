"""The command line: its verbs, and how every error ends."""

from __future__ import annotations

import importlib
import sys

import click

from collector.errors import TriageError
from ssm_triage import __version__
from ssm_triage.exits import INTERRUPTED, Exit

_VERBS = {
    "run": "Collect, analyze and report in one go.",
    "collect": "Bring home evidence; one file a host.",
    "analyze": "Tell the cause from evidence, or from logs that somebody sent.",
    "report": "Write reports from evidence or from a diagnosis.",
    "verify": "Check that evidence is whole.",
    "diff": "Compare two evidences: before and after, or a sick host and a healthy one.",
    "redact": "Make evidence that can be handed outside: names, addresses and ids replaced.",
    "probes": "Show what is looked at on a host.",
    "explain": "Say what a cause is, how it is recognised and fixed.",
    "selftest": "Ask one Windows host whether it is as ssm-triage believes.",
    "demo": "Sweep a few lab hosts on this machine.",
}
"""Each verb is a module of ``ssm_triage.commands``, imported only when it is called."""


class Verbs(click.Group):
    """The verbs, in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _VERBS:
            return None
        module = importlib.import_module(f"ssm_triage.commands.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(_VERBS.items()))


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 all well, 1 error, 2 findings, 4 hosts not reached, 6 both, 130 interrupted.",
)
@click.version_option(__version__, prog_name="ssm-triage")
def group() -> None:
    """Why is this host's SSM Agent broken, and what do I do about it?

    Sweeps an inventory over SSH and WinRM, brings home the agent's logs and the host's network, route, proxy
    and identity facts, and tells the root cause.  It changes nothing on a host.
    """


def cli(args: list[str] | None = None) -> None:
    """Run the command line and exit: never with a traceback for what a user can cause."""
    sys.exit(run(args))


def run(args: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    try:
        code = group.main(args, prog_name="ssm-triage", standalone_mode=False)
        return int(code or 0)
    except click.exceptions.Exit as stopped:
        return stopped.exit_code
    except click.UsageError as error:
        return _fail(error.format_message(), hint=error.ctx.command_path if error.ctx else "ssm-triage")
    except click.ClickException as error:
        return _fail(error.format_message())
    except TriageError as error:
        return _fail(str(error))
    except (KeyboardInterrupt, click.Abort):
        click.echo("ssm-triage: interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return Exit.ERROR


def _fail(message: str, hint: str | None = None) -> int:
    line = " ".join(message.split())
    if hint:
        line = f"{line} (see {hint} --help)"
    click.echo(f"ssm-triage: {line}", err=True)
    return Exit.ERROR
