"""Whatever a file contains, the language answers with problems, never with a traceback."""

import copy
import random
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook.errors import RunbookError, Severity
from runbook.model.definition import Goto, Json, Runbook
from runbook.model.targets import targets
from runbook.spec.library import check, load

TESTS = Path(__file__).parents[2]
SEEDS = [
    path.read_bytes()
    for folder in ("runbooks", "golden/lint")
    for path in sorted((TESTS / folder).glob("*.yml"))
]
_UNITS = [line for seed in SEEDS for line in seed.splitlines()]
_VALID: Json = yaml.safe_load((TESTS / "runbooks" / "all-kinds.yml").read_text())
_WORDS = sorted({word for seed in SEEDS for word in seed.decode().split() if len(word) < 20})

_settings = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _examine(folder: Path, content: bytes) -> Runbook | None:
    """Check and load a file of this content; whatever loads has to be whole."""
    path = folder / "all-kinds.yml"
    path.write_bytes(content)
    problems = check([path], [TESTS / "runbooks"])
    for problem in problems:
        assert problem.render()
        assert problem.where is None or problem.where.line >= 1
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        with pytest.raises(RunbookError) as caught:
            load(str(path), [TESTS / "runbooks"])
        assert caught.value.render()
        return None
    runbook = load(str(path), [TESTS / "runbooks"])
    for step in runbook.steps.values():
        for target in targets(step):
            assert not isinstance(target, Goto) or target.step in runbook.steps
    return runbook


@_settings
@given(st.binary(max_size=300))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    """Bytes of any kind are read or refused."""
    _examine(tmp_path, content)


@_settings
@given(st.lists(st.sampled_from(["a", ": ", "- ", "\n", "  ", "{", "}", "[", "]", "*a", "&a ", "!x ",
    "!!int ", "<<", "'", '"', "|", ">", "#", "? ", "---", "...", "%", "\t", "steps", "runbook",
    "é", "\u2028", "0x", "1e", "~"]), max_size=60))  # fmt: skip
def test_anything_like_yaml(tmp_path: Path, parts: list[str]) -> None:
    """So is text made of YAML's own signs."""
    _examine(tmp_path, "".join(parts).encode())


@_settings
@given(st.lists(st.sampled_from(_UNITS), max_size=60))
def test_lines_of_runbooks_in_any_order(tmp_path: Path, lines: list[bytes]) -> None:
    """So are lines of real runbooks, shuffled."""
    _examine(tmp_path, b"\n".join(lines))


@_settings
@given(st.sampled_from(SEEDS), st.integers(0, 2**32))
def test_runbooks_with_bytes_changed(tmp_path: Path, seed: bytes, chance: int) -> None:
    """So are runbooks in which some bytes were lost, doubled or replaced."""
    rng = random.Random(chance)
    content = bytearray(seed)
    for _ in range(rng.randint(1, 5)):
        if content:
            start = rng.randrange(len(content))
            end = min(len(content), start + rng.randint(1, 12))
            content[start:end] = rng.choice(
                [b"", content[start:end] * 2, b"{{", b"\n", b": ", b"0"]
            )
    _examine(tmp_path, bytes(content))


_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=12),
    st.sampled_from(_WORDS),
    st.sampled_from(
        ["{{ site.x }}", "{{ nobody }}", "{{", "{% if", "end(resolved)", "end(", "10s"]
    ),
    st.lists(st.sampled_from(_WORDS), max_size=3),
    st.dictionaries(st.sampled_from(_WORDS), st.text(max_size=5), max_size=3),
)


@_settings
@given(st.data())
def test_runbooks_with_values_changed(tmp_path: Path, data: st.DataObject) -> None:
    """So are runbooks of the right syntax in which some values, keys or steps are others."""
    document = yaml.safe_load(yaml.safe_dump(_VALID))
    for _ in range(data.draw(st.integers(1, 4))):
        places = list(_places(document))
        container, key = data.draw(st.sampled_from(places))
        match data.draw(st.sampled_from(["replace", "remove", "rename", "copy"])):
            case "remove":
                del container[key]
            case "rename" if isinstance(container, dict):
                container[data.draw(st.sampled_from(_WORDS))] = container.pop(key)
            case "copy":
                container[key] = copy.deepcopy(
                    data.draw(st.sampled_from([c[k] for c, k in places]))
                )
            case _:
                container[key] = data.draw(_values)
    content = yaml.safe_dump(document).encode()
    _examine(tmp_path, content)


def test_the_seed_itself_loads(tmp_path: Path) -> None:
    """The runbook that is mutated is sound, so that the mutations start from one that loads."""
    runbook = _examine(tmp_path, yaml.safe_dump(_VALID).encode())

    assert runbook is not None
    assert len(runbook.steps) == 13


def _places(value: Json) -> list[tuple[Json, Json]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found: list[tuple[Json, Json]] = []
    for key, item in list(items):
        found.append((value, key))
        if isinstance(item, dict | list):
            found += _places(item)
    return found
