"""Settings: where state, runbooks, roles and inventories are, and which source said so.

Sources, later ones win: built-in defaults, the settings file (`runbook.toml`, else `[tool.runbook]`
of `pyproject.toml`, looked for from the current folder upwards to the root of the git work tree or
the home folder), environment variables `RUNBOOK_*`, flags.

Nothing is picked up unasked from a folder that everybody may write to: whoever else uses the machine
could say there what is to be run. Ansible treats its `ansible.cfg` the same way.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runbook.errors import Location, Problem, RunbookError, Severity
from runbook.model.collisions import COLLISIONS
from runbook.settings_file import SettingsFile, find_settings_file

DEFAULT_FORKS = 50
MAX_FORKS = 500
MAX_KEPT_MIN = 60
DEFAULT_COLLISIONS_BLOCK = ("maintenance",)

_PACKAGE = Path(__file__).resolve().parent
_SYSTEM_INVENTORY = Path("/etc/ansible/hosts")
_SYSTEM_CONFIG = Path("/etc/ansible/ansible.cfg")
_BUILT_IN = "built-in default"
_DATABASES = ("postgresql://", "postgres://")

KEYS: Mapping[str, str] = {
    "home": "Folder of runbook's state: journal, keys, reports of defects.",
    "journal": "Database of Postgres that the journal is in instead, as a URL without a password.",
    "library": "Folders of runbooks, searched before those that come with runbook.",
    "roles": "Folders of Ansible roles, searched before those beside the runbooks.",
    "inventory": "Inventories as for `ansible-playbook -i`, used where no -i is given.",
    "forks": f"How many hosts are worked on at once, 1 to {MAX_FORKS}.",
    "ansible_config": "Ansible's configuration file.",
    "keep_ansible": "How many minutes Ansible stays ready once a command has used it, "
    f"0 to {MAX_KEPT_MIN}: the next one need not start it.",
    "policy": "File that says what may be done without asking, and within which limits.",
    "notify": "File that says whom `runbook serve` tells what.",
    "collisions_block": "What else goes on on a host that --yes does not pass over: "
    f"{', '.join(COLLISIONS)}; or none.",
}
"""What may stand in a settings file, and in the environment as `RUNBOOK_` and upper case."""

_FOLDERS = ("library", "roles")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """All settings, with every path absolute.

    `library` and `roles` are searched in order. `inventories` are as for `ansible-playbook -i`:
    paths, or host lists with a comma. `journal` is the file it is in, or the URL of a database of
    Postgres. `origins` says of each key of `KEYS` where its value is from;
    `notes` are warnings about what was passed over.
    """

    home: Path
    journal: Path | str
    library: tuple[Path, ...]
    roles: tuple[Path, ...]
    inventories: tuple[str, ...]
    forks: int
    ansible_config: Path | None
    keep_ansible: int
    policy: Path | None
    notify: Path | None
    collisions_block: tuple[str, ...]
    origins: Mapping[str, str]
    notes: tuple[Problem, ...] = ()


def load_settings(
    flags: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Settings:
    """Return the settings; `flags` are values of `KEYS` given on the command line.

    `environ` and `cwd` are those of this process unless given. Raises RunbookError naming all that
    is wrong in the settings file, or the first wrong value elsewhere.
    """
    environ = os.environ if environ is None else environ
    cwd = Path.cwd() if cwd is None else cwd
    home = _home(environ)
    file, notes = find_settings_file(cwd, home, tuple(KEYS))
    reading = _Reading(environ=environ, cwd=cwd, home=home, file=file, flags=flags or {})
    reading.notes += notes
    return reading.settings()


def state_folder(environ: Mapping[str, str], home: Path | None = None) -> Path:
    """Return the folder of state that the environment alone decides on."""
    own = environ.get("RUNBOOK_HOME")
    if own:
        return Path(own).expanduser().absolute()
    state = environ.get("XDG_STATE_HOME")
    # The XDG base directory specification: a relative path is to be ignored.
    if state and state.startswith("/"):
        return Path(state) / "runbook"
    return (home or _home(environ)) / ".local/state/runbook"


def _home(environ: Mapping[str, str]) -> Path:
    """Return the user's home; raise RunbookError where there is none, as of a user without a name."""
    try:
        return Path(environ.get("HOME") or Path.home())
    except RuntimeError:
        raise RunbookError.of(
            "no-home",
            f"there is no home folder: HOME is not set, and nothing is known of user {os.getuid()}",
            hint="set HOME to a folder of yours, as Ansible and ssh keep things there as well",
        ) from None


