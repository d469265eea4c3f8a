# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The loop of routing: measurements of signals that are subscribed to, under the indexes of the subscription.

Written in Cython's pure Python mode: it runs uncompiled with the same results. `sttp.routing` prefers NumPy then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sttp.wire import _uncompiled as cython
else:
    try:
        import cython
    except ImportError:
        from sttp.wire import _uncompiled as cython

COMPILED = bool(cython.compiled)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _pick(
    route: cython.p_int,
    signals: cython.Py_ssize_t,
    count: cython.Py_ssize_t,
    index: cython.p_int,
    ticks: cython.p_ulonglong,
    flags: cython.p_uint,
    values: cython.p_uint,
    index_out: cython.p_int,
    ticks_out: cython.p_ulonglong,
    flags_out: cython.p_uint,
    values_out: cython.p_uint,
) -> cython.Py_ssize_t:
    """See `pick`."""
    k: cython.Py_ssize_t
    picked: cython.Py_ssize_t = 0
    for k in range(count):
        signal: cython.Py_ssize_t = index[k]
        if signal < 0 or signal >= signals:
            return ~k
        # written whether it is wanted or not, and written over if it is not: that is quicker than to guess
        theirs: cython.Py_ssize_t = route[signal]
        index_out[picked] = theirs
        ticks_out[picked] = ticks[k]
        flags_out[picked] = flags[k]
        values_out[picked] = values[k]
        picked += theirs >= 0
    return picked


def pick(
    route: NDArray[np.int32],
    index: NDArray[np.int32],
    ticks: NDArray[np.int64],
    flags: NDArray[np.uint32],
    values: NDArray[np.float32],
    index_out: NDArray[np.int32],
    ticks_out: NDArray[np.int64],
    flags_out: NDArray[np.uint32],
    values_out: NDArray[np.float32],
) -> int:
    """Copy the measurements of signals that have a route. All arrays are contiguous.

    Args:
        route: new signal indexes by old ones; negative for none. At least one.
        index: signal indexes, shape `(n,)` as the following; at least one.
        ticks: times.
        flags: flags.
        values: values.
        index_out: room for the new signal indexes, shape `(n,)` as the following.
        ticks_out: room for the times.
        flags_out: room for the flags.
        values_out: room for the values.

    Returns:
        How many were copied. Or `~k`, which is negative, when the signal index of measurement `k` is not in `route`.

    Raises:
        ValueError: columns of different length, of another type, or with gaps.
    """
    if not len(index) == len(ticks) == len(flags) == len(values):
        raise ValueError("columns of different length")
    if not len(index) == len(index_out) == len(ticks_out) == len(flags_out) == len(values_out):
        raise ValueError("room for fewer or more measurements than there are")
    if cython.compiled:
        route_view = cython.declare("const int[::1]", route)
        index_view = cython.declare("const int[::1]", index)
        ticks_view = cython.declare("const long long[::1]", ticks)
        flags_view = cython.declare("const unsigned int[::1]", flags)
        values_view = cython.declare("const float[::1]", values)
        index_room = cython.declare("int[::1]", index_out)
        ticks_room = cython.declare("long long[::1]", ticks_out)
        flags_room = cython.declare("unsigned int[::1]", flags_out)
        values_room = cython.declare("float[::1]", values_out)
        signals = cython.declare(cython.Py_ssize_t, len(route))
        count = cython.declare(cython.Py_ssize_t, len(index))
        picked = cython.declare(cython.Py_ssize_t, 0)
        with cython.nogil:
            picked = _pick(
                cython.cast(cython.p_int, cython.address(route_view[0])),
                signals,
                count,
                cython.cast(cython.p_int, cython.address(index_view[0])),
                cython.cast(cython.p_ulonglong, cython.address(ticks_view[0])),
                cython.cast(cython.p_uint, cython.address(flags_view[0])),
                cython.cast(cython.p_uint, cython.address(values_view[0])),
                cython.address(index_room[0]),
                cython.cast(cython.p_ulonglong, cython.address(ticks_room[0])),
                cython.address(flags_room[0]),
                cython.cast(cython.p_uint, cython.address(values_room[0])),
            )
        return picked
    return _pick(
        route.data, len(route), len(index),
        index.data, ticks.view("u8").data, flags.data, values.view("u4").data,
        index_out.data, ticks_out.view("u8").data, flags_out.data, values_out.view("u4").data,
    )  # fmt: skip
