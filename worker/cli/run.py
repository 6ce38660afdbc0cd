"""``iton-worker run``."""

# ruff: noqa: PLC0415 - the help must not wait for the libraries of the work

import typer

from worker.cli.terminal import epilog, start_logs

EPILOG = epilog("""
Example:
    ITON_USERNAME=acme ITON_PASSWORD=... AMQP_URL=amqp://broker/ iton-worker run

Exit codes: 0 stopped by a signal; 1 it could not go on; 2 a wrong setting, with one line that names it.
""")


def run() -> None:
    """Take jobs and work until SIGTERM or SIGINT.

    It then takes no more jobs, finishes what is in flight within WORKER_DRAIN_TIMEOUT seconds, gives the
    rest back to the queues and exits 0. Logs go to stderr.
    """
    from worker.settings import load_settings

    settings = load_settings()
    start_logs(settings)
    from worker.bootstrap.process import run_worker  # after the settings: a wrong one is told at once

    raise typer.Exit(run_worker(settings))
