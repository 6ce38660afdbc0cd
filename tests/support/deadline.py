"""How long a test waits for what must come."""

DEADLINE = 60.0
"""Seconds for one wait that fails if its condition never comes; nothing is promised about how long it takes.

A busy machine is slow, not wrong: what takes a second alone takes ten beside other work. A wait ends when its
condition comes, so a generous limit costs nothing but in a test that fails.
Pytest's own limit is ten times as long.
What the worker promises to do in time has a limit of its own, in the test of that promise.
"""
