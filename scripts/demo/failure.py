"""What ends the demo early."""


class DemoError(Exception):
    """The demo cannot go on; the text says why, with the end of a log where that explains it."""
