"""What the documentation shows is what the program does: every command in it is run."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("docs/tutorial.md",)

_BLOCK = re.compile(
    r"(?:<!-- exit (?P<code>\d+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL
)
_FILE = re.compile(r"Save this as `(?P<path>[^`]+)`:\n\n```yaml\n(?P<text>.*?)```", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A command as a page shows it, with the exit code the page promises."""

    command: str
    code: int


def _shown(page: str) -> list[Shown]:
    return [
        Shown(command=line.removeprefix("$ "), code=int(block["code"] or 0))
        for block in _BLOCK.finditer(page)
        if block["language"] == "console"
        for line in block["text"].splitlines()
        if line.startswith("$ ")
    ]


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """Give an environment with the program on its path and a home of its own.

    The home's path is short: a socket of the sandbox has to fit into it.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RUNBOOK_", "ANSIBLE_", "XDG_"))
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with TemporaryDirectory(prefix="rb-") as home:
        variables = {**kept, "PATH": path, "RUNBOOK_HOME": home}
        yield variables
        subprocess.run(["runbook", "demo", "down"], env=variables, capture_output=True, check=False)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_does_what_it_says(
    page: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    """The commands of a page, in their order and with its files, end with the codes it promises."""
    text = (ROOT / page).read_text()
    folder = tmp_path / "work"
    for file in _FILE.finditer(text):
        path = folder / file["path"]
        path.parent.mkdir(parents=True)
        path.write_text(file["text"])
    shown = _shown(text)
    assert shown

    for step in shown:
        done = subprocess.run(
            ["sh", "-c", step.command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == step.code, f"{step.command}\n{done.stdout}\n{done.stderr}"


def test_the_demonstration_repairs_the_site(tmp_path: Path, environment: dict[str, str]) -> None:
    """`make demo` with DEMO_YES=1 shows the real 502, the repair, and the site answering 200."""
    done = subprocess.run(
        ["sh", str(ROOT / "docs/demo.sh")],
        cwd=ROOT,
        env={**environment, "DEMO_YES": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    answers = re.findall(r"^HTTP (\d+)", done.stdout, re.MULTILINE)
    assert (answers[0], answers[1], answers[-1]) == ("200", "502", "200")


def test_the_demonstration_fails_closed_without_a_terminal(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Without a terminal and without DEMO_YES nothing is repaired, and it says why."""
    done = subprocess.run(
        ["sh", str(ROOT / "docs/demo.sh")],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 3, done.stdout + done.stderr
    assert "DEMO_YES=1" in done.stdout


def test_pages_link_to_what_is_there() -> None:
    """Every relative link of the documentation leads to a file."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    dead = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
        if not link.startswith(("http:", "https:", "mailto:")) and not (page.parent / link).exists()
    ]
    assert dead == []
