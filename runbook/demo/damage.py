"""Ways to damage a sandbox site; each leaves it as a real fault would, and waits until it has."""

import os
import re
import resource
import shlex
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from runbook.demo import processes
from runbook.demo.deployment import BACKEND_SERVICE, DATABASE_SERVICE, NGINX_SERVICE
from runbook.demo.site import Site
from runbook.errors import RunbookError


def stop_backend(site: Site) -> None:
    """Stop the backend as an operator would."""
    site.supervisorctl("stop", BACKEND_SERVICE)
    _wait_for_state(site, BACKEND_SERVICE, "STOPPED")


def edit_application(file: str, old: str, new: str) -> Callable[[Site], None]:
    """Return a deployment of a broken application: one text in one file replaced, restarted."""

    def damage(site: Site) -> None:
        _replace(site.deployment.backend_directory / "app" / file, old, new)
        site.supervisorctl("restart", BACKEND_SERVICE)
        _wait_for_state(site, BACKEND_SERVICE, "FATAL")

    return damage


def take_port(site: Site) -> None:
    """Let another process hold the backend's port, and start the backend in vain."""
    stop_backend(site)
    empty = site.folder / "tmp/other"
    empty.mkdir(exist_ok=True)
    other = [str(site.python), "-m", "http.server", str(site.backend_port)]
    options = ["--bind", "127.0.0.1", "--directory", str(empty)]
    # Through a shell that ends at once, so that it is nobody's child, as a forgotten process is.
    line = f"{shlex.join(other + options)} >log/other.log 2>&1 </dev/null &"
    site.run(["/bin/sh", "-c", line], marked=True)
    wait(
        lambda: site.ask(site.backend_port).status is not None,
        f"no other process answers on port {site.backend_port}",
    )
    site.supervisorctl("start", BACKEND_SERVICE)
    _wait_for_state(site, BACKEND_SERVICE, "FATAL")


def edit_site_config(
    old: Callable[[Site], str], new: Callable[[Site], str]
) -> Callable[[Site], None]:
    """Return a change of nginx's configuration that it accepts and loads."""

    def damage(site: Site) -> None:
        _replace(site.deployment.nginx_site_config, old(site), new(site))
        old_workers = processes.children(int((site.folder / "run/nginx.pid").read_text()))
        site.run([*site.deployment.nginx_command, "-s", "reload"])
        # For a moment after a reload, old and new workers answer in turn.
        wait(
            lambda: not any(processes.is_alive(worker) for worker in old_workers),
            "nginx did not reload",
        )

    return damage


def corrupt_site_config(old: str, new: str) -> Callable[[Site], None]:
    """Return a change of nginx's configuration that it rejects; what it has loaded serves on."""

    def damage(site: Site) -> None:
        _replace(site.deployment.nginx_site_config, old, new)

    return damage


def break_nginx_config(site: Site) -> None:
    """Leave a semicolon out of what nginx would start with."""
    corrupt_site_config("proxy_read_timeout 2s;", "proxy_read_timeout 2s")(site)


def break_nginx_config_and_restart(site: Site) -> None:
    """Leave a semicolon out, and restart nginx in vain."""
    break_nginx_config(site)
    site.supervisorctl("restart", NGINX_SERVICE)
    _wait_for_state(site, NGINX_SERVICE, "FATAL")


def listen_twice(site: Site) -> None:
    """Repeat a listen directive in what nginx would start with."""
    listen = f"    listen 127.0.0.1:{site.web_port};\n"
    corrupt_site_config(listen, listen * 2)(site)


def stop_nginx(site: Site) -> None:
    """Stop nginx as an operator would."""
    site.supervisorctl("stop", NGINX_SERVICE)
    _wait_for_state(site, NGINX_SERVICE, "STOPPED")


def hang_backend(site: Site) -> None:
    """Stop the backend's process in its tracks; its port stays open."""
    os.kill(_backend_pid(site), signal.SIGSTOP)


