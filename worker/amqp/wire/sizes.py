"""How many bytes a value of a field table takes on the wire."""

import struct
from collections.abc import Mapping
from types import MappingProxyType

# RabbitMQ, "AMQP 0-9-1 errata": the types that the broker reads. Sizes without the type's own byte.
_FIXED: Mapping[int, int] = MappingProxyType(
    {
        ord("t"): 1,
        ord("b"): 1,
        ord("B"): 1,
        ord("s"): 2,
        ord("u"): 2,
        ord("I"): 4,
        ord("i"): 4,
        ord("l"): 8,
        ord("L"): 8,
        ord("f"): 4,
        ord("d"): 8,
        ord("D"): 5,
        ord("T"): 8,
        ord("V"): 0,
    }
)
_COUNTED = frozenset(b"SAFx")


def value_size(raw: memoryview) -> int:
    """Bytes of the typed value that *raw* starts with, the type's byte included.

    Raises:
        KeyError: the type is none of AMQP's.
        struct.error: *raw* ends within the length.
    """
    kind = raw[0]
    if kind in _COUNTED:
        return 5 + int(struct.unpack_from(">I", raw, 1)[0])
    return 1 + _FIXED[kind]
