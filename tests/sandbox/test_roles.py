"""The roles, applied to the real site by the real ansible-playbook."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from runbook.demo import processes
from runbook.demo.faults import FAULTS
from runbook.demo.site import Site
from tests.sandbox.playing import play, play_cases

BACKEND = {
    "service_name": "{{ backend_service }}",
    "service_manager": "{{ backend_manager }}",
    "service_supervisorctl_command": "{{ supervisorctl_command }}",
    "service_supervisor_config": "{{ supervisor_config }}",
}
UPSTREAM = {
    "nginx_upstream_name": "{{ nginx_upstream }}",
    "nginx_upstream_file": "{{ nginx_site_config }}",
    "nginx_upstream_host": "{{ backend_host }}",
    "nginx_upstream_port": "{{ backend_port }}",
    "nginx_upstream_command": "{{ nginx_command }}",
    "nginx_upstream_state_directory": "{{ state_directory }}/nginx_upstream",
}
CONFIG = {
    "nginx_config_file": "{{ nginx_site_config }}",
    "nginx_config_known_good": "{{ nginx_known_good }}",
    "nginx_config_command": "{{ nginx_command }}",
    "nginx_config_manager": "{{ nginx_manager }}",
    "nginx_config_service": "{{ nginx_service }}",
    "nginx_config_supervisorctl_command": "{{ supervisorctl_command }}",
    "nginx_config_supervisor_config": "{{ supervisor_config }}",
}
PREVIEW = ("--check", "--diff")


def holder_of_port(site: Site) -> tuple[int, str]:
    """Return the id and the command line of the foreign process on the backend's port."""
    for pid in processes.of_site(site.folder):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
        if b"http.server" in command:
            return pid, command.decode()
    raise AssertionError("no foreign process")


class TestService:
    """Role `service`."""

    def test_previews_then_starts_a_stopped_backend(self, site: Site) -> None:
        """A preview says what would be run and runs nothing; the real run brings the site back."""
        FAULTS["backend-stopped"].inject(site)

        preview = play(site, "service", BACKEND, *PREVIEW)

        assert not preview.failed
        assert preview.changed == 1
        assert "webmagic-api is STOPPED; would run" in preview.output
        assert site.ask(site.web_port).status == 502

        played = play(site, "service", BACKEND)

        assert (played.failed, played.changed) == (False, 1)
        assert site.ask(site.web_port).healthy

    def test_restarts_a_backend_that_hangs(self, site: Site) -> None:
        """A process that no longer handles SIGTERM is replaced by one that answers."""
        FAULTS["backend-hanging"].inject(site)

        played = play(site, "service", BACKEND)

        assert not played.failed
        assert site.ask(site.web_port).healthy

    def test_fails_if_the_program_does_not_stay_up(self, site: Site) -> None:
        """A restart of a backend that dies on import is no success."""
        FAULTS["import-error"].inject(site)

        played = play(site, "service", BACKEND)

        assert played.failed
        assert "ERROR (spawn error)" in played.output

    def test_touches_only_what_needs_it(self, running_site: Site) -> None:
        """A service that runs is not started again, and an unknown program is refused."""
        played = play_cases(
            running_site,
            "service",
            {
                "running": {**BACKEND, "service_state": "started"},
                "unknown": {**BACKEND, "service_name": "nonsense"},
            },
        )

        assert (played["running"].failed, played["running"].changed) == (False, 0)
        assert (played["unknown"].failed, played["unknown"].changed) == (True, 0)
        assert "nonsense: ERROR (no such process)" in played["unknown"].output

    def test_asks_docker_compose_for_what_is_needed(
        self, running_site: Site, tmp_path: Path
    ) -> None:
        """What the role sends to Docker Compose depends on whether the container runs.

        Docker itself is stood in for by a script, since it needs a daemon: this proves the
        arguments, not their effect.
        """
        docker = tmp_path / "docker"
        docker.write_text(
            f"""#!/bin/sh
if [ "$4" = ps ]; then case $3 in *running*) echo 4711;; esac
else echo "$@" >>{tmp_path}/sent; fi
"""
        )
        docker.chmod(0o755)
        cases = [
            ("/srv/gone", "restarted"),
            ("/srv/gone", "stopped"),
            ("/srv/running", "restarted"),
            ("/srv/running", "started"),
            ("/srv/running", "stopped"),
        ]

        played = play_cases(
            running_site,
            "service",
            {
                f"case{number}": {
                    "service_name": "api",
                    "service_manager": "docker_compose",
                    "service_state": state,
                    "service_compose_command": [str(docker), "compose"],
                    "service_compose_directory": directory,
                }
                for number, (directory, state) in enumerate(cases)
            },
        )

        assert [play.changed for play in played.values()] == [1, 0, 1, 0, 1]
        assert sorted((tmp_path / "sent").read_text().splitlines()) == [
            "compose --project-directory /srv/gone up --detach --no-deps api",
            "compose --project-directory /srv/running restart api",
            "compose --project-directory /srv/running stop api",
        ]

    def test_restarts_a_plain_process(self, running_site: Site, tmp_path: Path) -> None:
        """Only the process in the named directory is replaced, although another looks the same."""
        (tmp_path / "app").mkdir()
        command = [sys.executable, "-c", "import time; time.sleep(60)"]
        variables = {
            "service_name": "sleeper",
            "service_manager": "process",
            "service_process_command": command,
            "service_process_directory": str(tmp_path / "app"),
            "service_process_pattern": "time.sleep",
            "service_process_log": str(tmp_path / "log"),
        }
        with (
            subprocess.Popen(command, cwd=tmp_path / "app") as ours,
            subprocess.Popen(command, cwd=tmp_path) as other,
        ):
            preview = play(running_site, "service", variables, *PREVIEW)
            lives_after_preview = ours.poll() is None
            played = play(running_site, "service", variables)
            stopped = play(running_site, "service", {**variables, "service_state": "stopped"})
            other_lives = other.poll() is None
            other.kill()
            ours.kill()

        assert lives_after_preview
        assert f"-running: [{ours.pid}]" in preview.output
        assert not played.failed
        assert ours.returncode == -signal.SIGTERM
        assert other_lives
        assert (stopped.failed, stopped.changed) == (False, 1)

    def test_says_that_a_plain_process_died(self, running_site: Site, tmp_path: Path) -> None:
        """A process that ends at once is a failure, with its exit code and its log named."""
        played = play(
            running_site,
            "service",
            {
                "service_name": "crasher",
                "service_manager": "process",
                "service_process_command": ["/bin/sh", "-c", "exit 3"],
                "service_process_directory": str(tmp_path),
                "service_process_pattern": "exit 3",
                "service_process_log": str(tmp_path / "log"),
            },
        )

        assert played.failed
        assert "ended at once with code 3" in played.output


