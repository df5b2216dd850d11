"""Telling people what happens in runs: from the journal, to tiers of targets, without storms.

Nothing here is part of a run: whoever tells reads the journal, so a receiver that is slow or gone
neither stops nor slows anything.
"""
