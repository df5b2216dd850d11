"""The probes: for each a table of situations and answers, made with the real thing."""
