"""`runbook doctor`: whether everything is ready for an incident."""

import shutil
import sys

import click

from runbook.views import options
from runbook.views.configured import settings_for
from runbook.views.output import tell, write, write_json


@click.command("doctor")
@options.host
@options.target
@options.output
def doctor_command(host: str | None, target: options.Aim, output: options.Output) -> int:
    r"""Say whether machine and hosts are ready.

    Versions, ansible.cfg, inventory, runbooks, the vault's password, journal, disks, permissions,
    and what stopped runs left behind; with --host also whether the hosts answer, their Python,
    become, clock and disks, and what else goes on there: all hosts at once. Nothing is changed.
    Each line that is not in order says what to do about it.

    The exit code is 0 if all is ready, 1 if something has to be mended, 4 if a host is unreachable.

    \b
    Examples:
      runbook doctor
      runbook doctor --host prod -i inventory/
    """
    from runbook.doctor import exit_code  # noqa: PLC0415 -- so that help and completion are quick
    from runbook.views.doctor import findings_document, findings_text  # noqa: PLC0415
    from runbook.views.examining import examine, examine_hosts  # noqa: PLC0415

    settings = settings_for(target.flags)
    findings = examine(settings, target)
    if host:
        tell("Looking at the hosts …")
        findings += examine_hosts(host, settings, target)
    if output.json:
        write_json(findings_document(findings))
    else:
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        write(findings_text(findings, columns=columns))
    return exit_code(findings)
