"""Where settings are from, which wins, and what is said of wrong ones."""

import os
import pwd
import stat
from pathlib import Path
from typing import NoReturn

import pytest

from runbook.errors import RunbookError, Severity
from runbook.settings import KEYS, Settings, load_settings, state_folder

PACKAGED = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Give the folder the program is called in: below the home folder, no git work tree."""
    folder = tmp_path / "team" / "site"
    folder.mkdir(parents=True)
    return folder


def loaded(
    here: Path, environ: dict[str, str] | None = None, flags: dict[str, object] | None = None
) -> Settings:
    """Load settings as if called in a folder two below the home folder."""
    return load_settings(flags, environ={"HOME": str(home_of(here)), **(environ or {})}, cwd=here)


def home_of(here: Path) -> Path:
    """Return the home folder of `here`."""
    return here.parent.parent


def failure(here: Path, environ: dict[str, str] | None = None, **flags: object) -> str:
    """Return how the error of loading settings reads."""
    with pytest.raises(RunbookError) as caught:
        loaded(here, environ, flags)
    assert caught.value.exit_code == 2
    return caught.value.render()


def test_defaults_need_no_source_at_all(here: Path) -> None:
    """With nothing configured there are state, the shipped library and roles, no inventory."""
    settings = loaded(here)

    assert settings.home == home_of(here) / ".local/state/runbook"
    assert settings.library == (PACKAGED / "runbooks",)
    assert settings.roles == (PACKAGED / "roles",)
    assert settings.forks == 50
    assert settings.journal == settings.home / "journal.sqlite"
    assert settings.notes == ()
    assert set(settings.origins) == set(KEYS)


def test_state_is_where_the_environment_says(tmp_path: Path) -> None:
    """RUNBOOK_HOME wins over XDG_STATE_HOME, which has to be absolute, over the home folder."""
    both = {"RUNBOOK_HOME": "/own", "XDG_STATE_HOME": "/state"}

    assert state_folder(both) == Path("/own")
    assert state_folder({"XDG_STATE_HOME": "/state"}) == Path("/state/runbook")
    assert state_folder({"XDG_STATE_HOME": "state"}, tmp_path) == tmp_path / ".local/state/runbook"


def test_who_has_no_home_is_told_to_set_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may be started as a user that its machine does not know."""

    def unknown(_user: int) -> NoReturn:
        raise KeyError

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)

    with pytest.raises(RunbookError) as caught:
        load_settings(environ={}, cwd=tmp_path)
    assert [problem.reference for problem in caught.value.problems] == ["no-home"]
    assert f"user {os.getuid()}" in str(caught.value)
    with pytest.raises(RunbookError, match="HOME is not set"):
        state_folder({})


def test_later_sources_win(here: Path) -> None:
    """File, environment, flags: each overrides those before it, and is named as the origin."""
    (here / "runbook.toml").write_text("forks = 5\n")
    assert loaded(here).forks == 5
    assert loaded(here).origins["forks"] == f"{here}/runbook.toml:1:1"

    by_environment = loaded(here, {"RUNBOOK_FORKS": "6"})
    assert by_environment.forks == 6
    assert by_environment.origins["forks"] == "environment variable RUNBOOK_FORKS"

    by_flag = loaded(here, {"RUNBOOK_FORKS": "6"}, {"forks": 7})
    assert (by_flag.forks, by_flag.origins["forks"]) == (7, "command line")
    assert loaded(here, {"RUNBOOK_FORKS": "6"}, {"forks": None, "inventory": ()}).forks == 6


def test_a_journal_in_a_database_is_named_by_its_url(here: Path) -> None:
    """The URL is taken as it is; state other than the journal stays in its folder."""
    (here / "runbook.toml").write_text('journal = "postgresql://runbook@db.example/runbook"\n')
    assert loaded(here).journal == "postgresql://runbook@db.example/runbook"
    assert loaded(here).origins["journal"] == f"{here}/runbook.toml:1:1"
    assert loaded(here).home == home_of(here) / ".local/state/runbook"

    by_environment = loaded(here, {"RUNBOOK_JOURNAL": "postgres:///runbook?service=runbook"})
    assert by_environment.journal == "postgres:///runbook?service=runbook"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://anna:hunter2@db.example/runbook", "has a password in it"),
        ("postgresql:///runbook?host=db.example&password=hunter2", "has a password in it"),
        ("postgresql://[hunter2/runbook", "it is no URL"),
        ("sqlite:///hunter2.db", "no URL of a database of Postgres"),
        ("/srv/hunter2/journal.sqlite", "for a file elsewhere, set home"),
    ],
)
def test_what_is_no_url_without_a_password_is_refused_unseen(
    here: Path, url: str, words: str
) -> None:
    """What is wrong with it is said; what may be a password is not."""
    told = failure(here, {"RUNBOOK_JOURNAL": url})

    assert words in told
    assert "RUNBOOK_JOURNAL" in told
    assert "hunter2" not in told


