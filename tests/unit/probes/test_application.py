"""Commands, work trees and the imports of an application."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.executor.content.module_utils.runbook_probes.work_trees import parse_status
from runbook.model.probes import PROBE_TYPES
from tests.unit.probes.prober import IS_ROOT, facts, reason


def test_commands(tmp_path: Path) -> None:
    """A command's status and output are told, in its folder, with its variables and input."""
    seen = facts(
        "command",
        shell='pwd; echo "$GREETING"; cat; echo oops >&2; exit 3',
        chdir=str(tmp_path),
        env={"GREETING": "hello"},
        stdin="from outside\n\n",
    )

    assert (seen["rc"], seen["stderr"]) == (3, "oops")
    assert seen["stdout"] == f"{tmp_path.resolve()}\nhello\nfrom outside"
    assert facts("command", argv=["echo", "a  b", "$HOME"])["stdout"] == "a  b $HOME"
    assert facts("command", shell="kill -TERM $$")["rc"] == -15
    assert set(seen) == set(PROBE_TYPES["command"].facts)


def test_input_that_nobody_reads() -> None:
    """A command need not read its input, however long; without any it sees the end of it."""
    assert facts("command", argv=["true"], stdin="x" * 500_000)["rc"] == 0
    assert facts("command", argv=["cat"])["stdout"] == ""


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({"argv": ["no-such-program"]}, "no such program: no-such-program"),
        ({"argv": ["/etc/passwd"]}, "cannot start /etc/passwd: Permission denied"),
        ({"argv": ["true"], "chdir": "/no/such"}, "no such directory: /no/such"),
        ({"argv": ["a\0b"]}, "cannot start a\0b: embedded null byte"),
        ({}, "a command takes either argv or shell"),
        ({"argv": []}, "argv is empty"),
        ({"shell": "sleep 9", "timeout": 0.3}, "not finished within 0.3 s"),
    ],
)
def test_commands_that_cannot_be_run(args: dict[str, Any], told: str) -> None:
    """A command that does not start, or does not end, is no finding."""
    assert reason("command", **args) == told


Git = Callable[..., str]


