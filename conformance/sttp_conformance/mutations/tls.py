"""Wrong about TLS: a man in the middle with the implementation's key is as careless as others have been."""

from __future__ import annotations

import ssl
import warnings

from sttp.codes import Role
from sttp_conformance.bad_tls import BadTls
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.mutants import Mutant, mutant
from sttp_conformance.ways import Direction


def _takes_anyone(context: ssl.SSLContext) -> None:
    context.verify_mode = ssl.CERT_NONE


def _takes_those_without_certificate(context: ssl.SSLContext) -> None:
    context.verify_mode = ssl.CERT_OPTIONAL


def _takes_old_tls(context: ssl.SSLContext) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")


def _speaks_tls_1_3_only(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3


def _speaks_tls_1_2_only(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def _of(role: Role, listens: Direction) -> tuple[Mutant, ...]:
    who = role.value
    return (
        mutant(
            f"{who}_takes_anyone",
            role,
            BadTls(_takes_anyone),
            caught_by=(
                f"{who}_turns_strangers_away",
                f"{who}_takes_no_certificate_that_its_peer_issued",
                f"{who}_serves_on_after_strangers",
            ),
        ),
        mutant(
            f"{who}_takes_those_without_certificate",
            role,
            BadTls(_takes_those_without_certificate),
            caught_by=(f"{who}_turns_those_without_certificate_away",),
            only=listens,
        ),
        mutant(
            f"{who}_shows_another_certificate",
            role,
            BadTls(as_stranger=True),
            caught_by=(f"{who}_shows_its_certificate",),
        ),
        mutant(
            f"{who}_speaks_tls_by_its_role_not_by_who_listens",
            role,
            BadTls(swapped=True),
            caught_by=(f"{who}_speaks_tls_by_who_listens",),
        ),
        mutant(
            f"{who}_speaks_in_the_clear",
            role,
            BadTls(bare=True),
            caught_by=(f"{who}_says_nothing_in_the_clear", f"{who}_speaks_tls_by_who_listens"),
        ),
        mutant(
            f"{who}_takes_old_tls",
            role,
            BadTls(_takes_old_tls),
            caught_by=(f"{who}_refuses_tls_before_1_2",),
        ),
        mutant(
            f"{who}_speaks_tls_1_3_only",
            role,
            BadTls(_speaks_tls_1_3_only),
            caught_by=(f"{who}_speaks_tls_1_2",),
        ),
        mutant(
            f"{who}_speaks_tls_1_2_only",
            role,
            BadTls(_speaks_tls_1_2_only),
            caught_by=(f"{who}_prefers_tls_1_3",),
        ),
    )


MUTANTS = (*_of(PUBLISHER, Direction.FORWARD), *_of(SUBSCRIBER, Direction.REVERSE))