def test_a_settings_file_is_found_above(here: Path) -> None:
    """It is looked for upwards; its paths are relative to it; the nearest one counts."""
    home = home_of(here)
    (home / "books").mkdir()
    (home / "runbook.toml").write_text('library = "books"\nhome = "state"\nforks = 3\n')
    found = loaded(here)
    assert found.library[0] == home / "books"
    assert found.home == home / "state"

    (here.parent / "pyproject.toml").write_text("[tool.runbook]\nforks = 4\n")
    assert loaded(here).forks == 4
    assert loaded(here).library == (PACKAGED / "runbooks",)


def test_the_search_ends_at_the_work_tree_and_at_home(here: Path) -> None:
    """Files above the root of a git work tree, or above the home folder, do not count."""
    (home_of(here) / "runbook.toml").write_text("forks = 3\n")
    (home_of(here).parent / "runbook.toml").write_text("forks = 2\n")
    assert loaded(here).forks == 3
    (here.parent / ".git").mkdir()
    assert loaded(here).forks == 50


def test_a_project_file_of_others_is_left_alone(here: Path) -> None:
    """A pyproject.toml that does not speak of us, or is broken elsewhere, is passed over."""
    (here / "pyproject.toml").write_text('[project]\nname = "runbook"\n')
    assert loaded(here).forks == 50
    (here / "pyproject.toml").write_text("[tool.runbook\nforks = ")
    assert loaded(here).forks == 50


def test_own_library_comes_before_the_shipped_one(here: Path) -> None:
    """./runbooks is used unasked, ./roles beside it as well; what is shipped stays reachable."""
    (here / "runbooks").mkdir()
    (here / "roles").mkdir()
    settings = loaded(here)

    assert settings.library == (here / "runbooks", PACKAGED / "runbooks")
    assert settings.roles == (here / "roles", PACKAGED / "roles")
    assert settings.origins["library"] == "./runbooks"

    elsewhere = here.parent
    configured = loaded(here, {"RUNBOOK_LIBRARY": f"{elsewhere}:{here}", "RUNBOOK_ROLES": ".."})
    assert configured.library == (elsewhere, here, PACKAGED / "runbooks")
    assert configured.roles[0] == here.parent


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fork = 3\n", ['there is no setting "fork"', 'Did you mean "forks"?', ":1:1"]),
        ("forks = 3\n[inventori]\nx = 1\n", ['"inventori"', 'mean "inventory"', ":2:1"]),
        ('forks = "many"\n', ["many is not a whole number from 1 to 500", ":1:1", "forks"]),
        ("forks = 0\n", ["0 is not a whole number"]),
        ("forks = true\n", ["True is not a whole number"]),
        ("keep_ansible = 61\n", ["61 is not a whole number from 0 to 60", ":1:1"]),
        ("home = 3\n", ["3 is not a path"]),
        ("library = [1]\n", ["[1] is neither text nor a list of texts"]),
        ('library = "nowhere"\n', ["/nowhere is not a folder"]),
        ('roles = "nowhere"\n', ["/nowhere is not a folder"]),
        ('# one\ninventory = ["nowhere"]\n', ["there is no inventory", ":2:1", '"nowhere,"']),
        ('ansible_config = "nowhere.cfg"\n', ["there is no file", "nowhere.cfg"]),
        ('collisions_block = ["rain"]\n', ["'rain' is no kind of collision", ":1:1", "reboot"]),
        ("forks = \n", ["not valid TOML", ":1:9"]),
        ("a = 1\na = 2\n", ["not valid TOML", ":2:6"]),
        ("forks = [", ["not valid TOML"]),
    ],
)
def test_a_wrong_settings_file_is_said_to_be_so(text: str, words: list[str], here: Path) -> None:
    """The message names what is wrong and, as far as TOML can tell, the place."""
    (here / "runbook.toml").write_text(text)

    said = failure(here)

    assert str(here / "runbook.toml") in said
    for word in words:
        assert word in said


def test_a_file_that_is_not_text_is_said_to_be_so(here: Path) -> None:
    """Bytes that are not UTF-8 are an error of the file, not of ours."""
    (here / "runbook.toml").write_bytes(b"\xff")

    assert "cannot read" in failure(here)


@pytest.mark.parametrize(
    ("text", "variable", "kinds"),
    [
        ("", None, ("maintenance",)),
        ("collisions_block = []", None, ()),
        ('collisions_block = ["packages", "deploy"]', None, ("packages", "deploy")),
        ('collisions_block = ["packages"]', "run,reboot", ("run", "reboot")),
        ("", "none", ()),
    ],
)
def test_what_blocks_an_unattended_fix(
    text: str, variable: str | None, kinds: tuple[str, ...], here: Path
) -> None:
    """Maintenance unless something else is said; a variable is a list with commas, or none."""
    (here / "runbook.toml").write_text(text)
    environ = {} if variable is None else {"RUNBOOK_COLLISIONS_BLOCK": variable}

    assert loaded(here, environ).collisions_block == kinds


