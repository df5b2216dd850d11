"""Names for completion are those that Ansible itself finds in a static inventory."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runbook.views.inventories import names_in

INI = """\
# all of them
; and a comment of another kind
lonely ansible_host=192.0.2.9
ported:2222
ranged[1:2]:2222

[web]
web[01:03].example ansible_port=22 # a comment
web-[a:c]
2001:db8::1
2001:db8:0:0:1:1:1:22

[web:vars]
not_a_host=1

[prod:children]
web
db

[db] # the last
db[1:5:2]
"""
YAML = """\
all:
  hosts:
    alone:
  vars: {not_a_host: 1}
  children:
    web:
      hosts:
        web[1:2].example: {ansible_port: 22}
    prod:
      children:
        web:
        db:
          hosts: {db1: {}}
"""


def known_to_ansible(source: Path) -> set[str]:
    """Return hosts and groups as ansible-inventory sees them."""
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-inventory"), "-i", source, "--list"],
        cwd=source.parent,
        env={name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        | {"HOME": str(source.parent)},
        capture_output=True,
        check=True,
    )
    data = json.loads(done.stdout)
    groups = {name for name in data if name not in ("_meta", "all", "ungrouped")}
    return groups | {host for group in data.values() for host in group.get("hosts", ())}


@pytest.mark.parametrize(("name", "text"), [("hosts", INI), ("hosts.yml", YAML)])
def test_names_are_those_of_ansible(name: str, text: str, tmp_path: Path) -> None:
    """Hosts, ranges and groups of both forms are found, and no variable is taken for one."""
    source = tmp_path / name
    source.write_text(text)

    assert set(names_in([str(source)])) - {"all"} == known_to_ansible(source)


def test_a_folder_is_read_as_ansible_reads_it(tmp_path: Path) -> None:
    """Its files count; hidden and left-over ones, variables and programs do not."""
    (tmp_path / "one").write_text("web1\n")
    (tmp_path / "two.yml").write_text("db: {hosts: {db1: {}}}\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "three").write_text("web3\n")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all").write_text("not_a_host: 1\n")
    (tmp_path / ".hidden").write_text("hidden1\n")
    (tmp_path / "one~").write_text("old1\n")
    program = tmp_path / "dynamic"
    program.write_text("#!/bin/sh\necho '{}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)

    assert set(names_in([str(tmp_path)])) == {"web1", "db", "db1", "web3"}


def test_a_list_of_hosts_is_its_names(tmp_path: Path) -> None:
    """What has a comma is no file."""
    assert list(names_in(["web1, web2,"])) == ["web1", "web2"]


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"a: [", b"- a\n- b\n", b"a: &x {children: {b: {children: *x}}}", b"!x y", b""],
)
def test_what_cannot_be_read_offers_nothing(content: bytes, tmp_path: Path) -> None:
    """A broken file is passed over: Tab is no place for errors."""
    (tmp_path / "broken.yml").write_bytes(content)
    (tmp_path / "sound").write_text("web1\n")

    names = set(names_in([str(tmp_path), str(tmp_path / "nowhere")]))

    assert "web1" in names
    assert names <= {"web1", "a", "b"}


def test_a_large_inventory_is_not_read(tmp_path: Path) -> None:
    """What would take long to read is left to Ansible; a wide range is cut."""
    (tmp_path / "large").write_text("web1\n" * 100_000)
    (tmp_path / "wide").write_text("web[1:1000000000]\n")

    assert len(list(names_in([str(tmp_path)]))) == 1000
