"""What ours/tasks does, on CPython's asyncio or on uvloop.

Usage: tasks.py asyncio|uvloop WHAT [N]
"""

import asyncio
import gc
import os
import statistics
import sys
import time

import groups
import sync

ROUNDS = 20_000
AT_LEAST = 0.5  # seconds for which a measurement is repeated


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


async def measure_ops(n, fn):
    await fn()
    times, begin = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - begin < AT_LEAST:
        start = time.perf_counter()
        await fn()
        times.append((time.perf_counter() - start) / n)
    print(f"ns {statistics.median(times) * 1e9:.1f}")


async def measure_timed(n, fn):
    """Is measure_ops for an fn that prepares something first and takes the time itself."""
    await fn()
    times, begin = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - begin < AT_LEAST:
        gc.collect()
        times.append(await fn() / n)
    print(f"ns {statistics.median(times) * 1e9:.1f}")


async def measure_items(n, fn):
    gc.collect()
    before, start = resident(), time.perf_counter()
    kept = await fn()
    took = time.perf_counter() - start
    print(f"ns {took / n * 1e9:.0f}")
    print(f"rss-bytes {(resident() - before) / n:.0f}")
    sys.stdout.flush()
    os._exit(0)  # a million tasks need not be cancelled one by one; kept is alive until here


async def nothing():
    pass


async def spawn(n):
    for task in [asyncio.create_task(nothing()) for _ in range(n)]:
        await task


async def spawn_await(_):
    for _ in range(ROUNDS):
        await asyncio.create_task(nothing())


async def yield_(tasks, each):
    async def turns():
        for _ in range(each):
            await asyncio.sleep(0)

    await asyncio.gather(*(turns() for _ in range(tasks)))


async def future(_):
    loop = asyncio.get_running_loop()

    async def play(number, back):
        while number < ROUNDS:
            answer = loop.create_future()
            back.set_result((number + 1, answer))
            if number + 1 >= ROUNDS:
                return
            number, back = await answer

    first = loop.create_future()

    async def partner():
        await play(*await first)

    task = asyncio.create_task(partner())
    await asyncio.sleep(0)
    await play(0, first)
    await task


async def sleepers(n):
    tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(n)]
    await asyncio.sleep(0)
    return tasks


async def after(n):
    loop = asyncio.get_running_loop()

    def one():
        future = loop.create_future()
        loop.call_later(3600, future.set_result, None)
        return future

    return [one() for _ in range(n)]


# What does ROUNDS operations, with a number of tasks where that matters.
IN_ROUNDS = {
    "spawn-await": spawn_await,
    "queue": sync.queue,
    "queue-uncontended": sync.queue_uncontended,
    "lock": sync.lock,
    "lock-uncontended": sync.lock_uncontended,
    "semaphore": sync.semaphore,
    "semaphore-uncontended": sync.semaphore_uncontended,
    "bounded-uncontended": sync.bounded_uncontended,
    "event": sync.event,
    "event-uncontended": sync.event_uncontended,
    "condition": sync.condition,
    "condition-uncontended": sync.condition_uncontended,
    "future": future,
    "timeout": groups.timeout,
    "timeout-yield": groups.timeout_yield,
}


async def main(what, n):
    if what == "spawn":
        await measure_ops(n, lambda: spawn(n))
    elif what == "yield":
        each = max(100_000 // n, 100)
        await measure_ops(n * each, lambda: yield_(n, each))
    elif what in ("gather", "group"):
        times = max(1, ROUNDS // n)
        await measure_ops(times * n, lambda: getattr(groups, what)(n, times))
    elif what in ("cancel", "cancel-group"):
        cancel = {"cancel": groups.cancel_each, "cancel-group": groups.cancel_group}[what]
        await measure_timed(n, lambda: cancel(n))
    elif what in ("sleepers", "after"):
        await measure_items(n, lambda: {"sleepers": sleepers, "after": after}[what](n))
    elif what in IN_ROUNDS:
        await measure_ops(ROUNDS, lambda: IN_ROUNDS[what](max(n, 2)))
    else:
        sys.exit(f"tasks.py: no such measurement: {what}")


if __name__ == "__main__":
    if sys.argv[1] == "uvloop":
        import uvloop

        uvloop.install()
    asyncio.run(main(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0))
