"""Hiding secrets by their shape and by their value."""

import base64
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbook.model.masking import MASK, Masker, mask_text, mask_value
from tests.event_strategies import json_values, unhurried

TOKEN = "a1" * 20
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgres://app:p@ss@db.example/x", f"postgres://app:{MASK}@db.example/x"),
        ("redis://:hunter2@192.0.2.1:6379/0", f"redis://:{MASK}@192.0.2.1:6379/0"),
        ("Authorization: Bearer abc.def", f"Authorization: Bearer {MASK}"),
        ("curl -H 'Authorization: Basic Zm9v' x", f"curl -H 'Authorization: Basic {MASK}' x"),
        (
            "proxy-authorization: Digest username=a, response=b",
            f"proxy-authorization: Digest {MASK}",
        ),
        ("got bearer abcdefghijklmnop1 from", f"got bearer {MASK} from"),
        ("Set-Cookie: sid=abc; Path=/", f"Set-Cookie: {MASK}"),
        ("password=hunter2&user=x", f"password={MASK}&user=x"),
        ("DB_PASSWORD=hun,ter2;Server=db", f"DB_PASSWORD={MASK};Server=db"),
        ("MYSQL_PWD='hunter 2' mysql", f"MYSQL_PWD='{MASK}' mysql"),
        ('{"password": "hun\\"ter2", "x": 1}', f'{{"password": "{MASK}", "x": 1}}'),
        ('"{\\"token\\": \\"abc\\", \\"b\\": 1}"', f'"{{\\"token\\": \\"{MASK}\\", \\"b\\": 1}}"'),
        ("--db-password hunter2 --verbose", f"--db-password {MASK} --verbose"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7", f"aws_secret_access_key = {MASK}"),
        ("x-api-key: 12345", f"x-api-key: {MASK}"),
        ("id AKIAIOSFODNN7EXAMPLE here", f"id {MASK} here"),
        (f"remote ghp_{TOKEN} x", f"remote {MASK} x"),
        (f"github_pat_{TOKEN}", MASK),
        (f"glpat-{TOKEN}", MASK),
        ("xoxb-123456789012-abcdef", MASK),
        ("https://hooks.slack.com/services/T0/B0/xyz", f"https://hooks.slack.com/services/{MASK}"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_-1 end", f"jwt {MASK} end"),
        (f"root:$6$salt$H{'a' * 80}:19000", f"root:{MASK}:19000"),
        (f"before\n{PEM}\nafter", f"before\n{MASK}\nafter"),
        (f"cut off: {PEM[:45]}", f"cut off: {MASK}"),
    ],
)
def test_known_shapes_are_hidden(text: str, masked: str) -> None:
    """Each known form of secret is replaced, and only the secret in it."""
    assert mask_text(text) == masked


