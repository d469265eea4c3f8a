"""Endpoints: URLs that say who dials, through which layers, over which transport, and where.

`[MODEL+][LAYER+]SCHEME://ADDRESS`, such as `reverse+tls+tcp://hub.example:7167`. Both ends are given the same scheme.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from sttp.codes import Role
from sttp.errors import EndpointError
from sttp.security import Security
from sttp.transport.contract import Layer, Securable, Transport
from sttp.transport.forward import FORWARD
from sttp.transport.links import Links, RedialPolicy
from sttp.transport.plugins import Plugins, load_plugins

__all__ = ["Endpoint", "open_links", "open_transport", "parse_endpoint", "security_for"]

_UNDER_A_LAYER: Final = "tcp"
"""What a layer lies on when a URL names no transport: `tls://` is short for `tls+tcp://`."""

_ADDRESS: Final = re.compile(r"^[A-Za-z+]+:/*(?=\D)|^/+")
"""What stands before the address in a URL that somebody got wrong."""

Given = Security | str | os.PathLike[str] | None
"""How a security is named: by itself, by its folder, or not at all."""

PartT = TypeVar("PartT", Transport, Layer)

_DEFAULT_POLICY: Final = RedialPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A URL, understood. As a string it is the URL again, with the address in full.

    Attributes:
        prefix: what stands before `://`, as it was given.
        model: name of the connectivity model.
        layers: names of the layers, the outermost first.
        scheme: name of the transport.
        address: the address in full, as the transport understands it.
    """

    prefix: str
    model: str
    layers: tuple[str, ...]
    scheme: str
    address: str

    def at(self, address: str, /) -> str:
        """The URL of this endpoint at another address, such as the one that a listener is bound to."""
        return f"{self.prefix}://{address}"

    def __str__(self) -> str:
        return self.at(self.address)


def parse_endpoint(url: str, /, *, plugins: Plugins | None = None) -> Endpoint:
    """Understand the URL of an endpoint.

    Args:
        url: `[MODEL+][LAYER+]SCHEME://ADDRESS`. Without a model the connection is forward; without a transport the
            layers lie over tcp.
        plugins: what may be named; without it, what is installed.

    Raises:
        EndpointError: the URL cannot be understood, or names what nobody provides. The message says what is installed.
        PluginError: two plugins claim a name in it; or see `load_plugins`.
    """
    plugins = load_plugins() if plugins is None else plugins
    prefix, separator, address = url.strip().partition("://")
    if not separator:
        raise EndpointError(
            f"{url!r} is not an endpoint: write SCHEME://ADDRESS, such as tcp://{_ADDRESS.sub('', url.strip())}"
        )
    names = prefix.lower().split("+")
    for name in names:
        _check_name(url, name, plugins)
    model = names.pop(0) if names[0] in plugins.connectivity else FORWARD
    if misplaced := [name for name in names if name in plugins.connectivity]:
        raise EndpointError(f"{url!r}: {misplaced[0]} says who dials, so it must come first, and only once")
    if names and names[-1] in plugins.layers and _UNDER_A_LAYER in plugins.transports:
        names.append(_UNDER_A_LAYER)
    if not names or names[-1] not in plugins.transports:
        raise EndpointError(f"{url!r} names no transport: write {'+'.join([prefix, _UNDER_A_LAYER])}://{address}")
    *layers, scheme = names
    if misplaced := [name for name in layers if name in plugins.transports]:
        raise EndpointError(f"{url!r}: {misplaced[0]} is a transport, so it must come last, and only once")
    try:
        address = _transport(layers, scheme, plugins).complete(address)
    except EndpointError as error:
        raise EndpointError(f"{url!r}: {error}") from None
    return Endpoint(prefix=prefix.lower(), model=model, layers=tuple(layers), scheme=scheme, address=address)


