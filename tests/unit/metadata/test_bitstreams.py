"""What a coded packet holds besides its picture."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose.metadata.bitstreams import Message, messages, unit_length_size, units
from fixtures import container_parts

CODECS = ["h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video", "vc1", "mjpeg", "av1", "vp9", ""]
PICTURE = container_parts.unit(b"\x65", b"coded")


def found(codec: str, packet: bytes, length_size: int = 0) -> list[Message]:
    return list(messages(codec, packet, length_size))


def test_a_picture_alone_holds_nothing_else() -> None:
    assert found("h264", PICTURE, 4) == []
    assert found("hevc", container_parts.unit(b"\x26\x01", b"coded"), 4) == []
    assert found("mpeg4", b"\0\0\1\xb6coded") == []
    assert found("mjpeg", b"\xff\xd8\xff\xda\0\2coded\xff\xd9") == []
    assert found("vp9", b"coded") == []


@pytest.mark.parametrize(
    ("kind", "payload", "key"),
    [
        (1, b"\x04", "pic_timing"),
        (4, b"\xb5\x00\x31GA94\x03cc", "closed captions"),
        (4, b"\xb5\x00\x3c\x00\x01\x04\x01", "HDR10+"),
        (4, b"\x26\x00\x04", "registered user data"),
        (5, bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef") + b"x264 - core", "encoder settings"),
        (5, bytes.fromhex("2ca2de09b51747dbbb55a4fe7fc2fc4e") + b"\1\2", "unregistered user data"),
        (5, bytes(16) + b"Erika" * 100, "unregistered user data"),
        (136, b"\1", "time_code"),
        (199, b"\1", "type 199"),
    ],
)
def test_a_message_is_known_by_its_type_and_by_how_it_begins(kind: int, payload: bytes, key: str) -> None:
    assert found("h264", container_parts.sei(kind, payload) + PICTURE, 4) == [Message("SEI", key, len(payload))]
    assert found("hevc", container_parts.sei(kind, payload, hevc=True), 4) == [Message("SEI", key, len(payload))]


def test_several_messages_in_one_unit_are_told_apart() -> None:
    unit = container_parts.unit(b"\6", b"\1\1\4", b"\5\x12", bytes(16), b"ab", b"\x80")
    assert [message.key for message in found("h264", unit, 4)] == ["pic_timing", "unregistered user data"]


def test_bytes_put_in_against_start_codes_do_not_count() -> None:
    # A payload of three zeros is written as 00 00 03 00.
    assert found("h264", container_parts.unit(b"\6", b"\x03\3", b"\0\0\3\0", b"\x80"), 4) == [
        Message("SEI", "filler_payload", 3)
    ]


@pytest.mark.parametrize("length_size", [1, 2, 3, 4])
def test_units_have_lengths_of_one_to_four_bytes(length_size: int) -> None:
    packet = b"".join(len(unit).to_bytes(length_size, "big") + unit for unit in (b"\x65abc", b"\6x"))
    assert list(units(packet, length_size)) == [b"\x65abc", b"\6x"]


def test_units_begin_with_start_codes_of_three_or_four_bytes() -> None:
    assert list(units(b"\0\0\0\1\x67abc\0\0\1\x65def\0", 0)) == [b"\x67abc", b"\x65def"]


def test_the_header_of_a_stream_says_how_long_lengths_are() -> None:
    assert unit_length_size("h264", b"\1\x64\0\x28\xff") == 4
    assert unit_length_size("h264", b"\1\x64\0\x28\xfd") == 2
    assert unit_length_size("hevc", b"\1" + bytes(20) + b"\x0f") == 4
    assert unit_length_size("h264", b"\0\0\0\1\x67") == 0
    assert unit_length_size("vp9", b"\1" * 30) == 0


def test_a_time_code_of_zero_says_nothing() -> None:
    zero = b"\0\0\1\xb8" + (1 << 19).to_bytes(4, "big")
    assert found("mpeg2video", zero) == []
    clock = b"\0\0\1\xb8" + (1 << 19 | 21 << 26).to_bytes(4, "big")
    assert found("mpeg2video", clock) == [Message("time code", "group of pictures", 4)]


def test_segments_of_jpeg_that_a_decoder_needs_are_no_messages() -> None:
    needed = b"\xff\xe0\0\x10JFIF\0" + bytes(9) + b"\xff\xee\0\x0eAdobe" + bytes(7)
    assert found("mjpeg", b"\xff\xd8" + needed + b"\xff\xda") == []
    thumbnail = b"\xff\xe0\0\x13JFIF\0" + bytes(9) + b"rgb"
    assert [message.key for message in found("mjpeg", b"\xff\xd8" + thumbnail + b"\xff\xda")] == ["segment 0"]


@given(codec=st.sampled_from(CODECS), packet=st.binary(max_size=300), length_size=st.integers(0, 4))
def test_no_garbage_is_too_much(codec: str, packet: bytes, length_size: int) -> None:
    for message in messages(codec, packet, length_size):
        assert message.kind
        assert message.key.isprintable()
        assert message.size_bytes >= 0


@given(
    packet=st.lists(
        st.sampled_from([b"\0\0\1", b"\xff", b"\6", b"\x4e\1", b"\x2a", b"\xff\xd8", b"\xff\xe1\0\4"]), max_size=60
    )
)
def test_no_garbage_made_of_codes_is_too_much(packet: list[bytes]) -> None:
    for codec in CODECS:
        list(messages(codec, b"".join(packet), 0))
