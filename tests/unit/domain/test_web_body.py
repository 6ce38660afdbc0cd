"""Bodies of calls of the Web API."""

import base64
from email import message_from_bytes
from email.message import Message
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from schemas import ApiFile, ApiJob
from worker.domain.web_body import body_of, multipart

_NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=20)
_CONTENTS = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"\r\n--", b"--iton-worker-7d1f0c86b2e94a53--\r\n", b"iton-worker-7d1f0c86b2e94a53-1"]),
)


def parts_of(content: bytes, content_type: str) -> list[Message]:
    """Read a body with the standard library's parser."""
    whole = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + content)
    assert not whole.defects
    return cast("list[Message]", whole.get_payload())


class TestMultipart:
    """As browsers write it."""

    def test_an_example(self) -> None:
        """Byte for byte."""
        file = ApiFile(name="f", filename='a".p12', content_type="image/png", data="AAE=")
        content, content_type = multipart({"näme": "Läden"}, [file])
        boundary = content_type.removeprefix("multipart/form-data; boundary=")
        assert (
            content
            == (
                f'--{boundary}\r\nContent-Disposition: form-data; name="näme"\r\n\r\nLäden\r\n'
                f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="a%22.p12"\r\n'
                "Content-Type: image/png\r\n\r\n\x00\x01\r\n"
                f"--{boundary}--\r\n"
            ).encode()
        )

    @given(fields=st.dictionaries(_NAMES, st.text(st.characters(codec="utf-8"), max_size=40), max_size=3))
    def test_fields_stay_apart(self, fields: dict[str, str]) -> None:
        """Whatever stands in them."""
        if not fields:
            return
        content, content_type = multipart(fields, [])
        parts = content.split(b"--" + content_type.partition("=")[2].encode())[1:-1]
        values = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n").decode() for part in parts]
        assert list(fields.values()) == values

    @given(contents=st.lists(_CONTENTS, min_size=1, max_size=3))
    def test_files_come_out_as_they_went_in(self, contents: list[bytes]) -> None:
        """Also where they hold what looks like a boundary."""
        files = [
            ApiFile(name="f", filename="f", content_type="x/y", data=base64.b64encode(content).decode())
            for content in contents
        ]
        content, content_type = multipart({}, files)
        assert len(parts_of(content, content_type)) == len(files)
        parts = content.split(b"\r\n--" + content_type.partition("=")[2].encode())
        assert contents == [part.partition(b"\r\n\r\n")[2] for part in parts[:-1]]


class TestBodyOf:
    """What a job sends."""

    def test_json(self) -> None:
        """Compact, in UTF-8."""
        job = ApiJob.model_validate({"method": "POST", "path": "a", "json": {"ä": [1, 2.5, None]}})
        assert body_of(job) == ('{"ä":[1,2.5,null]}'.encode(), "application/json")

    def test_values_that_are_false_are_bodies(self) -> None:
        """But null is an absent field."""
        for value, body in ((False, b"false"), (0, b"0"), ("", b'""'), ([], b"[]"), (None, None)):
            job = ApiJob.model_validate({"method": "POST", "path": "a", "json": value})
            assert body_of(job)[0] == body