class TestPortFreed:
    """Role `port_freed`."""

    def test_ends_exactly_the_observed_process(self, site: Site) -> None:
        """Other observations are refused; the right one frees the port, after a preview."""
        FAULTS["port-taken"].inject(site)
        pid, command = holder_of_port(site)
        right = {
            "port_freed_port": "{{ backend_port }}",
            "port_freed_pid": pid,
            "port_freed_command": command,
        }

        wrong = play_cases(
            site,
            "port_freed",
            {
                "pid": {**right, "port_freed_pid": os.getpid()},
                "command": {**right, "port_freed_command": "python x.py"},
            },
        )
        preview = play(site, "port_freed", right, *PREVIEW)

        assert wrong["pid"].failed
        assert f"is held by {pid} ({command}), not by process {os.getpid()}" in wrong["pid"].output
        assert wrong["command"].failed
        assert "not 'python x.py' as observed" in wrong["command"].output
        assert (preview.failed, preview.changed) == (False, 1)
        assert f"+port {site.backend_port}: nobody" in preview.output
        assert site.ask(site.backend_port).status == 404

        played = play(site, "port_freed", right)

        assert (played.failed, played.changed) == (False, 1)
        assert site.ask(site.backend_port).error == "refused"

    def test_a_free_port_needs_nothing(self, running_site: Site) -> None:
        """If nobody listens any more, nothing is ended and nothing changes."""
        played = play(
            running_site,
            "port_freed",
            {
                "port_freed_port": running_site.spare_port,
                "port_freed_pid": os.getpid(),
                "port_freed_command": "pytest",
            },
        )

        assert (played.failed, played.changed) == (False, 0)


