"""The limiter against a simulated clock: strict windows, learning, budgets, fairness."""

from __future__ import annotations

import heapq
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructor.bulk import Limits, Prices
from instructor.bulk.limiter import MINUTE, Concurrency, Limiter, Share, Ticket, Window
from instructor.exceptions import ConfigurationError
from instructor.usage import Usage


def simulate(share: Share, calls: list[tuple[float, int]], guess: int = 10) -> list[tuple[float, float, int]]:
    """Send calls of (latency, tokens) one after the other as soon as they may; return (start, end, tokens) of each."""
    now, order, done = 0.0, itertools.count(), []
    ends: list[tuple[float, int, Ticket, int]] = []
    for latency, tokens in calls:
        while True:
            answer = share.admit(now, guess)
            if isinstance(answer, Ticket):
                heapq.heappush(ends, (now + latency, next(order), answer, tokens))
                break
            assert answer is not None
            until = now + answer
            if ends and ends[0][0] <= until:
                until, _, ticket, used = heapq.heappop(ends)
                share.answered(ticket, until)
                share.settle(ticket, until, Usage(input_tokens=used))
                done.append((ticket.started, until, used))
            now = max(now, until)
    for until, _, ticket, used in sorted(ends):
        share.answered(ticket, until)
        share.settle(ticket, until, Usage(input_tokens=used))
        done.append((ticket.started, until, used))
    return sorted(done)


def worst(times: list[tuple[float, float]]) -> float:
    """Return the largest sum of (time, amount) in any minute that begins with one of them."""
    return max(sum(a for t, a in times if start <= t < start + MINUTE) for start, _ in times)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.lists(st.floats(0.01, 90), min_size=1, max_size=120), st.integers(0, 99))
def test_no_minute_has_more_requests_than_the_limit_wherever_they_arrive(
    rpm: int, latencies: list[float], seed: int
) -> None:
    share = Limiter().join(Limits(concurrency=16, rpm=rpm))
    chance = random.Random(seed)
    done = simulate(share, [(latency, 1) for latency in latencies])
    arrivals = [(start + chance.random() * min(end - start, 1.0), 1.0) for start, end, _ in done]
    assert worst(sorted(arrivals)) <= rpm


def test_no_minute_has_more_tokens_than_the_limit_if_the_guess_holds() -> None:
    share = Limiter().join(Limits(concurrency=16, tpm=1000))
    done = simulate(share, [(0.5, 90)] * 100, guess=90)
    assert worst([(start, tokens) for start, _, tokens in done]) <= 1000
    assert done[-1][0] < 100 * 90 / 1000 * MINUTE * 1.1  # and it is not much slower than it must be


def test_a_request_above_the_limit_goes_alone_and_is_repaid() -> None:
    window = Window(100)
    window.add(0.0, 10)
    assert window.seconds_until(1.0, 300) == pytest.approx(60.0)
    entry = window.add(61.0, 300)
    window.settle(entry, 61.5, 300)
    assert window.seconds_until(62.0, 1) == pytest.approx(179.5)


def test_tokens_that_were_not_used_are_given_back() -> None:
    window = Window(100)
    entry = window.add(0.0, 90)
    assert window.seconds_until(1.0, 50) > 0
    window.settle(entry, 1.0, 20)
    assert window.seconds_until(1.0, 50) == 0


def test_concurrency_starts_slowly_and_reaches_the_limit_after_a_few_rounds() -> None:
    concurrency, rounds = Concurrency(64), 0
    while concurrency.size < 64:
        for _ in range(int(concurrency.size)):
            concurrency.answered(concurrency.generation)
        rounds += 1
    assert rounds == 3


def test_scattered_refusals_do_not_slow_the_others_down() -> None:
    concurrency, chance = Concurrency(64), random.Random(1)
    for _ in range(2000):
        if chance.random() < 0.03:
            concurrency.refused(concurrency.generation)
        else:
            concurrency.answered(concurrency.generation)
    assert concurrency.size == 64


def test_many_refusals_decrease_it_once_for_all_calls_in_flight() -> None:
    concurrency = Concurrency(100)
    concurrency.size = 100
    decreases = [concurrency.refused(0) for _ in range(100)]
    assert decreases.count(True) == 1
    assert concurrency.size == pytest.approx(70)
    before = concurrency.size
    for _ in range(70):
        concurrency.answered(concurrency.generation)
    assert concurrency.size == pytest.approx(before + 1, abs=0.05)


