"""The sandbox site: a small web server host in a folder, to break and to fix."""
