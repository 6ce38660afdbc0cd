"""``make bench``: the worker against what people would write instead, on one broker and one gateway."""
