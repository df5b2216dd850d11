"""The driver: the only loop. It asks the engine, does what it says, and writes down what happens.

`engine` decides, `executor` acts, `journal` remembers; they do not know of each other.
"""
