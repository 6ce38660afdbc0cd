"""Which paths an api job may name: whatever a server makes of one, it stays below an allowed segment."""

import posixpath
import unicodedata
from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.web_path import WrongPathError, allowed_segments, checked, is_allowed

BASE = "https://api.iton.in/v1/"
ALLOWED = ("credentials", "v2/media")

REFUSED = [
    *("", "/credentials", "//evil.com", "//evil.com/credentials", "///x", "http://evil.com/credentials"),
    *(
        "https:evil.com//credentials",
        "credentials//x",
        "credentials/..",
        "../credentials",
        "credentials/../x",
    ),
    *("credentials/./x", "credentials/...", "credentials/..;/x", "credentials;a=b", "credentials/x;y"),
    *("credentials/%2e%2e/x", "credentials/%2E./x", "credentials/.%2e/x", "credentials/%252e%252e/x"),
    *("credentials/%25252e%25252e/x", "credentials/%c0%ae%c0%ae/x", "credentials/%u002e%u002e/x"),
    *("credentials/%ef%bc%8e%ef%bc%8e/x", "credentials/%e2%80%a5/x", "credentials/%ef%bc%8fx"),
    *("credentials\\..\\x", "\\\\evil.com", "credentials/%5c..%5cx", "credentials/%255c"),
    *("credentials%2fx", "credentials%2f..%2fx", "%2f%2fevil.com", "credentials/%3fx=1", "credentials/%23"),
    *("credentials\r\nX-Evil: 1", "credentials/%0d%0aX-Evil:%201", "credentials/%0aa", "credentials\n"),
    *("credentials x", " credentials", "credentials\t", "credentials/\u00a0", "credentials/\u200b"),
    *(
        "credentials/%00",
        "credentials/x%00.png",
        "credentials/%7f",
        "credentials/%c2%85",
        "credentials/%e2%80%ae",
    ),
    *(
        "credentials#x",
        "credentials/x#",
        "credentials/é",
        "credentials/%",
        "credentials/%g1",
        "credentials/%2",
    ),
    *(
        "%63redentials",
        "credentials/%41",
        "credentials/<x>",
        'credentials/"',
        "credentials/{x}",
        "credentials/|",
    ),
    *("credentials/%20/x", "credentials/.%20/x", "credentials/%20.", "?x=1", "credentials?a=%0d%0ab"),
    *(
        "credentials?a=..",
        "credentials?a=%2e%2e",
        "credentials?a=%252e%252e%252f",
        "credentials?a=\\",
        "credentials?a=%5c",
    ),
    *(
        "credentials?a b",
        "credentials?a=\r\n",
        "credentials?a=%e2%80%a8",
        "credentials?a=%ff",
        "credentials?a#b",
    ),
]
ACCEPTED = [
    *("credentials", "credentials/", "credentials/gcm", "credentials/gcm/17?full=true&x=", "credentials?"),
    *(
        "credentials/shop.p12",
        "credentials/a-b_c~d",
        "credentials/a%20b",
        "credentials/%E0%A4%AB",
        "v2/media/7",
    ),
    *("credentials?next=https%3A%2F%2Fshop.example%2F", "credentials?q=50%25&r=a;b", "credentials/x:y@z,(1)"),
]
NOT_ALLOWED = [
    "users",
    "credential",
    "credentialsx",
    "Credentials",
    "v2",
    "v2/",
    "v2/mediax",
    "media",
    "http:x",
]


class TestForms:
    """Paths by themselves."""

    @pytest.mark.parametrize("path", REFUSED)
    def test_what_may_mislead_is_refused(self, path: str) -> None:
        """In plain words that do not quote it."""
        with pytest.raises(WrongPathError) as raised:
            checked(path)
        assert str(raised.value).startswith(("must ", "is ", "has "))
        assert "evil" not in str(raised.value)

    @pytest.mark.parametrize("path", ACCEPTED)
    def test_usual_paths_pass(self, path: str) -> None:
        """As they are."""
        assert path == checked(path)
        assert is_allowed(path, ALLOWED)

    @pytest.mark.parametrize("path", NOT_ALLOWED)
    def test_other_segments_are_not_allowed(self, path: str) -> None:
        """Whole segments count, in their case."""
        assert not is_allowed(checked(path), ALLOWED)
        assert not is_allowed("credentials", ())

    @pytest.mark.parametrize(
        "entry", ["", "/", "a/", "/a", "a//b", "..", "a/..", ".", "a b", "a?b", "a%20", "é"]
    )
    def test_the_operators_list_is_checked_too(self, entry: str) -> None:
        """At the start."""
        with pytest.raises(ValueError, match="first segments of paths"):
            allowed_segments(entry)

    @pytest.mark.parametrize("entry", ["credentials", "v2/media", "a.b", "_x~-"])
    def test_usual_entries_pass(self, entry: str) -> None:
        """One segment or several."""
        assert entry == allowed_segments(entry)


_PIECES = st.sampled_from(
    [
        *(
            "credentials",
            "v2",
            "media",
            "users",
            ".",
            "..",
            "/",
            "//",
            "\\",
            "%2e",
            "%2E",
            "%252e",
            "%2f",
            "%5c",
        ),
        *("%25", "?", "#", ";", ":", "@", "http:", "evil.com", "%0d%0a", "\r", "\n", " ", "%20", "\t", "%00"),
        *(
            "%c0%ae",
            "\uff0e",
            "\uff0f",
            "\u2025",
            "%ef%bc%8e",
            "%ef%bc%8f",
            "a",
            "%41",
            "\u200b",
            "é",
            "%c3%a9",
        ),
    ]
)
_PATHS = st.one_of(
    st.lists(_PIECES, max_size=8).map("".join),
    st.lists(_PIECES, max_size=6).map(lambda pieces: "credentials/" + "".join(pieces)),
    st.text(max_size=20).map(lambda text: "credentials/" + quote(text)),
    st.text(max_size=30),
)


def readings(path: str) -> set[str]:
    """What servers, proxies and clients may make of a path: decoded, folded, cut, resolved."""
    found: set[str] = set()
    todo = [path]
    while todo:
        one = todo.pop()
        if one in found or len(found) > 60:
            continue
        found.add(one)
        segments = [segment.partition(";")[0].rstrip(" .") or segment for segment in one.split("/")]
        todo += [unquote(one), unicodedata.normalize("NFKC", one), one.replace("\\", "/"), "/".join(segments)]
        todo += [one.partition("\x00")[0], "".join(one.split())]
    return found


class TestProperties:
    """Whatever is accepted."""

    @given(path=_PATHS)
    def test_it_stays_on_its_host_below_an_allowed_segment(self, path: str) -> None:
        """However it is joined, decoded and resolved."""
        try:
            allowed = is_allowed(checked(path), ALLOWED)
        except WrongPathError:
            return
        if not allowed:
            return
        for url in (BASE + path, urljoin(BASE, path)):
            assert (urlsplit(url).scheme, urlsplit(url).netloc) == ("https", "api.iton.in")
            assert url.isascii()
            assert url.isprintable()
            assert " " not in url
        for reading in readings(path.partition("?")[0]):
            resolved = posixpath.normpath(posixpath.join("/v1", reading))
            below = [f"/v1/{first}" for first in ALLOWED]
            assert any(resolved == first or resolved.startswith(f"{first}/") for first in below), reading

    @given(path=_PATHS)
    def test_anything_gets_an_answer(self, path: str) -> None:
        """The path itself, or an error of ours."""
        try:
            assert path == checked(path)
        except WrongPathError:
            return
