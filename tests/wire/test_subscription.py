from __future__ import annotations

import pytest

from sttp.errors import LimitError, MessageError, UsageError
from sttp.limits import Limits
from sttp.wire.subscription import SubscriptionOptions, format_connection_string, parse_connection_string


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        # wire.md 4.2
        ("a=1; b={x=1; y={z=2; w=3}}; c=3", {"a": "1", "b": "x=1; y={z=2; w=3}", "c": "3"}),
        ("a={p}q{r}", {"a": "pqr"}),
        ("A=1;a=2", {"a": "2"}),
        (r"a=c:\dir;flag;b=", {"a": r"c:\dir", "b": ""}),
        ("filterExpression={PPA:1};", {"filterexpression": "PPA:1"}),
        ("", {}),
        (";;", {}),
        ("flag;a=b=c", {}),
        ("a={b=c};d=e", {"a": "b=c", "d": "e"}),
        ("a={{}}", {"a": "{}"}),
        ("{a=b}=c", {"a=b": "c"}),
        ("a={};b=1", {"a": "", "b": "1"}),
        (r"a=\u003b", {"a": r"\u003b"}),
        (" Key =\t value ;", {"key": "value"}),
        ("a= { x } ", {"a": "x"}),
    ],
)
def test_grammar(text: str, settings: dict[str, str]) -> None:
    assert parse_connection_string(text) == settings


@pytest.mark.parametrize("text", ["}", "a=}", "a={b}}", "{", "a={b", "a={{b}", "a=1;b={c;d=2"])
def test_a_brace_without_its_partner_spoils_everything(text: str) -> None:
    with pytest.raises(MessageError) as caught:
        parse_connection_string(text)
    assert caught.value.clause == "4.2"


def test_depth_has_a_limit() -> None:
    assert parse_connection_string("a=" + "{" * 16 + "}" * 16) == {"a": "{" * 15 + "}" * 15}
    for text in ("a=" + "{" * 17 + "}" * 17, "{" * 10_000):
        with pytest.raises(LimitError) as caught:
            parse_connection_string(text)
        assert caught.value.limit == "connection_string_depth"
    with pytest.raises(LimitError):
        SubscriptionOptions.from_connection_string("a={{}}", Limits(connection_string_depth=1))


def test_a_value_may_consist_of_many_parts() -> None:
    assert parse_connection_string("a=" + "{b}" * 100_000) == {"a": "b" * 100_000}


def test_delimiters_have_a_limit_but_a_long_list_has_room() -> None:
    ids = ";".join(["{00000000-0000-4000-8000-000000000001}"] * 100_000)
    assert parse_connection_string(f"filterExpression={{{ids}}}") == {"filterexpression": ids}
    for text in (";" * (2**18 + 1), "{}" * 2**18):
        with pytest.raises(MessageError, match="delimiters"):
            parse_connection_string(text)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, ""),
        ({"a": "1", "b": ""}, "a=1;b=;"),
        ({"dataChannel": "localport=9500"}, "dataChannel={localport=9500};"),
        ({"a": "p;q"}, "a={p;q};"),
        ({"a": "{p}"}, "a={{p}};"),
    ],
)
def test_format_wraps_what_needs_it(settings: dict[str, str], text: str) -> None:
    assert format_connection_string(settings) == text
    assert parse_connection_string(text) == {key.lower(): value for key, value in settings.items()}


