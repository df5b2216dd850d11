"""What the modules of several roles share."""
