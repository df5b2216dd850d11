"""Endpoints of version 1."""
