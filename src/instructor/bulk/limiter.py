"""When the next request may be sent. Pure arithmetic over a clock that is passed in; nothing here waits.

Theory of operation. One `Limiter` serves all runs of a client, each by its `Share`. A request passes four gates:

    gate          whose    refuses
    concurrency   client   more calls in flight than the provider bears (`Concurrency` learns how many these are)
    windows       client   more requests or tokens a minute than the limits say (`Window`)
    pause         client   any call before the time that the provider named, when it refuses most calls
    budget        run      more tokens or money than the run may spend (`Budget`)

`Share.admit(now, tokens)` returns a `Ticket`, or the seconds until it is worth asking again, or None if the budget is
spent. A ticket is given back twice: `answered` or `refused` frees the place of the call, `settle` says which tokens the
call took. Between runs the free places are shared: a run does not take one while another with fewer calls waits.

The size of `Concurrency` follows the answers, never the latency, for latency follows the length of answers:

    phase        an answer                a round with too many refusals
    slow start   size + 1 (doubles)       size * 0.7, and steady from there
    steady       size + 1 / size          size * 0.7, once for all calls that were in flight then

A single refusal costs only its own call: providers refuse some calls at any load.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from instructor.bulk.limits import Limits
from instructor.usage import Usage

MINUTE = 60.0
_TRANSIT = 1.0
"""How long a request may take to arrive. Until its answer shows that it has, it may count in a later minute."""
_FIRST_SIZE = 8
_DECREASE = 0.7
_TOO_MANY = 0.15
"""The share of refused calls in a round, above which the provider cannot bear so many."""


@dataclass(slots=True)
class Entry:
    """What one request takes of a window: an amount, until a time."""

    amount: float
    started: float
    expires: float


class Window:
    """A limit over every stretch of time of one length.

    An amount above the limit is let through when nothing else is in the window, and keeps it closed for as long as
    such an amount should take.
    """

    def __init__(self, limit: float, length: float = MINUTE) -> None:
        self.limit, self._length = limit, length
        self._entries: deque[Entry] = deque()
        self.total = 0.0

    def seconds_until(self, now: float, amount: float) -> float:
        """Return how long an amount must wait; 0 if there is room now."""
        entries = self._entries
        while entries and entries[0].expires <= now:
            self.total -= entries.popleft().amount
        if not entries:
            self.total = 0.0  # and no error of rounding stays
            return 0.0
        excess = self.total + min(amount, self.limit) - self.limit
        wait = 0.0
        for entry in entries:
            if excess <= 1e-9:
                break
            excess -= entry.amount
            wait = max(wait, entry.expires - now)
        return wait

    def add(self, now: float, amount: float) -> Entry:
        """Count a request that is sent now."""
        entry = Entry(amount, now, 0.0)
        entry.expires = self._expiry(entry, now + _TRANSIT)
        self._entries.append(entry)
        self.total += amount
        return entry

    def settle(self, entry: Entry, now: float, amount: float) -> None:
        """Correct the amount of a request that was answered now. One that has left the window stays out."""
        if entry.expires > now:
            self.total += amount - entry.amount
            entry.amount = amount
            entry.expires = self._expiry(entry, min(now, entry.started + _TRANSIT))

    def _expiry(self, entry: Entry, arrived: float) -> float:
        return arrived + self._length * max(1.0, entry.amount / self.limit)


class Concurrency:
    """How many calls may be in flight: as many as the provider answers, up to `most`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.size: float = min(_FIRST_SIZE, most)
        self.in_flight = 0
        self.generation = 0
        """Counts the decreases. Calls of an earlier generation say nothing about the size of this one."""
        self._starts = True
        self._answers = self._refusals = 0

    @property
    def free(self) -> int:
        return max(1, int(self.size)) - self.in_flight

    def answered(self, generation: int) -> None:
        """Count an answer."""
        if self.size < self.most:
            self.size = min(self.most, self.size + (1 if self._starts else 1 / self.size))
        self._count(generation)

    def refused(self, generation: int) -> bool:
        """Count a refusal because of a rate limit; return whether the size was decreased."""
        if generation != self.generation:
            return False
        self._refusals += 1
        if self._refusals <= max(1, _TOO_MANY * self.size):
            self._count(generation)
            return False
        self.size = max(1.0, self.size * _DECREASE)
        self._starts = False
        self.generation += 1
        self._answers = self._refusals = 0
        return True

    def _count(self, generation: int) -> None:
        if generation == self.generation:
            self._answers += 1
            if self._answers >= max(_FIRST_SIZE, self.size):
                self._answers = self._refusals = 0


