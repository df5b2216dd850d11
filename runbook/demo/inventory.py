"""An Ansible inventory of sandbox sites, with the variables that the library of runbooks uses."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from runbook.demo.deployment import (
    BACKEND_SERVICE,
    DATABASE_SERVICE,
    NGINX_SERVICE,
    SERVER_NAME,
    UPSTREAM,
    Deployment,
)


def write(path: Path, sites: Mapping[str, Deployment]) -> None:
    """Write an inventory with each site as a host, by the given name, of the group `prod`."""
    hosts = {name: host_variables(site) for name, site in sites.items()}
    document = yaml.safe_dump({"prod": {"hosts": hosts}}, sort_keys=False)
    path.write_text(f"# Written by runbook: the sandbox sites. Do not edit.\n{document}")


def host_variables(site: Deployment) -> dict[str, object]:
    """Return the variables that describe one site to Ansible and to the runbooks."""
    return {
        "ansible_connection": "local",
        "ansible_python_interpreter": str(site.python),
        # Each site is a host of its own; else all called web1 on this machine would share a lease.
        "runbook_lease_path": str(site.folder / "lease"),
        "site_url": f"http://127.0.0.1:{site.web_port}",
        "server_name": SERVER_NAME,
        "health_path": "/health",
        "login_path": "/api/v1/auth/unified-login",
        "openapi_path": "/api/v1/openapi.json",
        "backend_host": "127.0.0.1",
        "backend_port": site.backend_port,
        "backend_manager": "supervisor",
        "backend_service": BACKEND_SERVICE,
        "backend_log": str(site.backend_log),
        "backend_directory": str(site.backend_directory),
        "backend_python": str(site.backend_python),
        "backend_requirements": "requirements.txt",
        "backend_open_files": 1024,
        "backend_application": "app.main:app",
        "database_port": site.database_port,
        "database_manager": "supervisor",
        "database_service": DATABASE_SERVICE,
        "supervisor_config": str(site.supervisor_config),
        "supervisorctl_command": site.supervisorctl_command,
        "nginx_command": site.nginx_command,
        "nginx_manager": "supervisor",
        "nginx_service": NGINX_SERVICE,
        "nginx_site_config": str(site.nginx_site_config),
        "nginx_upstream": UPSTREAM,
        "nginx_error_log": str(site.nginx_error_log),
        "nginx_headers": ["Host", "X-Real-IP"],
        "nginx_known_good": str(site.nginx_known_good),
        "state_directory": str(site.state),
    }
