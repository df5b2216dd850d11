"""`python -m runbook`: the same as the command `runbook`."""

from runbook.views.cli import main

if __name__ == "__main__":
    main()