def test_a_single_refusal_pauses_nobody_and_many_pause_all() -> None:
    share = Limiter().join(Limits(concurrency=8))
    tickets = [share.admit(0.0, 1) for _ in range(8)]
    assert all(isinstance(ticket, Ticket) for ticket in tickets)
    share.refused(tickets[0], 1.0, 30.0)  # type: ignore[arg-type]
    assert isinstance(share.admit(1.0, 1), Ticket)
    for ticket in tickets[1:]:
        share.refused(ticket, 1.0, 30.0)  # type: ignore[arg-type]
    assert share.admit(1.0, 1) == pytest.approx(30.0)


def test_retry_after_zero_never_pauses_the_others() -> None:
    share = Limiter().join(Limits(concurrency=8))
    tickets = [share.admit(0.0, 1) for _ in range(8)]
    for ticket in tickets:
        share.refused(ticket, 1.0, 0.0)  # type: ignore[arg-type]
    assert isinstance(share.admit(1.0, 1), Ticket)


@pytest.mark.parametrize("limit", ["total_tokens", "max_cost"])
def test_a_budget_is_exceeded_by_no_more_than_the_calls_in_flight(limit: str) -> None:
    prices = Prices(input=1_000_000, output=1_000_000)  # one token costs 1
    budget = Limits(concurrency=4, prices=prices, **{limit: 1000})
    share, open_, spent, chance = Limiter().join(budget), [], 0, random.Random(2)
    while True:
        answer = share.admit(0.0, 20)
        if isinstance(answer, Ticket):
            open_.append(answer)
            continue
        if answer is None:
            break
        ticket, used = open_.pop(0), chance.randrange(10, 60)
        share.answered(ticket, 0.0)
        share.settle(ticket, 0.0, Usage(input_tokens=used))
        spent += used
    assert not open_
    assert 1000 - 60 <= spent <= 1000 + 4 * 60


def test_runs_of_one_client_share_its_places() -> None:
    limiter = Limiter()
    one, two = limiter.join(Limits(concurrency=8)), limiter.join(Limits(concurrency=8))
    held = {one: [t for t in (one.admit(0.0, 1) for _ in range(8)) if isinstance(t, Ticket)], two: []}
    for _ in range(100):
        if isinstance(ticket := two.admit(0.0, 1), Ticket):
            held[two].append(ticket)
        if isinstance(ticket := one.admit(0.0, 1), Ticket):
            held[one].append(ticket)
        longest = max(held.values(), key=len)
        limiter.shares[0].failed(longest.pop(0), 0.0) if longest is held[one] else two.failed(longest.pop(0), 0.0)
        assert one.in_flight + two.in_flight <= 8
    assert abs(one.in_flight - two.in_flight) <= 2


def test_the_tightest_limit_of_all_runs_holds_until_its_run_ends() -> None:
    limiter = Limiter()
    one, two = limiter.join(Limits(rpm=100)), limiter.join(Limits(rpm=2))
    assert [isinstance(one.admit(0.0, 1), Ticket) for _ in range(3)] == [True, True, False]
    two.leave()
    assert isinstance(one.admit(0.0, 1), Ticket)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"concurrency": 0}, "concurrency must be a whole number above 0, got 0."),
        ({"rpm": 1.5}, "rpm must be a whole number above 0, got 1.5."),
        ({"max_cost": "5"}, "max_cost must be a number above 0, got '5'."),
        ({"prices": (1, 2)}, r"prices must be an instructor.bulk.Prices, got \(1, 2\)."),
    ],
)
def test_a_wrong_limit_is_named(wrong: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        Limits(**wrong)  # type: ignore[arg-type]


def test_prices() -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=100_000, cached_tokens=400_000)
    assert Prices(input=1, output=4).of(usage) == pytest.approx(1.4)
    assert Prices(input=1, output=4, cached=0.5).of(usage) == pytest.approx(1.2)


def test_prices_of_well_known_models() -> None:
    assert Prices.of_model("openai", "gpt-4o-mini") == Prices(input=0.15, output=0.6, cached=0.075)
    assert Prices.of_model("openai", "no such model") is None
    assert Prices.of_model("openai", None) is None
