"""Rehearsals: a runbook walked by the real engine and driver, over canned outcomes, on no host.

`NAME.rehearsal.yml` beside a runbook holds cases: what each step comes to, who answers what, and
what the run has to come to. `reading` reads them, `playing` plays them.
"""
