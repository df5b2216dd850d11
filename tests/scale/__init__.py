"""Several services on one database, many runs, and what goes wrong meanwhile: `make scale`.

Runs are those of the real driver and the real journal over a script instead of hosts.
"""