class Budget:
    """A sum that must not be exceeded. The mean of the calls so far is reserved for each call in flight."""

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self.spent = 0.0
        self._calls = 0

    @property
    def mean(self) -> float | None:
        """What a call took so far, on the average."""
        return self.spent / self._calls if self._calls else None

    def admits(self, in_flight: int, guess: float) -> bool:
        """Return whether one more call may be made; `guess` is what it takes, as long as no call is known."""
        if self.limit is None:
            return True
        each = guess if self.mean is None else self.mean
        return self.spent < self.limit and self.spent + (in_flight + 1) * each <= self.limit + 1e-12

    def add(self, amount: float) -> None:
        """Count what a call took."""
        self.spent += amount
        self._calls += 1


@dataclass(slots=True)
class Ticket:
    """The right to send one request."""

    started: float
    generation: int
    requests: Entry | None = None
    tokens: Entry | None = None


@dataclass(slots=True)
class Limiter:
    """The limits of one client."""

    concurrency: Concurrency = field(default_factory=lambda: Concurrency(1))
    shares: list[Share] = field(default_factory=list)
    requests: Window | None = None
    tokens: Window | None = None
    paused_until: float = -math.inf
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Runs of one client may be in several threads."""

    def join(self, limits: Limits) -> Share:
        """Return the share of a new run. As long as it is there, its limits hold for all runs."""
        with self.lock:
            share = Share(self, limits)
            self.shares.append(share)
            self._tighten()
            return share

    def leave(self, share: Share) -> None:
        with self.lock:
            self.shares.remove(share)
            if self.shares:
                self._tighten()

    def _tighten(self) -> None:
        self.concurrency.most = max(share.limits.concurrency for share in self.shares)
        self.concurrency.size = min(max(self.concurrency.size, _FIRST_SIZE), self.concurrency.most)
        self.requests = _window(self.requests, [share.limits.rpm for share in self.shares])
        self.tokens = _window(self.tokens, [share.limits.tpm for share in self.shares])


def _window(window: Window | None, limits: list[int | None]) -> Window | None:
    known = [limit for limit in limits if limit is not None]
    if not known:
        return None
    if window is None:
        return Window(min(known))
    window.limit = min(known)
    return window


class Share:
    """One run's part of a client's limits."""

    def __init__(self, limiter: Limiter, limits: Limits) -> None:
        self._limiter, self.limits = limiter, limits
        self.in_flight = 0
        self._unsettled = 0  # answers whose tokens are not counted yet
        self.waits = False
        """Whether a request of this run waits for a place."""
        self.tokens, self.cost = Budget(limits.total_tokens), Budget(limits.max_cost)

    def admit(self, now: float, guess: int) -> Ticket | float | None:
        """Return a ticket for a request, or after how many seconds to ask again; None if the budget is spent.

        Args:
            now: The time.
            guess: The tokens that the request will take, with its answer, as far as its text says.
        """
        limiter, limits = self._limiter, self.limits
        with limiter.lock:
            self.waits = False
            tokens = guess if self.tokens.mean is None else self.tokens.mean
            price = 0.0 if limits.prices is None else limits.prices.of(Usage(input_tokens=guess))
            open_calls = self.in_flight + self._unsettled
            if not (self.tokens.admits(open_calls, tokens) and self.cost.admits(open_calls, price)):
                return math.inf if open_calls else None
            if now < limiter.paused_until:
                return limiter.paused_until - now
            if self.in_flight >= limits.concurrency:
                return math.inf
            if limiter.concurrency.free <= 0 or self._lets_others(limiter):
                self.waits = True
                return math.inf if self.in_flight else 0.05  # another run's call frees the place
            wait = max(
                limiter.requests.seconds_until(now, 1) if limiter.requests else 0.0,
                limiter.tokens.seconds_until(now, tokens) if limiter.tokens else 0.0,
            )
            if wait > 0:
                self.waits = True
                return wait
            limiter.concurrency.in_flight += 1
            self.in_flight += 1
            return Ticket(
                now,
                limiter.concurrency.generation,
                limiter.requests.add(now, 1) if limiter.requests else None,
                limiter.tokens.add(now, tokens) if limiter.tokens else None,
            )

    def _lets_others(self, limiter: Limiter) -> bool:
        return len(limiter.shares) > 1 and any(
            other.waits and other.in_flight < self.in_flight for other in limiter.shares if other is not self
        )

    @property
    def spent(self) -> Literal["total_tokens", "max_cost"]:
        """Which budget is spent, once `admit` has returned None."""
        return "max_cost" if self.tokens.admits(0, self.tokens.mean or 0) else "total_tokens"

    @property
    def size(self) -> float:
        """How many calls of this run could be in flight, if there were no other run."""
        return min(self.limits.concurrency, self._limiter.concurrency.size)

    def _freed(self, ticket: Ticket, now: float) -> None:
        self._limiter.concurrency.in_flight -= 1
        self.in_flight -= 1
        if ticket.requests is not None and self._limiter.requests is not None:
            self._limiter.requests.settle(ticket.requests, now, 1)

    def answered(self, ticket: Ticket, now: float, held_until: float | None = None) -> None:
        """Free the place of a call that was answered; `held_until` is when the provider has room again."""
        with self._limiter.lock:
            self._freed(ticket, now)
            self._unsettled += 1
            self._limiter.concurrency.answered(ticket.generation)
            if held_until is not None:
                self._limiter.paused_until = max(self._limiter.paused_until, min(held_until, now + MINUTE))

    def refused(self, ticket: Ticket, now: float, retry_after: float | None) -> None:
        """Free the place of a call that was refused by a rate limit. If many are, all calls wait for `retry_after`."""
        with self._limiter.lock:
            self._freed(ticket, now)
            if self._limiter.concurrency.refused(ticket.generation) and retry_after:
                self._limiter.paused_until = max(self._limiter.paused_until, now + retry_after)
            self._untake(ticket, now)

    def failed(self, ticket: Ticket, now: float) -> None:
        """Free the place of a call that failed otherwise, or was cancelled."""
        with self._limiter.lock:
            self._freed(ticket, now)
            self._untake(ticket, now)

    def _untake(self, ticket: Ticket, now: float) -> None:
        if ticket.tokens is not None and self._limiter.tokens is not None:
            self._limiter.tokens.settle(ticket.tokens, now, 0)

    def settle(self, ticket: Ticket, now: float, usage: Usage) -> None:
        """Count the tokens of a call that was answered."""
        with self._limiter.lock:
            total = usage.total_tokens
            self._unsettled -= 1
            if ticket.tokens is not None and self._limiter.tokens is not None:
                self._limiter.tokens.settle(ticket.tokens, now, total)
            self.count(usage)

    def count(self, usage: Usage) -> None:
        """Count tokens for the budgets alone."""
        self.tokens.add(usage.total_tokens)
        if self.limits.prices is not None:
            self.cost.add(self.limits.prices.of(usage))

    def has_budget(self) -> bool:
        """Return whether the budgets admit another request."""
        return self.tokens.admits(0, self.tokens.mean or 0) and self.cost.admits(0, 0.0)

    def leave(self) -> None:
        """Let the other runs have this share."""
        self._limiter.leave(self)
