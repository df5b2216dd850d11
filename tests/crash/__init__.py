"""Pulling the plug: the program, what it starts and what it writes to are ended at any moment.

`python -m tests.crash`, behind `make crash`, plays it all and prints figures; the tests play a share.
"""
