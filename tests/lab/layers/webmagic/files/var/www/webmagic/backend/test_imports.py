"""Import what the application needs: run it before a deployment."""

import importlib
import sys

MODULES = ["models", "api.deps", "api.v1.endpoints.auth", "api.v1.endpoints.scrapes", "main"]


def main() -> int:
    """Import every module; say which cannot be."""
    failures = 0
    for name in MODULES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"FAILED {name}: {error}")
            failures += 1
        else:
            print(f"ok     {name}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