def exhaust_files(site: Site) -> None:
    """Allow the running backend no more files than it has open."""
    pid = _backend_pid(site)
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)

    limits: list[int] = []

    def exhausted() -> bool:
        opened = {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}
        # The limit is on the number that the next file gets: the lowest one free.
        lowest = next(number for number in range(len(opened) + 1) if number not in opened)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest, hard))
        limits.append(lowest)
        is_silent = site.ask(site.backend_port, timeout_s=1.0).error == "timeout"
        # A connection that was open a moment ago and is closed by now would leave room for one.
        return is_silent and limits[-2:] == [lowest, lowest]

    wait(exhausted, "the backend still finds files to open")


def _backend_pid(site: Site) -> int:
    answer = site.supervisorctl("pid", BACKEND_SERVICE).stdout.strip()
    if not answer.isdigit() or answer == "0":
        raise RunbookError.of(
            "fault-has-no-effect", "the backend does not run, so it cannot fail", context=answer
        )
    return int(answer)


def change_application(old: str, new: str) -> Callable[[Site], None]:
    """Return a deployment of an application that starts and serves something else."""

    def damage(site: Site) -> None:
        _replace(site.deployment.backend_directory / "app/main.py", old, new)
        site.supervisorctl("restart", BACKEND_SERVICE)
        _wait_for_state(site, BACKEND_SERVICE, "RUNNING")

    return damage


def crash_until_given_up(site: Site) -> None:
    """Let the backend crash until supervisor gives up, then mend what made it crash."""
    main = site.deployment.backend_directory / "app/main.py"
    sound = main.read_text()
    edit_application("main.py", "VERSION =", "raise RuntimeError\nVERSION =")(site)
    main.write_text(sound)


def listen_on(option: str, value: Callable[[Site], str]) -> Callable[[Site], None]:
    """Return a wrong option in how supervisor starts the backend."""

    def damage(site: Site) -> None:
        config = site.deployment.supervisor_config
        found = re.search(rf"uvicorn app\.main:app.* {option} (\S+)", config.read_text())
        was = f"{option} {found[1]}" if found else option
        _replace(config, was, f"{option} {value(site)}")
        site.supervisorctl("update", BACKEND_SERVICE)
        _wait_for_state(site, BACKEND_SERVICE, "RUNNING")

    return damage


def remove(part: Callable[[Site], Path]) -> Callable[[Site], None]:
    """Return the loss of a folder that the backend needs to start, and its restart."""

    def damage(site: Site) -> None:
        site.supervisorctl("stop", BACKEND_SERVICE)
        shutil.rmtree(part(site))
        site.supervisorctl("start", BACKEND_SERVICE)
        # What it cannot even begin to start, supervisor leaves stopped.
        _wait_for_state(site, BACKEND_SERVICE, "(FATAL|STOPPED)")

    return damage


def lose_package(site: Site) -> None:
    """Remove a package from the virtual environment and restart the backend in vain."""
    site.supervisorctl("stop", BACKEND_SERVICE)
    for part in site.deployment.backend_packages.glob("webmagic_pricing*"):
        shutil.rmtree(part)
    site.supervisorctl("start", BACKEND_SERVICE)
    _wait_for_state(site, BACKEND_SERVICE, "FATAL")


def stop_database(site: Site) -> None:
    """Stop the database as an operator would."""
    site.supervisorctl("stop", DATABASE_SERVICE)
    _wait_for_state(site, DATABASE_SERVICE, "STOPPED")


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    if old not in text:
        raise RunbookError.of(
            "fault-has-no-effect",
            f"{path} is not as deployed: it does not contain {old!r}",
            hint="runbook demo mend",
        )
    path.write_text(text.replace(old, new))


def _wait_for_state(site: Site, service: str, state: str) -> None:
    wait(
        lambda: bool(re.search(rf"\s{state}\s", site.supervisorctl("status", service).stdout)),
        f"supervisor does not say {state} of {service}",
    )


def wait(condition: Callable[[], bool], complaint: str, *, within_s: float = 90.0) -> None:
    """Wait until a condition holds; raise `fault-has-no-effect` with the complaint if it does not."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise RunbookError.of("fault-has-no-effect", f"{complaint}, after {within_s:g} s")
        time.sleep(0.05)
