"""The checks of fix-502 as facts of pyinfra: each line of `diagnose.sh` is one of them."""

from pathlib import Path

from pyinfra import host
from pyinfra.facts.server import Command

lines = Path(__file__).with_name("diagnose.sh").read_text().splitlines()
names = "; ".join(line for line in lines if "=" in line.split(" ", 1)[0] and line[0].isalpha())
for line in lines:
    if line and not line.startswith(("#", "exit")) and line not in names:
        host.get_fact(Command, f"{names}; {line}; true", _sudo=True)
