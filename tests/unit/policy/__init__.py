"""Tests of what may be done without asking."""
