"""Where the JSON of a sendSMS reply has message ids, and whose they are (ITON API, SEND SMS)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.iton.bodies import held, members, pairs_of, plain_key
from worker.iton.failing import complains, says_it_failed
from worker.iton.ids import LONGEST_CODE, is_long, message_id, names_something, whole
from worker.iton.numbers import AskedNumbers, plain_digits

_MESSAGE_ID = "messageid"
_SEPARATOR = re.compile(r"[,;|]")
_BETWEEN = re.compile(r"[\s/]+")  # of numbers, in which both may stand as well
_DEEPEST = 5
_WIDEST = 2_000  # objects


@dataclass(slots=True)
class IdsInReply:
    """What the objects of a reply say of ids.

    Attributes:
        asked: numbers of the call.
        found: by recipient.
        groups: ids that are given to no number, of each object that has some.
        loose: ids in a map beside which no number stands, in no spelling.
        unasked: how many numbers nobody had asked about.
        failed: it says that the call failed.
        is_list: a group is a list of ids.
        is_map: there is a map of ids, whoever is in it.
    """

    asked: AskedNumbers
    found: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: list[tuple[str, ...]] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    unasked: int = 0
    failed: bool = False
    is_list: bool = False
    is_map: bool = False

    def read(self, value: object, depth: int = 0) -> None:
        """Take in *value*, which may be an object, and what is in it."""
        if isinstance(value, list):
            for item in value[:_WIDEST]:
                self.read(item, depth + 1)
        elif isinstance(value, dict) and depth <= _DEEPEST:
            self._object(value, depth)

    def add(self, pairs: Iterable[tuple[str, Any]], *, keyed: bool) -> None:
        """Take in a map: an id, and its number or numbers.

        Args:
            pairs: of the map.
            keyed: they stand where a reply has its map of ids, not among its other members.
        """
        for key, phones in pairs:
            name = message_id(key, keyed=keyed)
            if name is None or not (keyed or self._may_be_an_id(name)):
                self.loose += _several(key) if keyed else ()
                continue
            numbers = tuple(self._numbers(phones, within=keyed))
            for number in numbers:
                if number is None:
                    self.unasked += 1
                else:
                    self._give(number, (name,))
            if keyed and self._is_loose(name, numbers, phones):
                self.loose.append(name)

    def _object(self, value: Mapping[str, Any], depth: int) -> None:
        self.failed |= not depth and says_it_failed(value)
        said = [held(one) for one in members(value, _MESSAGE_ID)]
        named = [one for inner in said for one in (inner if isinstance(inner, list) else [inner])]
        if maps := [one for one in named if isinstance(one, dict)]:
            self.is_map = True
            for one in maps:
                self.add(pairs_of(one), keyed=True)
                self._by_number(one)
        elif ids := ids_of(named):
            self.is_list |= len(ids) > len(said) or any(isinstance(inner, list) for inner in said)
            self._record(value, ids)
        else:
            self._other(value, depth)

    def _other(self, value: Mapping[str, Any], depth: int) -> None:
        """Take in an object without the member ``message_id``: a bare map, or one around another object."""
        self.add(pairs_of(value), keyed=False)
        self._by_number(value)
        self.is_map |= not depth and _is_bare_map(value)
        for key, inner in pairs_of(value):
            if plain_digits(key) is None:
                self.read(inner, depth + 1)

    def _record(self, value: Mapping[str, Any], ids: tuple[str, ...]) -> None:
        """Take in ids that stand beside the number that they are of, or for all of the call."""
        others = [other for key, other in pairs_of(value) if plain_key(key) != _MESSAGE_ID]
        owners = [number for other in others for number in self._numbers(other) if number]
        # What stands where an id would and is as short as a code is none beside words of a failure.
        failed = says_it_failed(value) or (complains(value) and not any(map(is_long, ids)))
        self.failed |= failed
        if failed or not owners:
            self.groups.append(ids)
            return
        for number in owners:
            self._give(number, ids)

    def _by_number(self, value: Mapping[str, Any]) -> None:
        """Take in a map the other way round: a number, and its id or a record of it."""
        for key, said in pairs_of(value):
            number = self.asked.find(key)
            if number is None:
                continue
            if isinstance(said, dict):
                ids = () if says_it_failed(said) else ids_of(members(said, _MESSAGE_ID))
            else:
                names = ids_of(said if isinstance(said, list) else [said])
                ids = tuple(name for name in names if is_long(name) and self.asked.find(name) is None)
            self._give(number, ids)

    def _give(self, number: str, ids: tuple[str, ...]) -> None:
        if ids:
            self.found[number] = tuple(dict.fromkeys((*self.found.get(number, ()), *ids)))

    def _is_loose(self, name: str, numbers: Iterable[str | None], phones: object) -> bool:
        """Tell whether *name* is an id of whom nobody can say: ``{ID: null}``, ``{ID: "91XXXXXXXXXX"}``."""
        known = any(numbers) or any(map(plain_digits, _written(phones)))
        return not known and is_long(name) and self.asked.find(name) is None

    def _may_be_an_id(self, name: str) -> bool:
        """An error object names numbers as well: ``{"error": ..., "1": PHONE}``, ``{"number1": PHONE}``."""
        return not names_something(name) and not (self.failed and len(name) <= LONGEST_CODE)

    def _numbers(self, value: object, *, within: bool = False) -> Iterator[str | None]:
        """Yield each number of *value* as it was asked about, None for one that was not.

        Args:
            value: ``PHONE``, ``"PHONE,PHONE"``, ``[PHONE, ...]``.
            within: it may be an object, with the number in one of its members.
        """
        if isinstance(value, list):
            for item in value:
                yield from self._numbers(item, within=within)
        elif isinstance(value, dict):
            inner = pairs_of(value) if within else ()
            yield from (number for _, item in inner for number in self._numbers(item) if number)
        elif isinstance(value, str):
            for piece in _SEPARATOR.split(value.strip().strip("[]")):
                yield from self._spelt(piece)
        elif whole(value) is not None:
            yield self.asked.find(value)

    def _spelt(self, piece: str) -> Iterator[str | None]:
        number = self.asked.find(piece)
        apart = [self.asked.find(one) for one in _BETWEEN.split(piece)] if number is None else []
        yield from apart if any(apart) else (number,)


def ids_of(values: Iterable[object]) -> tuple[str, ...]:
    """Return the distinct ids among *values*; a string may hold several, with a comma between two."""
    return tuple(dict.fromkeys(name for value in values for name in _each_of(value)))


def _several(key: str) -> tuple[str, ...]:
    """Return the ids that the key of a map joins, long ones alone: a sentence has commas as well."""
    return tuple(name for name in ids_of([key]) if is_long(name))


def _each_of(value: object) -> Iterator[str]:
    if (name := message_id(value)) is not None:
        yield name
    elif isinstance(value, str) and _SEPARATOR.search(value):
        names = [name for piece in _SEPARATOR.split(value) if (name := message_id(piece)) is not None]
        yield from names if len(names) == len(_SEPARATOR.split(value)) else ()  # else it is a sentence


def _is_bare_map(mapping: Mapping[str, Any]) -> bool:
    return bool(mapping) and all(
        message_id(key) and all(map(plain_digits, _written(phones))) for key, phones in pairs_of(mapping)
    )


def _written(phones: object) -> Iterator[object]:
    if isinstance(phones, list):
        yield from (one for item in phones for one in _written(item))
    elif isinstance(phones, str):
        yield from _SEPARATOR.split(phones)
    elif whole(phones) is not None:
        yield phones
