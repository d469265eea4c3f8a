"""Metadata that is a weapon: a subscriber goes on without it, unless a limit of the wire is met."""

from __future__ import annotations

from bad_peer import BadPeer, bomb, squeezed
from siege import DIRECTIONS, SubscriberSiege, ends, endure, goes_on
from sttp.wire import commands, responses


def metadata(document: bytes) -> responses.Metadata:
    return responses.Metadata(document=document)


SCHEMA = (
    b'<DataSet><xs:schema id="DataSet" xmlns:xs="http://www.w3.org/2001/XMLSchema">'
    b'<xs:element name="DataSet"><xs:complexType><xs:choice>'
    b'<xs:element name="DeviceDetail"><xs:complexType><xs:sequence>'
    b'<xs:element name="Acronym" type="xs:string"/>'
    b"</xs:sequence></xs:complexType></xs:element></xs:choice></xs:complexType></xs:element></xs:schema>%s</DataSet>"
)
LAUGHTER = b"".join(b'<!ENTITY a%d "%s">' % (level, b"&a%d;" % (level - 1) * 10) for level in range(1, 12))

DOCUMENTS = {
    "nothing": goes_on(metadata(b"")),
    "no XML": goes_on(metadata(b"\0\1\2\3")),
    "XML that stops": goes_on(metadata(SCHEMA[:100])),
    "a document type": goes_on(metadata(b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>')),
    "a billion laughs": goes_on(metadata(b'<!DOCTYPE a [<!ENTITY a0 "ha">' + LAUGHTER + b"]><a>&a11;</a>")),
    "an entity that nobody declared": goes_on(
        metadata(SCHEMA % b"<DeviceDetail><Acronym>&x;</Acronym></DeviceDetail>")
    ),
    "deep nesting": goes_on(metadata(b"<a>" * 100_000)),
    "deep nesting in a row": goes_on(metadata(SCHEMA % (b"<a>" * 100_000))),
    "a tag of 2 MB": goes_on(metadata(b"<" + b"a" * 2_000_000)),
    "a cell of 2 MB": goes_on(metadata(SCHEMA % (b"<DeviceDetail><Acronym>" + b"a" * 2_000_000))),
    "attributes without end": goes_on(
        metadata(squeezed(b"<a " + b"".join(b'b%d="" ' % n for n in range(200_000)) + b"/>"))
    ),
    "names without end": goes_on(metadata(squeezed(SCHEMA % b"".join(b"<n%d/>" % n for n in range(100_000))))),
    "rows of nothing": goes_on(metadata(SCHEMA % (b"<DeviceDetail/>" * 50_000))),
    "an encoding that nobody has": goes_on(metadata(b'<?xml version="1.0" encoding="utf-7"?><a/>')),
    "UTF-16 that is none": goes_on(metadata(b"\xff\xfe\xd8\0\xd8")),
    "gzip that is cut off": ends(r"gzip that is cut off \(wire.md 3.2\)", metadata(squeezed(SCHEMA)[:50])),
    "gzip that is damaged": ends("damaged gzip|gzip that is cut off", metadata(b"\x1f\x8b\x08" + bytes(100))),
    "gzip with a false checksum": ends("damaged gzip", metadata(squeezed(SCHEMA)[:-8] + bytes(8))),
    "gzip and then more": ends("4 bytes behind the end of gzip", metadata(squeezed(SCHEMA) + b"more")),
    "a hundred gzips": ends("more than 16 gzip members", metadata(squeezed(b"x") * 100)),
    "a gzip bomb": ends("inflates to more than the .* bytes accepted", metadata(bomb())),
    "a gzip bomb in a gzip bomb": goes_on(metadata(squeezed(squeezed(bytes(10**6))))),
}


async def hearing_a_request(peer: BadPeer) -> None:
    """The publisher waits until it is asked for metadata."""
    await peer.make_ready()
    await peer.hear(commands.MetadataRefresh)


@DIRECTIONS
async def test_documents(dialing: bool) -> None:
    async with SubscriberSiege(dialing=dialing).laid() as siege:
        await endure(siege, DOCUMENTS, hearing_a_request)
