"""The entry point: ``ssm-triage`` and ``python -m ssm_triage``."""


def main() -> None:
    """Run the command line."""
    from ssm_triage.cli import cli

    cli()


if __name__ == "__main__":
    main()
