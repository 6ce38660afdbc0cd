"""Imported last by a server that forks: what it has imported is left out of its children's collections.

A round over it would have each child copy the memory that they all share.
"""

import gc

gc.collect()
gc.freeze()
