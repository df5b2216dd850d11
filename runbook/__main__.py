"""`python -m runbook`: the same as the command `runbook`."""

from runbook.views.entry import main

if __name__ == "__main__":
    main()
