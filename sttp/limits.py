"""Limits on everything that a peer can make long, many, deep or large.

Each is checked before memory is taken. What the deployed implementations chose is in wire.md 1.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["DEFAULT_LIMITS", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Named limits of one session. Sizes are in bytes.

    Attributes:
        first_command: longest command accepted before the operational modes are. cppapi's publisher has the same
            8197; a genuine first command has 5 bytes.
        first_response: longest response accepted before the publisher has proved to speak STTP. goapi and cppapi
            have the same 8198.
        command: longest command afterwards. A list of 100 000 signal IDs takes 3.7 MB; cppapi and gsfapi have no
            limit, pyapi 32 768.
        response: longest response afterwards. Metadata of 100 000 signals is 51 MB when it is not compressed, and
            is never split. No deployed subscriber has a limit.
        metadata: largest metadata document after inflating.
        metadata_depth: deepest nesting of elements in a metadata document; what .NET writes has twelve.
        metadata_markup: longest tag, comment or instruction in it, which also bounds the attributes of an element.
            A quarter is guaranteed to pass; .NET's longest tag has 250 bytes.
        metadata_names: most distinct names of elements, attributes and namespaces in it; each stays in memory until
            the end. The standard tables have about fifty.
        metadata_columns: most columns in all of its tables together; the standard tables have about forty.
        metadata_cells: most cells, rows times columns, because a row of four bytes may stand for many nulls. Metadata
            of 100 000 signals has 1.4 million.
        metadata_text: longest text of one cell, in characters.
        signal_index_cache: largest signal index cache after inflating: 32 bytes and a source text per signal.
        signal_index: largest signal index. All publishers number from 0 upward; TSSC state is 64 bytes per index.
        packet_measurements: most measurements in one data packet. 32 KiB of TSSC hold at most 262 144, one bit each.
        buffer_block: largest buffer block after inflating.
        text: longest text of a reply that is kept; what goes beyond is cut, not refused.
        connection_string_depth: deepest nesting of braces in a connection string.
        filter_expression: longest filter expression, in characters. A list of 100 000 signal IDs has 3.7 million.
        filter_signals: most signals that it names one by one.
        filter_statements: most statements in it that name no single signal.
        filter_conditions: longest text of all of them together, in characters. Three thousand signal IDs behind one IN
            have 120 000.
        filter_tokens: most words and signs in them. Reading so many takes a fifth of a second.
        filter_depth: deepest nesting of parentheses, functions and prefixes in it; people write five.
        filter_steps: most steps of one evaluation. An operator takes one or a few for each value of a column that
            differs; so on 100 000 rows a hundred operators on columns without repeated values are allowed. All steps
            take some seconds.
        filter_text: longest text that an evaluation may make, in characters.
        filter_texts: most characters in all texts that an evaluation makes, which bounds its memory.
        filter_patterns: most different regular expressions in one evaluation; one each is usual.
        filter_pattern: longest regular expression, in characters.
        pending_commands: most commands that a publisher keeps unanswered for one subscriber.
        pending_caches: most signal index caches that a subscriber reads before it can have confirmed any of them. A
            publisher waits for each confirmation (5.4), or sends two or three at once; 60 bytes with a high signal
            index take 30 ms to read.
    """

    first_command: int = 8197
    first_response: int = 8198
    command: int = 16 * 2**20
    response: int = 128 * 2**20
    metadata: int = 256 * 2**20
    metadata_depth: int = 32
    metadata_markup: int = 128 * 2**10
    metadata_names: int = 1024
    metadata_columns: int = 1024
    metadata_cells: int = 2**24
    metadata_text: int = 2**20
    signal_index_cache: int = 64 * 2**20
    signal_index: int = 2**20 - 1
    packet_measurements: int = 2**18
    buffer_block: int = 16 * 2**20
    text: int = 64 * 2**10
    connection_string_depth: int = 16
    filter_expression: int = 4 * 2**20
    filter_signals: int = 2**18
    filter_statements: int = 256
    filter_conditions: int = 128 * 2**10
    filter_tokens: int = 2**14
    filter_depth: int = 64
    filter_steps: int = 2**25
    filter_text: int = 64 * 2**10
    filter_texts: int = 2**25
    filter_patterns: int = 64
    filter_pattern: int = 1024
    pending_commands: int = 64
    pending_caches: int = 16


DEFAULT_LIMITS: Final = Limits()