def test_a_private_key_is_hidden_line_by_line() -> None:
    """A key whose lines are the items of a list is hidden to its end, and nothing behind it is."""
    lines = ["before", *PEM.splitlines(), "between", 7, "cut off " + PEM.splitlines()[0], "MIIEow"]

    assert mask_value(lines) == [
        *("before", MASK, MASK, MASK, MASK, "between", 7),
        *(f"cut off {MASK}", MASK),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Access denied for user 'app'@'localhost' (using password: YES)",
        "Failed password for root from 192.0.2.3 port 22 ssh2",
        "password_file=/etc/app/pw",
        "PWD=/srv/app",
        "proxy_pass http://127.0.0.1:8000;",
        "https://192.0.2.1:8000/a@b",
        "the token is bad",
        "key: value",
        "Bearer authentication required",
        "connect() failed (111: Connection refused) while connecting to upstream",
        "pass: 3 fail: 2",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_evidence_is_left_alone(text: str) -> None:
    """What an engineer needs to read, and is no secret, stays as it is."""
    assert mask_text(text) == text


def test_a_value_under_a_telling_key_is_hidden_whole() -> None:
    """Under a key such as `db_password`, whatever stands there goes, but for null and booleans."""
    assert mask_value({
        "db_password": "x",
        "api-key": {"id": 1},
        "token": None,
        "secret": False,
        "tokens": [1],
        "password_file": "/etc/pw",
        "port": 8000,
    }) == {
        "db_password": MASK,
        "api-key": MASK,
        "token": None,
        "secret": False,
        "tokens": MASK,
        "password_file": "/etc/pw",
        "port": 8000,
    }  # fmt: skip


def test_masking_reaches_lists_and_keys() -> None:
    """Strings are masked in lists, in mappings at any depth, and as keys."""
    assert mask_value([{"a": ["password=x"]}, {"password=y": 1}]) == [
        {"a": [f"password={MASK}"]},
        {f"password={MASK}": 1},
    ]


def test_what_is_nested_too_deep_to_look_through_is_hidden() -> None:
    """A host that nests its data a thousand deep gets neither a traceback nor a hiding place."""
    value: object = "password=x"
    for _ in range(900):
        value = [value]

    masked = mask_value(value)

    depth = 0
    while isinstance(masked, list):
        (masked,) = masked
        depth += 1
    assert masked == MASK
    assert depth < 900


def test_literal_secrets_are_hidden_wherever_they_occur() -> None:
    """A known secret is hidden inside words, as a whole value, as a key, and as a number."""
    masker = Masker(["s3cr3t!", "90210"])

    assert masker.value({"a": "xs3cr3t!x", "s3cr3t!": 90210, "b": 90211}) == {
        "a": f"x{MASK}x",
        MASK: MASK,
        "b": 90211,
    }


def test_longer_secrets_win_and_overlaps_leave_nothing() -> None:
    """Where secrets contain or overlap one another no part of either is left."""
    masker = Masker(["abcd", "abcdef", "defghi"])

    assert masker.text("-abcdef- abcdefghi! abcd.") == f"-{MASK}- {MASK}! {MASK}."


@pytest.mark.parametrize(
    "form",
    [
        'p"w\\d%é',
        'p\\"w\\\\d%\\u00e9',
        "p%22w%5Cd%25%C3%A9",
        base64.b64encode('p"w\\d%é'.encode()).decode(),
    ],
)
def test_escaped_and_encoded_secrets_are_hidden(form: str) -> None:
    """A secret is found as JSON, URLs and base64 show it, too."""
    assert Masker(['p"w\\d%é']).text(f"<{form}>") == f"<{MASK}>"


def test_each_line_of_a_long_secret_is_hidden() -> None:
    """Ansible splits output into lines; a line of a key is as secret as the key."""
    masker = Masker(["first line of it\nsecond line of it\nx"])

    assert masker.value(["second line of it", "x"]) == [MASK, "x"]


def test_a_very_short_secret_is_hidden_only_as_a_whole_value() -> None:
    """A secret of one character must not blank out every text that has that character."""
    assert Masker(["7", ""]).value(["7", "17:07", 7]) == [MASK, "17:07", MASK]


@unhurried
@given(json_values, st.lists(st.text(max_size=8), max_size=3))
@example(["abcpassword=x"], ["abc*", "****"])
def test_masking_twice_changes_nothing(value: object, secrets: list[str]) -> None:
    """What has been masked is stable: a second pass by another layer does no harm."""
    masker = Masker(secrets)

    assert masker.value(masker.value(value)) == masker.value(value)


@unhurried
@given(st.text(max_size=40), st.text(min_size=4, max_size=8), st.text(max_size=40))
def test_no_literal_secret_is_left(before: str, secret: str, after: str) -> None:
    """However a secret is embedded, it is not in the masked text (unless it is the mask)."""
    masked = Masker([secret]).text(before + secret + after)

    assert secret not in masked.replace(MASK, "\0")


HARD_TEXTS = {
    "letters": "a",
    "URLs": "://a:",
    "URLs with @": "://a@",
    "JWT starts": "eyJ-",
    "JWT halves": "eyJaaaaaaaa.",
    "key blocks without end": "-----BEGIN PRIVATE KEY-----",
    "half key blocks": "-----BEGIN A",
    "keywords": "password",
    "assignments": "password=",
    "open quotes": "password:'",
    "escaped quotes": 'token="\\',
    "backslashes": "password\\\\",
    "dashes": "--",
    "options": "--a-password ",
    "bearers": "bearer ",
    "headers": "authorization:",
    "hashes": "$6$a$",
    "hash starts": "$6$a",
    "tokens": "ghp_",
    "hooks": "hooks.slack.com/services/",
}


@pytest.mark.parametrize("unit", HARD_TEXTS.values(), ids=HARD_TEXTS.keys())
def test_masking_a_megabyte_takes_linear_time(unit: str) -> None:
    """No text makes an expression scan its rest again and again.

    A quadratic expression needs hundreds of seconds for a megabyte; 4 s of CPU leaves room for the
    slowest machine.
    """
    text = unit * (2**20 // len(unit))

    began = time.process_time()
    mask_text(text)

    assert time.process_time() - began < 4
