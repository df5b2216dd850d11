"""The probes: small readers of a host's state, run side by side in processes of their own.

The package travels to hosts inside an Ansible module and also runs on the controller by itself, so
it needs nothing but the standard library of Python 3.8 and imports itself only relatively.
`batch.answer` is the way in; every other module holds one area of probes or the parsers it uses.
"""
