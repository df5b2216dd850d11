"""Small runbooks for tests of the language."""

from pathlib import Path

CHECK = """\
- check: site
  title: The site answers
  probe: {http: {url: "http://127.0.0.1/"}}
  next: {passed: end(healthy), failed: end(escalated)}
"""


def write(folder: Path, name: str, steps: str, *, params: str = "{}") -> Path:
    """Write a runbook of these steps into a folder, and return its path."""
    path = folder / f"{name}.yml"
    path.write_text(f"runbook: {name}\ntitle: A test\nparams: {params}\nsteps:\n{steps}")
    return path
