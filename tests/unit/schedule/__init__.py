"""Tests of when runs start by themselves."""
