"""``python -m proof small`` in seconds, ``python -m proof large`` in minutes: the figures of every search."""

import sys
from collections.abc import Mapping

from proof.cases import LARGE, SMALL, VARIANTS
from proof.spin import Search, SpinFailedError, search


def main() -> int:
    """Search, print the figures, return 0 if every promise holds and every broken variant was caught."""
    which = sys.argv[1] if len(sys.argv) > 1 else "small"
    if which not in {"small", "large"}:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return 0 if _cases(LARGE if which == "large" else SMALL) and _variants() else 1
    except SpinFailedError as error:
        print(error, file=sys.stderr)
        return 1


def _cases(cases: Mapping[str, Search]) -> bool:
    good = True
    for name, asked in cases.items():
        found = search(asked)
        right = found.complete and not found.broken
        words = (
            "every promise holds" if right else f"BROKEN: {', '.join(sorted(found.broken)) or 'unfinished'}"
        )
        print(f"{name}: {words}; {found.figures()}", flush=True)
        good = good and right
    return good


def _variants() -> bool:
    caught = 0
    for variant in VARIANTS:
        found = search(variant.search)
        print(f"{variant.name} breaks {found.names() or 'NOTHING'}", flush=True)
        caught += variant.caught_by in found.broken
    print(f"{caught} of {len(VARIANTS)} broken variants are caught")
    return caught == len(VARIANTS)


if __name__ == "__main__":
    sys.exit(main())
