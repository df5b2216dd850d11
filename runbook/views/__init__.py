"""What people and other programs see: the command line, terminal, reports."""
