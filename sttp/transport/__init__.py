"""Streams, and who dials for them. Nothing here knows STTP, but for the names of the two roles.

This is also all that a plugin imports: the contract, the hook marker, the two ways to come by links, and the errors.
"""

from sttp.codes import Role
from sttp.errors import EndpointError, PluginError, TransportError, TrustError, UsageError
from sttp.transport.accepting import BACKLOG, AcceptQueue
from sttp.transport.contract import (
    ByteStream,
    Layer,
    Listener,
    PeerIdentity,
    PromptStream,
    PushingStream,
    Receiver,
    Securable,
    Transport,
)
from sttp.transport.door import DOOR
from sttp.transport.endpoint import Endpoint, open_links, open_transport, parse_endpoint, security_for
from sttp.transport.failures import translated
from sttp.transport.hookspecs import hookimpl
from sttp.transport.links import Connectivity, Link, Links, RedialPolicy, accepted, dialled
from sttp.transport.plugins import BrokenPlugin, ExcludedPlugin, Plugins, Provided, find_plugins, load_plugins
from sttp.transport.policy import PluginPolicy
from sttp.transport.sockets import SocketListener, SocketStream

__all__ = [
    "BACKLOG",
    "DOOR",
    "AcceptQueue",
    "BrokenPlugin",
    "ByteStream",
    "Connectivity",
    "Endpoint",
    "EndpointError",
    "ExcludedPlugin",
    "Layer",
    "Link",
    "Links",
    "Listener",
    "PeerIdentity",
    "PluginError",
    "PluginPolicy",
    "Plugins",
    "PromptStream",
    "Provided",
    "PushingStream",
    "Receiver",
    "RedialPolicy",
    "Role",
    "Securable",
    "SocketListener",
    "SocketStream",
    "Transport",
    "TransportError",
    "TrustError",
    "UsageError",
    "accepted",
    "dialled",
    "find_plugins",
    "hookimpl",
    "load_plugins",
    "open_links",
    "open_transport",
    "parse_endpoint",
    "security_for",
    "translated",
]
