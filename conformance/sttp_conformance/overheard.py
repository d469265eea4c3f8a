"""What an implementation has said in a conversation, frame by frame, for checks that look at bytes."""

from __future__ import annotations

from typing import Any

from sttp.codes import Response
from sttp.wire.responses import DataPacket, read_responses
from sttp_conformance.scripted_peer import ScriptedPeer

__all__ = ["cache_payloads", "data_packets", "frames"]


def frames(peer: ScriptedPeer[Any]) -> list[bytes]:
    """The frames that the implementation has said and the check has taken, without their lengths."""
    return [frame[4:] for speaker, frame in peer.recording.taken if speaker is not peer.role]


def cache_payloads(peer: ScriptedPeer[Any]) -> list[bytes]:
    """Payloads of the signal index caches among them: the cache index, in versions above 1, and the image."""
    return [each[6:] for each in frames(peer) if each[:1] == bytes((Response.UPDATE_SIGNAL_INDEX_CACHE,))]


def data_packets(peer: ScriptedPeer[Any]) -> list[DataPacket]:
    """The data packets among them."""
    return [
        response
        for each in frames(peer)
        if each[:1] == bytes((Response.DATA_PACKET,))
        for response in read_responses(each, peer.modes)
        if isinstance(response, DataPacket)
    ]
