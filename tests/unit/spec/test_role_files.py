"""What of a role is run, as far as its files tell."""

import os
from pathlib import Path

from runbook.model.definition import AnsibleRole, AnsibleTasks
from runbook.spec import role_files
from runbook.spec.library import check
from runbook.spec.role_files import RoleUse, role_content, roles_used

LIBRARY = Path(__file__).parents[3] / "runbooks"


def _role(folder: Path, name: str, **files: str) -> None:
    for place, text in files.items():
        path = folder / name / place.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".yml").write_text(text)


def _names(folder: Path, *uses: RoleUse) -> set[str]:
    content = role_content(uses, [folder])
    return {str(path.relative_to(folder)) for path in content.files}


def test_what_is_brought_in_is_followed_to_its_end(tmp_path: Path) -> None:
    """Files, other roles, dependencies and handlers; circles among them end."""
    _role(
        tmp_path,
        "a",
        tasks__main="- import_tasks: sub/x.yml\n- include_role: {name: b, tasks_from: undo}\n",
        tasks__sub__x="- include_tasks: {file: y.yml}\n- block: [{include_role: {name: a}}]\n",
        tasks__y="- include_tasks: y.yml\n",
        tasks__unused="- debug: {msg: x}\n",
        handlers__main="- {name: h, debug: {msg: x}}\n",
        meta__main="dependencies: [c, {role: d}, {name: a}, 7]\n",
    )
    _role(tmp_path, "b", tasks__main="- debug: {}\n", tasks__undo="- debug: {}\n")
    for name in "cd":
        _role(tmp_path, name, tasks__main="- debug: {}\n")

    assert _names(tmp_path, RoleUse(name="a")) == {
        "a/tasks/main.yml", "a/tasks/sub/x.yml", "a/tasks/y.yml", "a/handlers/main.yml",
        "b/tasks/undo.yml", "c/tasks/main.yml", "d/tasks/main.yml",
    }  # fmt: skip


def test_a_name_that_only_a_run_knows_may_be_any(tmp_path: Path) -> None:
    """Then all task files of the role are meant, and of no other."""
    _role(tmp_path, "a", tasks__main='- include_tasks: "{{ x }}.yml"\n', tasks__y="- debug: {}\n")
    _role(tmp_path, "b", tasks__main="- debug: {}\n", tasks__z="- debug: {}\n")
    templated = [{"include_role": {"name": "b", "tasks_from": "{{ x }}"}}]

    assert _names(tmp_path, RoleUse(name="a")) == {"a/tasks/main.yml", "a/tasks/y.yml"}
    assert _names(tmp_path, *roles_used(AnsibleTasks(bodies=tuple(templated)))) == {
        "b/tasks/main.yml",
        "b/tasks/z.yml",
    }


def test_nothing_outside_is_read_and_nothing_waited_for(tmp_path: Path) -> None:
    """Names that lead out, pipes, rubbish and files without tasks are passed over."""
    _role(
        tmp_path, "a", tasks__main="- include_tasks: ../../../out.yml\n- 7\n- include_tasks: {}\n"
    )
    _role(tmp_path, "b", tasks__main="{no: list}\n", meta__main="- x\n", defaults__main="[")
    (tmp_path / "out.yml").write_text("- debug: {}\n")
    (tmp_path / "p" / "tasks").mkdir(parents=True)
    os.mkfifo(tmp_path / "p" / "tasks" / "main.yml")
    uses = [RoleUse(name=name) for name in ("a", "b", "p", "..", ".", "", "x\0", "none", "a/tasks")]
    out = RoleUse(name="a", tasks_from="../../out")

    assert _names(tmp_path, *uses, out) == {"a/tasks/main.yml", "b/tasks/main.yml"}


def test_each_file_of_the_library_is_parsed_once() -> None:
    """However many runbooks and fixes use a role: linting all of them stays as fast as reading."""
    role_files._parsed.cache_clear()

    assert check([LIBRARY]) == []

    known = role_files._parsed.cache_info()
    used = role_content(
        roles_used(AnsibleRole(name="service")), [LIBRARY.parent / "roles"]
    ).files.keys()
    assert known.hits > known.misses
    assert len(used) < known.misses <= len(list((LIBRARY.parent / "roles").rglob("*.yml")))
