"""The firewalls that a port can be opened in."""
