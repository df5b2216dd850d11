"""A remediation runbook engine: checks, branches and fixes as a decision tree, run by Ansible."""

__version__ = "0.1.0"
