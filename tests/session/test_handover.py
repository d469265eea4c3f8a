from __future__ import annotations

from session_pair import cache
from sttp.session.handover import Handover, Offer
from sttp.wire.subscription import SubscriptionOptions


def offer(first: int) -> Offer:
    return Offer(cache(1, first), b"", SubscriptionOptions())


def test_the_slots_are_taken_in_turn_from_0_on() -> None:
    handover = Handover()
    for number, slot in enumerate((0, 1, 0, 1)):
        offered = offer(number + 1)
        assert handover.next_index == slot
        assert handover.offer(offered) is offered
        assert handover.confirm() is handover.in_force is offered
        assert handover.index == slot


def test_what_was_in_force_stays_so_until_the_confirm() -> None:
    handover = Handover()
    first, second = offer(1), offer(2)
    handover.offer(first)
    assert handover.in_force is None
    handover.confirm()
    handover.offer(second)
    assert handover.in_force is first
    assert handover.index == 0


def test_of_those_that_wait_only_the_newest_survives() -> None:
    handover = Handover()
    first, second, third = offer(1), offer(2), offer(3)
    handover.offer(first)
    assert handover.offer(second) is None
    assert handover.offer(third) is None
    assert handover.confirm() is first
    assert handover.take_waiting() is third
    assert handover.take_waiting() is None


def test_a_confirm_of_nothing_changes_nothing() -> None:
    handover = Handover()
    assert handover.confirm() is None
    assert (handover.in_force, handover.index) == (None, 1)


def test_forgetting_leaves_the_turn_as_it_is() -> None:
    handover = Handover()
    handover.offer(offer(1))
    handover.confirm()
    handover.offer(offer(2))
    handover.offer(offer(3))
    handover.forget()
    assert handover.in_force is None
    assert handover.take_waiting() is None
    assert handover.confirm() is None
    assert handover.next_index == 1
