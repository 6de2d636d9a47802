"""The time of OpenPose's parser, as `make bench` asks for it."""

from benchmarks import openpose_parser


def test_the_time_of_the_assembly_is_measured_on_people_who_are_all_found() -> None:
    times = openpose_parser.parser_times(1)
    assert list(times) == ["1 person", "2 people", "4 people", "8 people"]
    assert all(0 < seconds < 10 for seconds in times.values())
