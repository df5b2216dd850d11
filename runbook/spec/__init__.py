"""The language: from YAML to a linked runbook, with every problem found at once."""
