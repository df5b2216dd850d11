"""Common options arrive in one record, whichever command they are given to."""

import click
from click.testing import CliRunner

from runbook.settings import load_settings
from runbook.views import options

seen: list[tuple[options.Aim, str | None, bool]] = []


@click.command()
@options.host
@options.yes
@options.target
@options.output
def aim(host: str | None, yes: bool, target: options.Aim, output: options.Output) -> None:
    """Keep what was given."""
    seen.append((target, host, yes))


def given(*arguments: str) -> tuple[options.Aim, str | None, bool]:
    """Return what a call hands over."""
    done = CliRunner().invoke(aim, arguments)
    assert done.exit_code == 0, done.output
    return seen.pop()


def test_nothing_given_is_nothing_handed_over() -> None:
    """Without options there is no value that could override a setting."""
    target, host, yes = given()

    assert (host, yes) == (None, False)
    assert target.inventories == target.given == target.extra_vars == ()
    assert not any(target.flags.values())


def test_every_option_arrives() -> None:
    """Each option under its name, repeated ones in order."""
    target, host, yes = given(
        *("-i", "one", "--inventory", "two", "--host", "prod:!web3", "--yes", "--forks", "5"),
        *("--set", "a=1", "--set", "b=2", "-e", "@vars.yml", "--extra-vars", "c=3"),
        *("--vault-id", "prod@file", "--vault-password-file", "secret"),
    )

    assert (host, yes) == ("prod:!web3", True)
    assert target.inventories == ("one", "two")
    assert target.given == ("a=1", "b=2")
    assert target.extra_vars == ("@vars.yml", "c=3")
    assert target.vault_ids == ("prod@file",)
    assert target.vault_password_files == ("secret",)
    assert target.flags == {"inventory": ("one", "two"), "forks": 5}


def test_flags_are_what_settings_take() -> None:
    """What a command line says overrides settings, and is named as their origin."""
    target, _, _ = given("-i", "web1,", "--forks", "5")

    settings = load_settings(target.flags)

    assert (settings.inventories, settings.forks) == (("web1,",), 5)
    assert settings.origins["forks"] == settings.origins["inventory"] == "command line"


def test_too_many_forks_are_refused() -> None:
    """The bound is the same as for the setting."""
    done = CliRunner().invoke(aim, ["--forks", "501"])

    assert done.exit_code == 2
    assert "501" in done.output
