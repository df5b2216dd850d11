"""Frozen records: what a runbook is, what was seen, what happened, what to do next."""
