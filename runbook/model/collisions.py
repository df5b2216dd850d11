"""The kinds of what may go on on a host beside a run: of its own, as the settings name them."""

COLLISIONS = ("maintenance", "run", "packages", "deploy", "reboot", "operator")
"""What weighs most comes first."""