def test_all_unknown_keys_are_named_at_once(here: Path) -> None:
    """Two misspelt keys are two problems."""
    (here / "pyproject.toml").write_text("[tool.runbook]\nfork = 1\nlibary = 'x'\n")

    said = failure(here)

    assert said.count("error: unknown-setting") == 2
    assert "pyproject.toml:3:1" in said


def test_a_misspelt_variable_is_an_error_and_a_foreign_one_is_not(here: Path) -> None:
    """RUNBOOK_INVENTROY is told; what an orchestrator sets for a service `runbook` is left alone."""
    said = failure(here, {"RUNBOOK_INVENTROY": "x"})
    assert 'Did you mean "RUNBOOK_INVENTORY"?' in said

    services = {"RUNBOOK_SERVICE_HOST": "192.0.2.1", "RUNBOOK_PORT": "tcp://192.0.2.1:80"}
    assert loaded(here, services).forks == 50


def test_a_wrong_variable_or_flag_is_named(here: Path) -> None:
    """The message says which source gave the wrong value."""
    assert "(environment variable RUNBOOK_FORKS)" in failure(here, {"RUNBOOK_FORKS": "x"})
    assert "(command line)" in failure(here, inventory=("nowhere",))
    assert "RUNBOOK_ANSIBLE_CONFIG" in failure(here, {"RUNBOOK_ANSIBLE_CONFIG": "/nowhere"})


def test_inventories_are_looked_for_in_this_order(here: Path) -> None:
    """Flag, settings, ANSIBLE_INVENTORY, ./inventory, ansible.cfg: the first that is there."""
    for name in ("flag", "set", "ansible", "configured"):
        (here / name).write_text("web1\n")
    (here / "ansible.cfg").write_text("[defaults]\ninventory = ./configured ; ours\n")
    assert loaded(here).inventories == (str(here / "configured"),)
    assert loaded(here).ansible_config == here / "ansible.cfg"

    (here / "inventory").mkdir()
    assert loaded(here).inventories == (str(here / "inventory"),)

    environ = {"ANSIBLE_INVENTORY": "ansible"}
    assert loaded(here, environ).inventories == (str(here / "ansible"),)
    environ["RUNBOOK_INVENTORY"] = "set"
    assert loaded(here, environ).inventories == (str(here / "set"),)
    given = loaded(here, environ, {"inventory": ("flag", "web1,web2,", "flag")})
    assert given.inventories == (str(here / "flag"), "web1,web2,")


def test_a_list_of_paths_is_taken_apart(here: Path) -> None:
    """As in Ansible's own variable: paths with commas between, unless they are names of hosts."""
    for name in ("one", "two"):
        (here / name).write_text("web1\n")

    both = loaded(here, {"ANSIBLE_INVENTORY": "one,two"})

    assert both.inventories == (str(here / "one"), str(here / "two"))
    assert loaded(here, {"ANSIBLE_INVENTORY": "web1,web2"}).inventories == ("web1,web2",)


def test_ansible_configuration_is_where_ansible_finds_it(here: Path) -> None:
    """ANSIBLE_CONFIG, a file or folder, then ./ansible.cfg, then the one in the home folder."""
    (home_of(here) / ".ansible.cfg").write_text("")
    assert loaded(here).ansible_config == home_of(here) / ".ansible.cfg"
    (here / "ansible.cfg").write_text("not an ini file")
    assert loaded(here).ansible_config == here / "ansible.cfg"
    (here.parent / "ansible.cfg").write_text("")
    by_folder = loaded(here, {"ANSIBLE_CONFIG": ".."})
    assert by_folder.ansible_config == here.parent / "ansible.cfg"
    assert by_folder.origins["ansible_config"] == "environment variable ANSIBLE_CONFIG"


def test_nothing_is_taken_unasked_from_a_folder_of_everybody(here: Path) -> None:
    """Where anybody may write, others could say what is run: it is passed over, with a warning."""
    (here / "runbooks").mkdir()
    for name in ("runbook.toml", "ansible.cfg", "inventory"):
        (here / name).write_text("")
    here.chmod(here.stat().st_mode | stat.S_IWOTH)

    settings = loaded(here)

    assert settings.library == (PACKAGED / "runbooks",)
    assert settings.ansible_config != here / "ansible.cfg"
    assert str(here / "inventory") not in settings.inventories
    assert {note.severity for note in settings.notes} == {Severity.WARNING}
    passed = [note.message.split()[0] for note in settings.notes]
    assert passed == [
        str(here / name) for name in ("runbook.toml", "runbooks", "ansible.cfg", "inventory")
    ]
    asked = loaded(here, {"RUNBOOK_LIBRARY": "runbooks", "RUNBOOK_INVENTORY": "inventory"})
    assert asked.library[0] == here / "runbooks"


def test_a_tilde_is_the_home_folder(here: Path) -> None:
    """`~` in a settings file or variable is expanded, for whoever it is."""
    assert loaded(here, {"RUNBOOK_HOME": "~/state"}).home == home_of(here) / "state"
    (home_of(here) / "books").mkdir()
    (here / "runbook.toml").write_text('library = ["~/books"]\n')
    assert loaded(here).library[0] == home_of(here) / "books"
