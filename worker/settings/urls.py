"""Parts of a URL that is not known to be sound.

The standard library's parser raises errors over passwords that it takes for a part of an address, with the
password in their words, and refuses what others read: brackets in a password of PostgreSQL's, say.
"""

import re

_BEHIND_THE_HOST = re.compile(r"[/?#]")


def scheme_of(url: str) -> str:
    """Return what stands before ``://``, in small letters."""
    return url.partition("://")[0].lower()


def password_in(url: str) -> str:
    """Return the password in *url* as it is written there, or nothing."""
    place = _BEHIND_THE_HOST.split(url.partition("://")[2], maxsplit=1)[0]
    return place.rpartition("@")[0].partition(":")[2]