@pytest.fixture
def work_tree(tmp_path: Path) -> tuple[Path, Git]:
    """Return a work tree with one commit, and git in it."""
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        **{f"GIT_{who}_{what}": "a@b.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }  # fmt: skip
    tree = tmp_path / "tree"
    tree.mkdir()

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=tree, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    git("init", "-q", "-b", "main")
    (tree / "a file").write_text("1", encoding="utf-8")
    git("add", ".")
    git("commit", "-q", "-m", "First\n\nAnd more.")
    return tree, git


def test_a_clean_work_tree(work_tree: tuple[Path, Git]) -> None:
    """A tree as it was committed is clean; it is not written to by looking."""
    tree, git = work_tree
    before = (tree / ".git" / "index").stat()
    (tree / "a file").touch()
    seen = facts("git", path=str(tree))

    assert (seen["branch"], seen["dirty"], seen["changed_files"]) == ("main", False, [])
    assert (seen["commit"], seen["subject"]) == (git("rev-parse", "HEAD"), "First")
    assert (seen["upstream"], seen["ahead"], seen["behind"]) == (None, None, None)
    assert (tree / ".git" / "index").stat().st_mtime_ns == before.st_mtime_ns
    assert set(seen) == set(PROBE_TYPES["git"].facts)


def test_a_changed_work_tree(work_tree: tuple[Path, Git]) -> None:
    """Changed, new and renamed files are told; so is what another copy has that this one lacks."""
    tree, git = work_tree
    other = tree.parent / "other"
    git("clone", "-q", ".", str(other))
    git("remote", "add", "copy", str(other))
    git("-C", str(other), "commit", "-q", "--allow-empty", "-m", "Second")
    git("fetch", "-q", "copy")
    git("mv", "a file", "b file")
    (tree / "new").touch()
    seen = facts("git", path=str(tree), remote="copy")

    assert seen["dirty"]
    assert sorted(seen["changed_files"]) == ["b file", "new"]
    assert (seen["upstream"], seen["ahead"], seen["behind"]) == ("copy/main", 0, 1)
    git("commit", "-q", "-m", "Third")
    git("branch", "-q", "--set-upstream-to", "copy/main")
    tracked = facts("git", path=str(tree))
    assert (tracked["upstream"], tracked["ahead"], tracked["behind"]) == ("copy/main", 1, 1)
    git("checkout", "-q", "--detach")
    assert facts("git", path=str(tree))["branch"] is None


def test_a_work_tree_of_somebody_else(work_tree: tuple[Path, Git], shared_folder: Path) -> None:
    """Root reads another user's tree as that user: what its configuration runs, runs as he."""
    tree, git = work_tree
    mark = shared_folder / "mark"
    mark.mkdir()
    mark.chmod(0o777)
    git("config", "filter.mark.clean", f"id -un > {mark}/user; cat")
    git("config", "core.fsmonitor", f"touch {mark}/monitor")
    (tree / ".gitattributes").write_text("* filter=mark\n", encoding="utf-8")
    (tree / "a file").write_text("2", encoding="utf-8")
    if IS_ROOT:
        moved = shared_folder / "tree"
        tree.rename(moved)
        tree = moved
        for path in (tree, *tree.rglob("*")):
            os.chown(path, 65534, 65534)
    seen = facts("git", path=str(tree))

    assert seen["dirty"]
    assert not (mark / "monitor").exists()
    if IS_ROOT:
        assert (mark / "user").read_text(encoding="utf-8").strip() == "nobody"


def test_what_is_no_work_tree(tmp_path: Path) -> None:
    """A folder without a repository, and no folder at all, cannot be looked at as one."""
    assert "not a git repository" in reason("git", path=str(tmp_path))
    assert reason("git", path="/no/such") == "no such folder: /no/such"


def test_a_work_tree_without_commits(tmp_path: Path) -> None:
    """A new repository has neither a commit nor anything said about one."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    seen = facts("git", path=str(tmp_path))

    assert (seen["commit"], seen["subject"], seen["committed_s"]) == (None, None, None)


@given(st.lists(st.sampled_from("12u?#! \n+-x").map(str) | st.text(max_size=5)).map("".join))
def test_no_status_breaks_its_reader(text: str) -> None:
    """Whatever git prints, reading it ends without an error."""
    for wrapped in (text, f"# branch.ab {text}", f"1 {text}", f"2 {text}", f"u {text}"):
        assert isinstance(parse_status(wrapped)["dirty"], bool)


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """Return the folder of an application whose parts import, or do not."""
    files = {
        "good.py": "print('noise'); VALUE = 1\n",
        "models/__init__.py": "VERSION = 1\n",
        "models/user.py": "class AdminUser: ...\n",
        "api/__init__.py": "",
        "api/scrapes.py": "\nfrom models.user import User\n",
        "api/auth.py": "import os\nfrom core.auth import get_current_user\n",
        "api/typo.py": "x = 1\ny = = 2\n",
        "api/setup.py": "import os\nPORT = int(os.environ['PORT'])\n",
        "leaving.py": "import sys\nprint('bye', file=sys.stderr)\nimport os\nos._exit(3)\n",
        "exiting.py": "raise SystemExit('no')\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def _imports(application: Path, *modules: str, **more: Any) -> dict[str, Any]:
    return facts(
        "python_imports", python=sys.executable, modules=modules, chdir=str(application), **more
    )


def test_imports_that_succeed(application: Path) -> None:
    """Modules that import are fine, whatever they print; nothing is left in their folder."""
    before = sorted(application.rglob("*"))
    seen = _imports(application, "good", "models.user")

    assert (seen["imported"], seen["failures"]) == (True, [])
    assert sorted(application.rglob("*")) == before
    assert set(seen) == set(PROBE_TYPES["python_imports"].facts)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (
            "api.scrapes",
            {"type": "ImportError", "missing": "models.user", "name": "User", "line": 2},
        ),
        ("api.auth", {"type": "ModuleNotFoundError", "missing": "core", "name": None, "line": 2}),
        ("api.typo", {"type": "SyntaxError", "line": 2}),
        ("api.setup", {"type": "KeyError", "line": 2}),
        ("exiting", {"type": "SystemExit", "line": 1}),
        ("nothing.here", {"type": "ModuleNotFoundError", "missing": "nothing", "file": None}),
    ],
)
def test_imports_that_fail(application: Path, module: str, expected: dict[str, object]) -> None:
    """The module that does not import is told with the file and line, and what it lacks."""
    seen = _imports(application, "good", module, "models")
    (failure,) = seen["failures"]

    assert not seen["imported"]
    assert failure["module"] == module
    assert expected.items() <= failure.items()
    if "file" not in expected:
        assert failure["file"] == str(application / (module.replace(".", "/") + ".py"))


def test_an_import_that_ends_the_process(application: Path) -> None:
    """A module that ends the process while it is imported has failed."""
    seen = _imports(application, "leaving")

    assert (seen["imported"], seen["failures"][0]["message"]) == (False, "bye")


def test_imports_with_variables(application: Path) -> None:
    """A module that needs a variable imports if it is given."""
    assert _imports(application, "api.setup")["imported"] is False
    assert facts(
        "python_imports",
        python=sys.executable,
        modules="api.setup",
        chdir=str(application),
        env={"PORT": "1"},
    )["imported"]


def test_a_script_that_imports(application: Path) -> None:
    """A script may do the imports; its traceback tells what failed."""
    (application / "test_imports.py").write_text("import good\nimport api.auth\n", encoding="utf-8")
    (application / "fine.py").write_text("import good\n", encoding="utf-8")
    args = {"python": sys.executable, "chdir": str(application)}
    failed = facts("python_imports", script="test_imports.py", **args)
    (failure,) = failed["failures"]

    assert not failed["imported"]
    assert (failure["missing"], failure["line"]) == ("core", 2)
    assert failure["file"] == str(application / "api" / "auth.py")
    assert facts("python_imports", script="fine.py", **args)["imported"]
    assert reason("python_imports", **args) == "give either modules or a script"


def test_a_python_that_is_not_there() -> None:
    """Without the application's Python nothing can be imported, which is no finding."""
    told = reason("python_imports", python="/no/such/python", modules=["a"])

    assert told == "no such program: /no/such/python"
