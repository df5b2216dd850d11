"""The lab: hosts as real as they can be on one Linux machine, for tests and for hands-on use.

Each host is a Debian system on a small disk of its own, with systemd as process 1, an address, sshd,
a user with sudo, nginx and a backend. Needs root on Linux; no container software.

- `image`: the file system of a host, built once and cached; what stands in it is in `layers/`
- `namespaces`: one process that holds everything a lab consists of
- `network`, `cgroups`: the network of a lab, the limits of a host
- `site`: the web site on a host, in its variants
- `host`: bring one host up and down, and run programs on it
- `lab`: several hosts with their keys and their inventory
- `records`: the labs of this machine, also those of runs that crashed
"""