class TestNginxUpstream:
    """Role `nginx_upstream`."""

    def test_previews_then_corrects_the_port(self, site: Site) -> None:
        """A preview shows the line's diff and changes nothing; the real run mends the site."""
        FAULTS["upstream-port"].inject(site)
        broken = site.deployment.nginx_site_config.read_text()

        preview = play(site, "nginx_upstream", UPSTREAM, *PREVIEW)

        assert not preview.failed
        assert f"+    server 127.0.0.1:{site.backend_port};" in preview.output
        assert "-s reload" in preview.output
        assert site.deployment.nginx_site_config.read_text() == broken

        played = play(site, "nginx_upstream", UPSTREAM)

        assert not played.failed
        known_good = site.deployment.nginx_known_good / "backend.conf"
        assert site.deployment.nginx_site_config.read_text() == known_good.read_text()
        assert site.ask(site.backend_port).healthy

    def test_restores_the_file_if_nginx_rejects_it(self, site: Site) -> None:
        """With an address that nginx cannot resolve, the file ends as it was and nginx serves."""
        before = site.deployment.nginx_site_config.read_text()

        played = play(
            site, "nginx_upstream", {**UPSTREAM, "nginx_upstream_host": "nowhere.invalid"}
        )

        assert played.failed
        assert "host not found in upstream" in played.output
        assert site.deployment.nginx_site_config.read_text() == before
        assert site.ask(site.web_port).healthy

    def test_finds_the_one_server(self, running_site: Site, tmp_path: Path) -> None:
        """The server's address is replaced where it counts; where it is not one, it refuses."""
        served = "upstream backend_app {\n  # server 10.0.0.1:1;\n  server 10.0.0.1:1;\n}"
        before = {
            "one_line": "upstream backend_app { server 10.0.0.1:1 max_fails=0; }",
            "comments": f"# upstream backend_app {{\n#   server 10.0.0.1:1;\n# }}\n{served}",
            "several": "upstream backend_app {\n  server a:1;\n  server b:1;\n}",
            "another": "upstream other {\n  server a:1;\n}",
        }
        after = {
            **before,
            "one_line": before["one_line"].replace("10.0.0.1:1", "127.0.0.1:2"),
            "comments": before["comments"].replace(
                "\n  server 10.0.0.1:1", "\n  server 127.0.0.1:2"
            ),
        }
        for name, text in before.items():
            (tmp_path / name).write_text(text)

        played = play_cases(
            running_site,
            "nginx_upstream",
            {
                name: {
                    **UPSTREAM,
                    "nginx_upstream_file": str(tmp_path / name),
                    "nginx_upstream_port": 2,
                    "nginx_upstream_command": ["/bin/true"],
                    "nginx_upstream_state_directory": str(tmp_path / "state"),
                }
                for name in before
            },
        )

        assert {name: (tmp_path / name).read_text() for name in before} == after
        failed = {name for name, case in played.items() if case.failed}
        assert failed == {"several", "another"}
        assert "upstream backend_app has 2 servers" in played["several"].output
        assert "upstream backend_app has 0 servers" in played["another"].output


class TestNginxConfig:
    """Role `nginx_config`."""

    def test_previews_then_restores_and_starts(self, site: Site) -> None:
        """With nginx down for its configuration, the copy is restored and nginx is started."""
        FAULTS["nginx-down-config-broken"].inject(site)
        config = site.deployment.nginx_site_config
        broken = config.read_text()

        preview = play(site, "nginx_config", CONFIG, *PREVIEW)

        assert not preview.failed
        assert "+        proxy_read_timeout 2s;" in preview.output
        assert "nginx is FATAL; would run" in preview.output
        assert config.read_text() == broken
        assert [path.name for path in config.parent.iterdir()] == ["backend.conf"]

        played = play(site, "nginx_config", CONFIG)

        assert not played.failed
        assert site.ask(site.web_port).healthy
        kept = [path for path in config.parent.iterdir() if path != config]
        assert [path.read_text() for path in kept] == [broken]
        assert kept[0].name.startswith(".backend.conf.broken-")

    def test_reloads_a_running_nginx(self, site: Site) -> None:
        """With nginx running on its old configuration, it is reloaded and never stopped."""
        FAULTS["nginx-config-broken"].inject(site)
        master = (site.folder / "run/nginx.pid").read_text()

        played = play(site, "nginx_config", CONFIG)

        assert not played.failed
        assert (site.folder / "run/nginx.pid").read_text() == master
        assert site.ask(site.web_port).healthy

    def test_puts_everything_back_if_the_copy_is_broken_too(self, site: Site) -> None:
        """If nginx rejects the known-good copy, the files are as before and the role fails."""
        FAULTS["nginx-config-broken"].inject(site)
        config = site.deployment.nginx_site_config
        broken = config.read_text()
        (site.deployment.nginx_known_good / "backend.conf").write_text("nonsense;\n")

        played = play(site, "nginx_config", CONFIG)

        assert played.failed
        assert 'unknown directive "nonsense"' in played.output
        assert config.read_text() == broken
        assert [path.name for path in config.parent.iterdir()] == ["backend.conf"]
        assert site.ask(site.web_port).healthy