async def open_links(
    endpoint: Endpoint | str,
    role: Role,
    /,
    *,
    policy: RedialPolicy = _DEFAULT_POLICY,
    plugins: Plugins | None = None,
    security: Security | None = None,
) -> Links:
    """Open one end of an endpoint: listen, or be ready to dial, as its connectivity model says.

    Args:
        endpoint: where.
        role: what this end does with measurements.
        policy: how to dial again, if this end dials.
        plugins: where the endpoint's names are looked up; without it, in what is installed.
        security: who we are and whom we trust, for endpoints that prove identities; without it, the default folder.

    Raises:
        SecurityError: the endpoint proves identities, and there is no security folder that can be used.
        EndpointError: see `parse_endpoint`.
        TransportError: the address cannot be listened on.
        PluginError: see `parse_endpoint`.
    """
    plugins = load_plugins() if plugins is None else plugins
    if isinstance(endpoint, str):
        endpoint = parse_endpoint(endpoint, plugins=plugins)
    model = plugins.connectivity[endpoint.model]
    transport = open_transport(endpoint, plugins=plugins, security=security)
    return await model.links(role, transport, endpoint.address, policy=policy, url=str(endpoint))


def open_transport(
    endpoint: Endpoint | str, /, *, plugins: Plugins | None = None, security: Security | None = None
) -> Transport:
    """The transport of an endpoint with its layers on it. It opens no connection.

    Args:
        endpoint: which.
        plugins: where the endpoint's names are looked up; without it, in what is installed.
        security: who we are and whom we trust; see `open_links`.

    Raises:
        SecurityError: see `open_links`.
        EndpointError: see `parse_endpoint`.
        PluginError: see `parse_endpoint`.
    """
    plugins = load_plugins() if plugins is None else plugins
    if isinstance(endpoint, str):
        endpoint = parse_endpoint(endpoint, plugins=plugins)
    security = security_for([endpoint], security, plugins=plugins)
    return _transport(endpoint.layers, endpoint.scheme, plugins, security)


def security_for(endpoints: Iterable[Endpoint], given: Given, /, *, plugins: Plugins | None = None) -> Security | None:
    """The security that somebody has named by itself or by its folder; else the default one, if an endpoint needs any.

    Raises:
        SecurityError: there is no such folder, or something in it cannot be used.
    """
    if isinstance(given, Security):
        return given
    if given is not None:
        return Security(given)
    plugins = load_plugins() if plugins is None else plugins
    for endpoint in endpoints:
        parts = (plugins.transports[endpoint.scheme], *(plugins.layers[layer] for layer in endpoint.layers))
        if any(isinstance(part, Securable) for part in parts):
            return Security()
    return None


def _transport(
    layers: tuple[str, ...] | list[str], scheme: str, plugins: Plugins, security: Security | None = None
) -> Transport:
    transport = _secured(plugins.transports[scheme], security)
    for name in reversed(layers):
        transport = _secured(plugins.layers[name], security).over(transport)
    return transport


def _secured(part: PartT, security: Security | None) -> PartT:
    if security is not None and isinstance(part, Securable):
        return part.secured(security)
    return part


def _check_name(url: str, name: str, plugins: Plugins) -> None:
    plugins.refuse_clash(name)
    installed = (*plugins.transports, *plugins.layers, *plugins.connectivity)
    if name in installed:
        return
    nearest = difflib.get_close_matches(name, installed, n=1)
    hint = f" (did you mean {nearest[0]}?)" if nearest else ""
    broken = f"; set aside: {', '.join(map(str, plugins.broken))}" if plugins.broken else ""
    excluded = "".join(f"; excluded by {each.by}: {each.source}" for each in plugins.excluded)
    raise EndpointError(
        f"{url!r}: no plugin provides {name!r}{hint}; installed are {_listing(plugins)}{broken}{excluded}"
    )


def _listing(plugins: Plugins) -> str:
    kinds = {
        "transports": plugins.transports,
        "layers": plugins.layers,
        "connectivity models": plugins.connectivity,
    }
    return ", ".join(f"{kind} {' '.join(sorted(names))}" for kind, names in kinds.items() if names)
