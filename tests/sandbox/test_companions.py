"""The runbooks beside fix-502, on a real site: what they tell apart, what they mend, what they keep."""

import os
import time
from pathlib import Path

import pytest

from runbook.demo.deployment import BACKEND_SERVICE
from runbook.demo.faults import FAULTS
from runbook.demo.site import Site
from tests.acceptance.program import Finished, Program


def _walk(site: Site, home: Path, command: str, name: str, *more: str) -> Finished:
    program = Program(home=home, folder=Path.cwd())
    inventory = str(site.folder / "inventory.yml")
    return program(command, name, "-i", inventory, "--host", "prod", "--json", *more)


def _verdict(done: Finished) -> tuple[str, list[str]]:
    """Return the host's verdict and the causes found."""
    host = done.document["hosts"]["web1"]
    return host["verdict"], [cause["id"] for cause in host["causes"]]


def _access_log(site: Site) -> str:
    return f"nginx_access_log={site.folder / 'log/backend-access.log'}"


def test_a_broken_configuration_is_restored(site: Site, tmp_path: Path) -> None:
    """nginx-config puts the known-good file back; nginx then accepts what is saved."""
    FAULTS["nginx-config-broken"].inject(site)

    done = _walk(site, tmp_path, "run", "nginx-config", "--yes")

    assert _verdict(done) == ("resolved", ["site_config_broken"]), done.stderr
    assert site.run([*site.deployment.nginx_command, "-t"]).returncode == 0


def test_a_configuration_that_was_never_loaded_is_told_from_a_broken_one(
    site: Site, tmp_path: Path
) -> None:
    """A sound file saved after nginx's last reload is a cause of its own; diagnose changes nothing."""
    config = site.deployment.nginx_site_config
    now = time.time() + 5
    os.utime(config, (now, now))

    done = _walk(site, tmp_path, "diagnose", "nginx-config")

    assert _verdict(done) == ("unresolved", ["not_loaded"]), done.stderr
    assert done.document["hosts"]["web1"]["path"][-1] == "loaded"
    assert config.stat().st_mtime == pytest.approx(now)


def test_a_stopped_service_is_started(site: Site, tmp_path: Path) -> None:
    """service-down starts the backend where no service is named, and it stays up."""
    FAULTS["backend-stopped"].inject(site)

    done = _walk(site, tmp_path, "run", "service-down", "--yes")

    assert _verdict(done) == ("resolved", ["stopped"]), done.stderr
    assert "RUNNING" in site.supervisorctl("status", BACKEND_SERVICE).stdout


@pytest.mark.parametrize(
    ("fault", "cause"), [("import-error", "import_error"), ("port-taken", "port_taken")]
)
def test_a_start_bound_to_fail_is_not_tried(
    fault: str, cause: str, site: Site, tmp_path: Path
) -> None:
    """What cannot be imported, or whose port is taken, is left to people, even with --yes."""
    FAULTS[fault].inject(site)

    done = _walk(site, tmp_path, "run", "service-down", "--yes")

    assert _verdict(done) == ("escalated", [cause]), done.stderr
    assert done.document["hosts"]["web1"]["fixes"] == []


def test_the_evidence_bundle_is_kept_without_its_secrets(site: Site, tmp_path: Path) -> None:
    """collect-diagnostics keeps the logs' last lines; a password in one never reaches the disk."""
    secret = "correct-horse-battery"
    with site.deployment.backend_log.open("a") as log:
        log.write(f"connecting to postgres://app:{secret}@db.example/main\n")

    done = _walk(site, tmp_path, "diagnose", "collect-diagnostics")

    assert _verdict(done) == ("healthy", []), done.stderr
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"postgres://app:********@db.example/main" in kept
    assert secret.encode() not in kept


def test_the_checklist_is_walked_to_its_end_whatever_it_finds(site: Site, tmp_path: Path) -> None:
    """With the backend stopped, every line of phases 1 to 3 is still looked at, in its order."""
    FAULTS["backend-stopped"].inject(site)

    done = _walk(site, tmp_path, "run", "checklist-502", "--set", "watch_period=none")

    verdict, causes = _verdict(done)
    assert (done.code, verdict) == (1, "unresolved"), done.stderr
    assert causes[0] == "backend"
    report = Program(home=tmp_path, folder=Path.cwd())("report", "last", "--format", "markdown")
    lines = [line for line in report.stdout.splitlines() if line.startswith("- ")]
    steps = (
        *("backend_process", "backend_listens", "backend_health", "backend_endpoint", "packages"),
        *("backend_log_healthy", "nginx_syntax", "upstream_exists", "upstream_address"),
        *("upstream_port", "location", "headers", "timeouts", "nginx_reaches_backend"),
        *("through_nginx", "firewall", "dns"),
    )
    where = [next(i for i, line in enumerate(lines) if f"`{step}`" in line) for step in steps]
    assert where == sorted(where)
    assert lines[where[steps.index("headers")]].startswith("- [x]")
    path = done.document["hosts"]["web1"]["path"]
    assert [step for step in path if step in steps] == list(steps)


def test_a_steady_site_is_healthy_after_the_watch(site: Site, tmp_path: Path) -> None:
    """watch-502 asks again and again, then reads the logs of that time: nothing to complain of."""
    options = ("--set", "watch_period=10s", "--set", _access_log(site))

    done = _walk(site, tmp_path, "diagnose", "watch-502", *options)

    assert _verdict(done) == ("healthy", []), done.stderr
    assert "watch_10s" in done.document["hosts"]["web1"]["path"]


def test_a_site_that_is_down_is_not_watched(site: Site, tmp_path: Path) -> None:
    """watch-502 says at once that the site answers badly, instead of watching for five minutes."""
    FAULTS["backend-stopped"].inject(site)

    done = _walk(site, tmp_path, "diagnose", "watch-502", "--set", _access_log(site))

    assert _verdict(done) == ("unresolved", ["answers_badly"]), done.stderr
    assert done.document["duration_s"] < 60


def test_whoever_takes_the_memory_is_named(running_site: Site, tmp_path: Path) -> None:
    """With the bounds set so that the host is full and the backend is not to blame, ps names others."""
    options = ("--set", "memory_percent=1", "--set", "backend_share_percent=100")

    done = _walk(running_site, tmp_path, "diagnose", "high-memory", *options)

    assert _verdict(done) == ("escalated", ["other_process"]), done.stderr
    (cause,) = done.document["hosts"]["web1"]["causes"]
    assert cause["evidence"]["facts"]["stdout"].splitlines()[0].split()[:2] == ["RSS", "PID"]


def test_a_full_disk_would_be_freed_of_what_can_be_had_again(
    running_site: Site, tmp_path: Path
) -> None:
    """Bytes used up, on the file system of the logs: disk-full would free them, and removes nothing."""
    kept = sorted(path.name for path in (running_site.folder / "log").iterdir())
    options = (
        *("--set", "disk_used_percent=1"),
        *("--set", f"disk_path={running_site.folder}"),
        *("--set", f"log_directories=[{running_site.folder / 'log'}]"),
    )

    done = _walk(running_site, tmp_path, "diagnose", "disk-full", *options)

    assert _verdict(done) == ("unresolved", ["space_used"]), done.stderr
    assert sorted(path.name for path in (running_site.folder / "log").iterdir()) == kept
