"""Write the golden playbooks anew: `python -m tests.golden.rewrite_playbooks`, and read the diff."""

from tests.unit.executor.test_compile import GOLDEN, REQUESTS, playbook


def main() -> None:
    """Write every file."""
    GOLDEN.mkdir(exist_ok=True)
    for name, request in REQUESTS.items():
        (GOLDEN / f"{name}.yml").write_text(playbook(request), "utf-8")


if __name__ == "__main__":
    main()
