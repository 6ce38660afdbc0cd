"""Links between the pages of the documentation lead somewhere."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/*.md", "helm/*.md", "proof/*.md", "bench/*.md")
    for page in ROOT.glob(pattern)
)
_LINK = re.compile(r"\]\((?!https?:|mailto:)(?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]+))?\)")
_CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def links(page: Path) -> Iterator[tuple[str, Path, str]]:
    """Return each link to a file of ours: as it is written, the file, the anchor or nothing."""
    for found in _LINK.finditer(_CODE.sub("", page.read_text())):
        target = (page.parent / found["path"]).resolve() if found["path"] else page
        yield found[0], target, found["anchor"] or ""


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return what headings are called in links: lower case, a dash for a space, no other signs."""
    headings = re.findall(r"^#+ (.*)$", _CODE.sub("", page.read_text()), re.MULTILINE)
    return frozenset(re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings)


class TestLinks:
    """Files and headings."""

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_each_leads_to_a_file_and_a_heading_that_are_there(self, page: Path) -> None:
        """Also to headings of the page itself."""
        wrong = [
            written
            for written, target, anchor in links(page)
            if not target.exists() or (anchor and anchor not in anchors(target))
        ]
        assert [] == wrong

    def test_every_page_of_the_documentation_can_be_reached(self) -> None:
        """From the README, by links."""
        reached, todo = set[Path](), [ROOT / "README.md"]
        while todo:
            page = todo.pop()
            if page not in reached and page.suffix == ".md":
                reached.add(page)
                todo += [target for _, target, _ in links(page) if target.is_file()]
        assert [] == [page.name for page in PAGES if page.parent.name == "docs" and page not in reached]