@dataclass(kw_only=True)
class _Reading:
    """Works the values out, one after the other, writing down where each is from."""

    environ: Mapping[str, str]
    cwd: Path
    home: Path
    file: SettingsFile | None
    flags: Mapping[str, object]

    def __post_init__(self) -> None:
        self.origins: dict[str, str] = {}
        self.notes: list[Problem] = []

    def settings(self) -> Settings:
        """Return what all sources together say."""
        self._check_environment()
        library = self._library()
        config = self._ansible_config()
        home = self._home()
        return Settings(
            home=home,
            journal=self._journal(home),
            library=library,
            roles=self._roles(library),
            inventories=self._inventories(config),
            forks=self._number("forks", DEFAULT_FORKS, 1, MAX_FORKS),
            ansible_config=config,
            keep_ansible=self._number("keep_ansible", 0, 0, MAX_KEPT_MIN),
            policy=self._one_file("policy"),
            notify=self._one_file("notify"),
            collisions_block=self._collisions_block(),
            origins=self.origins,
            notes=tuple(self.notes),
        )

    def _check_environment(self) -> None:
        """Refuse a misspelt variable; leave others, such as those that orchestrators set, alone."""
        known = {f"RUNBOOK_{key.upper()}" for key in KEYS}
        for name in self.environ:
            if not name.startswith("RUNBOOK_") or name in known:
                continue
            from difflib import get_close_matches  # noqa: PLC0415  # needed in this case only

            near = get_close_matches(name.removeprefix("RUNBOOK_").lower(), KEYS, cutoff=0.75)
            if near:
                raise RunbookError.of(
                    "unknown-setting",
                    f"the environment variable {name} is not one of runbook's",
                    hint=f'Did you mean "RUNBOOK_{near[0].upper()}"?',
                )

    def _given(self, key: str) -> tuple[object, Path] | None:
        """Return a value somebody gave and the folder it is relative to; note the source."""
        if self.flags.get(key):
            self.origins[key] = "command line"
            return self.flags[key], self.cwd
        variable = f"RUNBOOK_{key.upper()}"
        text = self.environ.get(variable)
        if text:
            self.origins[key] = f"environment variable {variable}"
            several = [part for part in text.split(os.pathsep) if part]
            return (several if key in _FOLDERS else text), self.cwd
        if self.file is not None and key in self.file.values:
            self.origins[key] = str(self.file.where(key))
            return self.file.values[key], self.file.path.parent
        return None

    def _home(self) -> Path:
        given = self._given("home")
        if given is not None:
            return self._path("home", *given)
        self.origins["home"] = (
            "environment variable XDG_STATE_HOME"
            if self.environ.get("XDG_STATE_HOME", "").startswith("/")
            else _BUILT_IN
        )
        return state_folder(self.environ, self.home)

    def _journal(self, home: Path) -> Path | str:
        given = self._given("journal")
        if given is None:
            self.origins["journal"] = _BUILT_IN
            return home / "journal.sqlite"
        from urllib.parse import parse_qs, urlsplit  # noqa: PLC0415  # for those who have one

        url = given[0]
        if not isinstance(url, str) or not url.startswith(_DATABASES):
            # It is not shown: what was meant as a URL may hold a password.
            raise self._wrong(
                "journal",
                "it is no URL of a database of Postgres",
                hint="Write postgresql://USER@HOST/DATABASE; for a file elsewhere, set home.",
            )
        try:
            parts = urlsplit(url)
            secret = parts.password is not None or "password" in parse_qs(parts.query)
        except ValueError as error:
            raise self._wrong("journal", "it is no URL") from error
        if secret:
            raise self._wrong(
                "journal",
                "it has a password in it, which everybody could read who may see settings",
                hint="Put that into ~/.pgpass, a file that PGPASSFILE names, or PGPASSWORD.",
            )
        return url

    def _library(self) -> tuple[Path, ...]:
        shipped = [path for path in _shipped("runbooks") if path.is_dir()]
        given = self._given("library")
        if given is not None:
            folders = self._paths("library", *given)
            for folder in folders:
                if not folder.is_dir():
                    raise self._wrong("library", f"{folder} is not a folder")
            return _unique([*folders, *shipped])
        here = self._here("runbooks")
        self.origins["library"] = "./runbooks" if here else _BUILT_IN
        return _unique([*here, *shipped])

    def _roles(self, library: tuple[Path, ...]) -> tuple[Path, ...]:
        given = self._given("roles")
        own: list[Path] = []
        if given is None:
            self.origins["roles"] = "beside the runbooks"
        else:
            own = self._paths("roles", *given)
            for folder in own:
                if not folder.is_dir():
                    raise self._wrong("roles", f"{folder} is not a folder")
        beside = [
            path for folder in library for path in (folder / "roles", folder.parent / "roles")
        ]
        return _unique([*own, *(path for path in [*beside, *_shipped("roles")] if path.is_dir())])

    def _ansible_config(self) -> Path | None:
        given = self._given("ansible_config")
        if given is None and self.environ.get("ANSIBLE_CONFIG"):
            self.origins["ansible_config"] = "environment variable ANSIBLE_CONFIG"
            given = self.environ["ANSIBLE_CONFIG"], self.cwd
        if given is not None:
            path = self._path("ansible_config", *given)
            path = path / "ansible.cfg" if path.is_dir() else path
            if not path.is_file():
                raise self._wrong("ansible_config", f"there is no file {path}")
            return path
        for path in (*self._here("ansible.cfg"), self.home / ".ansible.cfg", _SYSTEM_CONFIG):
            if path.is_file() and os.access(path, os.R_OK):
                self.origins["ansible_config"] = "where Ansible looks"
                return path
        self.origins["ansible_config"] = _BUILT_IN
        return None

    def _one_file(self, key: str) -> Path | None:
        given = self._given(key)
        if given is None:
            self.origins[key] = _BUILT_IN
            return None
        path = self._path(key, *given)
        if not path.is_file():
            raise self._wrong(key, f"there is no file {path}")
        return path

    def _inventories(self, config: Path | None) -> tuple[str, ...]:
        given = self._given("inventory")
        if given is None and self.environ.get("ANSIBLE_INVENTORY"):
            self.origins["inventory"] = "environment variable ANSIBLE_INVENTORY"
            given = [self.environ["ANSIBLE_INVENTORY"]], self.cwd
        if given is not None:
            return self._sources(*given)
        here = self._here("inventory")
        if here:
            self.origins["inventory"] = "./inventory"
            return (str(here[0]),)
        if config is not None:
            configured = _configured_inventory(config)
            if configured:
                self.origins["inventory"] = f"{config} [defaults] inventory"
                return self._sources([configured], config.parent)
        if _SYSTEM_INVENTORY.exists():
            self.origins["inventory"] = str(_SYSTEM_INVENTORY)
            return (str(_SYSTEM_INVENTORY),)
        self.origins["inventory"] = _BUILT_IN
        return ()

    def _sources(self, value: object, base: Path) -> tuple[str, ...]:
        """Return inventory sources: as Ansible reads them, with a comma it is a list of hosts."""
        sources: list[str] = []
        for item in self._texts("inventory", value):
            if "," in item:
                parts = [part.strip() for part in item.split(",") if part.strip()]
                paths = [_absolute(part, base, self.home) for part in parts]
                # ANSIBLE_INVENTORY and ansible.cfg hold a list of paths with commas between them.
                if parts and all(path.exists() for path in paths):
                    sources += map(str, paths)
                else:
                    sources.append(item)
                continue
            path = _absolute(item, base, self.home)
            if not path.exists():
                raise self._wrong(
                    "inventory",
                    f"there is no inventory {path}",
                    hint=f'To name a host itself, end it with a comma: "{item},".',
                )
            sources.append(str(path))
        return tuple(dict.fromkeys(sources))

    def _number(self, key: str, otherwise: int, least: int, most: int) -> int:
        given = self._given(key)
        if given is None:
            self.origins[key] = _BUILT_IN
            return otherwise
        value, _ = given
        number = int(value) if isinstance(value, str) and value.isdecimal() else value
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            raise self._wrong(key, f"{value} is not a whole number from {least} to {most}")
        return number

    def _collisions_block(self) -> tuple[str, ...]:
        given = self._given("collisions_block")
        if given is None:
            self.origins["collisions_block"] = _BUILT_IN
            return DEFAULT_COLLISIONS_BLOCK
        value = given[0]
        if value in ([], "none"):
            return ()
        kinds = [
            kind.strip()
            for text in self._texts("collisions_block", value)
            for kind in text.split(",")
        ]
        for kind in kinds:
            if kind not in COLLISIONS:
                raise self._wrong(
                    "collisions_block",
                    f"{kind!r} is no kind of collision",
                    hint=f"There are {', '.join(COLLISIONS)}; or none.",
                )
        return tuple(dict.fromkeys(kinds))

    def _here(self, name: str) -> list[Path]:
        """Return what is called so in the current folder, unless anybody could have put it there."""
        path = self.cwd / name
        if not path.exists():
            return []
        if self.cwd.stat().st_mode & stat.S_IWOTH:
            self.notes.append(
                Problem(
                    reference="unsafe-folder",
                    message=f"{path} is passed over: everybody may write to its folder",
                    hint="Name it by a flag or setting if you trust it.",
                    severity=Severity.WARNING,
                )
            )
            return []
        return [path]

    def _paths(self, key: str, value: object, base: Path) -> list[Path]:
        return [_absolute(text, base, self.home) for text in self._texts(key, value)]

    def _path(self, key: str, value: object, base: Path) -> Path:
        if not isinstance(value, str) or not value:
            raise self._wrong(key, f"{value!r} is not a path")
        return _absolute(value, base, self.home)

    def _texts(self, key: str, value: object) -> list[str]:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not all(
            isinstance(item, str) and item for item in items
        ):
            raise self._wrong(key, f"{value!r} is neither text nor a list of texts")
        return list(items)

    def _wrong(self, key: str, what: str, *, hint: str | None = None) -> RunbookError:
        origin = self.origins[key]
        where: Location | None = None
        if self.file is not None and origin == str(self.file.where(key)):
            where = self.file.where(key)
        else:
            what = f"{what} ({origin})"
        return RunbookError.of("bad-setting", f"{key}: {what}", where=where, hint=hint)


def _shipped(name: str) -> Iterator[Path]:
    """Yield where content that comes with runbook is: in a wheel within it, in a checkout beside."""
    yield _PACKAGE / "library" / name
    if (_PACKAGE.parent / "pyproject.toml").is_file():
        yield _PACKAGE.parent / name


def _configured_inventory(config: Path) -> str | None:
    from configparser import ConfigParser, Error  # noqa: PLC0415  # most starts need no inventory

    # Ansible's own rules for this file: inline comments start with ";", "%" is not special.
    parser = ConfigParser(inline_comment_prefixes=(";",), interpolation=None, strict=False)
    try:
        parser.read(config, encoding="utf-8")
    except (Error, OSError, UnicodeDecodeError):
        return None  # Ansible itself will say so, and better.
    return parser.get("defaults", "inventory", fallback=None) or None


def _absolute(text: str, base: Path, home: Path) -> Path:
    if text == "~" or text.startswith("~/"):
        return home / text[2:]
    # Not resolved: a link keeps its name, which is what people know the place by.
    return Path(os.path.normpath(base / text))


def _unique(paths: list[Path]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(paths))