@pytest.mark.parametrize("settings", [{"a": "{"}, {"a": "}"}, {"a": "}{"}, {"": "1"}, {"a=b": "1"}, {" ": "1"}])
def test_what_cannot_be_sent(settings: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        format_connection_string(settings)


def test_absent_keys_mean_the_defaults() -> None:
    assert SubscriptionOptions.from_connection_string("") == SubscriptionOptions()


def test_everything_is_always_said() -> None:
    assert SubscriptionOptions(filter_expression="PPA:1").to_connection_string() == (
        "throttled=False;publishInterval=-1;includeTime=True;enableTimeReasonabilityCheck=False;lagTime=10;"
        "leadTime=5;useLocalClockAsRealTime=False;processingInterval=-1;useMillisecondResolution=False;"
        "requestNaNValueFilter=False;filterExpression={PPA:1};"
    )


def test_options_survive_the_way() -> None:
    options = SubscriptionOptions(
        filter_expression="FILTER ActiveMeasurements WHERE SignalType = '{x}' ORDER BY PointTag; PPA:2",
        include_time=False,
        milliseconds=True,
        request_nan_filter=True,
        throttled=True,
        publish_interval=0.000_000_1,
        lag_time=1e3,
        lead_time=0.25,
        use_local_clock_as_real_time=True,
        enable_time_reasonability_check=True,
        processing_interval=33,
        start_time="*-10m",
        stop_time="2026-03-14 15:09:26.5000000",
        constraint_parameters="archive=PPA; mode=raw",
        data_channel_port=9500,
        assembly_info="source=a test; version=1; updatedOn=2026-03-14",
        extra={"bufferblockretransmissiontimeout": "5.0", "other": "a;b"},
    )
    text = options.to_connection_string()
    assert "publishInterval=0.0000001;" in text, "no exponents"
    assert "dataChannel={localport=9500};" in text
    assert SubscriptionOptions.from_connection_string(text) == options


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, True) for text in ("1", "-1", "2", "true", "TRUE", "True", "t", "yes", "Y", "tomato")),
        *((text, False) for text in ("0", "00", "false", "False", "n", "on", "{0}")),
    ],
)
def test_booleans_are_read_leniently(text: str, value: bool) -> None:
    assert SubscriptionOptions.from_connection_string(f"throttled={text}").throttled is value
    assert SubscriptionOptions.from_connection_string(f"INCLUDETIME={text}").include_time is value


def test_a_boolean_without_value_counts_as_absent() -> None:
    assert SubscriptionOptions.from_connection_string("includeTime=").include_time is True


@pytest.mark.parametrize("text", ["", "ten", "1,5", "nan", "inf", "1e999", "1_000", "--1", "9" * 5000])
def test_a_number_that_cannot_be_read_counts_as_absent(text: str) -> None:
    options = SubscriptionOptions.from_connection_string(f"lagTime={text};processingInterval={text}")
    assert (options.lag_time, options.processing_interval) == (10.0, -1)


@pytest.mark.parametrize(
    ("text", "value"), [("10.000000", 10.0), ("3", 3.0), ("-0.5", -0.5), (".5", 0.5), ("1e2", 100)]
)
def test_numbers(text: str, value: float) -> None:
    assert SubscriptionOptions.from_connection_string(f"lagTime={text}").lag_time == value


def test_processing_interval_has_32_bits() -> None:
    assert SubscriptionOptions.from_connection_string("processingInterval=2147483647").processing_interval == 2**31 - 1
    assert SubscriptionOptions.from_connection_string("processingInterval=2147483648").processing_interval == -1


@pytest.mark.parametrize(
    ("channel", "port"),
    [
        ("{localport=9500}", 9500),
        ("{port=9500}", 9500),
        ("{LocalPort=9500; interface=0.0.0.0}", 9500),
        ("{localport=0}", None),
        ("{localport=65536}", None),
        ("{localport=x}", None),
        ("{}", None),
        ("9500", None),
    ],
)
def test_data_channel(channel: str, port: int | None) -> None:
    assert SubscriptionOptions.from_connection_string(f"dataChannel={channel}").data_channel_port == port


def test_a_data_channel_is_a_connection_string_too() -> None:
    with pytest.raises(MessageError):
        SubscriptionOptions.from_connection_string("dataChannel={a}b{=}{c}}")


def test_a_key_without_equals_sign_is_no_key() -> None:
    # goapi, O1
    options = SubscriptionOptions.from_connection_string("throttled=true;requestNaNValueFilterfalse;lagTime=3.000000")
    assert (options.throttled, options.request_nan_filter, options.lag_time) == (True, False, 3.0)
    assert options.extra == {}


@pytest.mark.parametrize(
    "options",
    [
        SubscriptionOptions(filter_expression="FILTER ActiveMeasurements WHERE PointTag = '{'"),
        SubscriptionOptions(lag_time=float("nan")),
        SubscriptionOptions(publish_interval=float("inf")),
        SubscriptionOptions(extra={"a;b": "1"}),
    ],
)
def test_options_that_cannot_be_sent(options: SubscriptionOptions) -> None:
    with pytest.raises(UsageError):
        options.to_connection_string()
