"""Where this machine installs its packages from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runbook.errors import RunbookError

_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^]]*)]\s+)?(?P<rest>\S+\s+\S+\s+\S.*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A source of packages: `suite` is the release's code name, `keyring` a file, if one is named."""

    mirror: str
    suite: str
    components: tuple[str, ...]
    keyring: str | None = None


def machine_source(root: Path = Path("/")) -> Source:
    """Return the source of this machine's own release; raises `lab-no-package-source`."""
    release = _release(root / "etc/os-release")
    found = [one for one in _sources(root) if one.suite == release and "main" in one.components]
    if not found:
        raise RunbookError.of(
            "lab-no-package-source",
            f"{root / 'etc/apt'} names no source of {release or 'any release'} with main",
            hint="The lab is built from the packages of Debian or a release made of it.",
        )
    return found[0]


def _release(path: Path) -> str:
    text = path.read_text() if path.exists() else ""
    match = re.search(r'^VERSION_CODENAME="?([\w.-]+)"?$', text, re.MULTILINE)
    return match[1] if match else ""


def _sources(root: Path) -> Iterator[Source]:
    folder = root / "etc/apt"
    for path in [folder / "sources.list", *sorted(folder.glob("sources.list.d/*.list"))]:
        if path.exists():
            for line in path.read_text().splitlines():
                if match := _ONE_LINE.fullmatch(line.partition("#")[0].strip()):
                    yield from _one_line(match, root)
    for path in sorted(folder.glob("sources.list.d/*.sources")):
        for paragraph in re.split(r"\n\s*\n", path.read_text()):
            yield from _paragraph(paragraph, root)


def _one_line(match: re.Match[str], root: Path) -> Iterator[Source]:
    uri, suite, *components = match["rest"].split()
    signed = re.search(r"signed-by=(\S+)", match["options"] or "")
    yield _source(uri, suite, components, signed[1] if signed else "", root)


def _paragraph(text: str, root: Path) -> Iterator[Source]:
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    fields = {
        name.lower(): value.strip()
        for name, value in re.findall(r"^([\w-]+):(.*(?:\n[ \t].*)*)", lines, re.MULTILINE)
    }
    if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes") == "yes":
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                components = fields.get("components", "").split()
                yield _source(uri, suite, components, fields.get("signed-by", ""), root)


def _source(uri: str, suite: str, components: list[str], signed_by: str, root: Path) -> Source:
    if uri.startswith("mirror+file:"):  # a list of mirrors, as images for clouds have it
        listed = (root / uri.removeprefix("mirror+file:").lstrip("/")).read_text().split()
        uri = listed[0]
    # A key may also stand there itself; debootstrap knows the release's own.
    keyring = signed_by if signed_by.startswith("/") else None
    return Source(mirror=uri, suite=suite, components=tuple(components), keyring=keyring)
