"""What ours/tasks does with groups, timeouts and cancellation, on asyncio."""

import asyncio
import time

ROUNDS = 20_000


async def nothing():
    pass


async def number():
    return 1


async def gather(n, groups):
    for _ in range(groups):
        await asyncio.gather(*(number() for _ in range(n)))


async def group(n, groups):
    for _ in range(groups):
        async with asyncio.TaskGroup() as g:
            for _ in range(n):
                g.create_task(nothing())


async def timeout(_):
    for _ in range(ROUNDS):
        async with asyncio.timeout(1):
            await nothing()


async def timeout_yield(_):
    for _ in range(ROUNDS):
        async with asyncio.timeout(1):
            await asyncio.sleep(0)


async def waiting_tasks(n):
    loop = asyncio.get_running_loop()

    async def wait():
        await loop.create_future()

    tasks = [asyncio.create_task(wait()) for _ in range(n)]
    await asyncio.sleep(0)
    return tasks


async def cancel_each(n):
    """Returns how long it takes to cancel n tasks that wait, and to await their end."""
    tasks = await waiting_tasks(n)
    start = time.perf_counter()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return time.perf_counter() - start


async def cancel_group(n):
    """Is cancel_each with a gather that is cancelled as a whole."""
    tasks = await waiting_tasks(n)
    together = asyncio.gather(*tasks, return_exceptions=True)
    start = time.perf_counter()
    together.cancel()
    try:
        await together
    except asyncio.CancelledError:
        pass
    return time.perf_counter() - start
