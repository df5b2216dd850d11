"""Where the image's packages come from is read from the machine's own configuration."""

from pathlib import Path

import pytest

from runbook.errors import RunbookError
from tests.lab.apt import Source, machine_source

DEB822 = """\
# The release
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/release.gpg

Types: deb
URIs: http://security.example/debian
Suites: bookworm-security
Components: main
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Give the root of a machine that runs bookworm and has no sources yet."""
    (tmp_path / "etc/apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text("ID=debian\nVERSION_CODENAME=bookworm\n")
    return tmp_path


ONE_LINE = """\
deb http://mirror.example/debian bookworm main contrib # the release
"""

WITH_OPTIONS = """\
deb http://tools.example/apt bookworm stable
deb [arch=amd64 signed-by=/etc/k.gpg] http://mirror.example/debian bookworm main contrib
"""

LIST_OF_MIRRORS = DEB822.replace("http://mirror.example/debian", "mirror+file:/etc/apt/mirrors")


@pytest.mark.parametrize(
    ("file", "text", "keyring"),
    [
        ("sources.list.d/debian.sources", DEB822, "/usr/share/keyrings/release.gpg"),
        ("sources.list", ONE_LINE, None),
        ("sources.list.d/tools.list", WITH_OPTIONS, "/etc/k.gpg"),
        ("sources.list.d/debian.sources", LIST_OF_MIRRORS, "/usr/share/keyrings/release.gpg"),
    ],
    ids=["deb822", "one line", "with options", "list of mirrors"],
)
def test_the_release_is_found(machine: Path, file: str, text: str, keyring: str | None) -> None:
    """In each form that apt reads, the source of the release itself is chosen."""
    (machine / "etc/apt/mirrors").write_text("http://mirror.example/debian\n")
    (machine / "etc/apt" / file).write_text(text)

    assert machine_source(machine) == Source(
        mirror="http://mirror.example/debian",
        suite="bookworm",
        components=("main", "contrib"),
        keyring=keyring,
    )


def test_other_sources_do_not_do(machine: Path) -> None:
    """Sources of another release, of other parts or turned off are none, and that is said."""
    (machine / "etc/apt/sources.list").write_text(
        "deb http://mirror.example/debian bookworm-updates main\n"
        "deb http://tools.example/apt bookworm stable\n"
        "# deb http://mirror.example/debian bookworm main\n"
    )
    disabled = DEB822.replace("Components: main contrib", "Components: main\nEnabled: no")
    (machine / "etc/apt/sources.list.d/debian.sources").write_text(disabled)

    with pytest.raises(RunbookError, match="no source of bookworm with main"):
        machine_source(machine)
