"""What ours/tasks does with locks, events and queues, on asyncio."""

import asyncio

ROUNDS = 20_000


async def lock(tasks):
    mu = asyncio.Lock()

    async def turns():
        for _ in range(ROUNDS // tasks):
            async with mu:
                await asyncio.sleep(0)
            await asyncio.sleep(0)

    await asyncio.gather(*(turns() for _ in range(tasks)))


async def lock_uncontended(_):
    mu = asyncio.Lock()
    for _ in range(ROUNDS):
        async with mu:
            pass


async def semaphore(tasks):
    room = asyncio.Semaphore(max(1, tasks // 10))

    async def turns():
        for _ in range(ROUNDS // tasks):
            async with room:
                await asyncio.sleep(0)
            await asyncio.sleep(0)

    await asyncio.gather(*(turns() for _ in range(tasks)))


async def semaphore_uncontended(_):
    room = asyncio.Semaphore(1)
    for _ in range(ROUNDS):
        async with room:
            pass


async def bounded_uncontended(_):
    room = asyncio.BoundedSemaphore(1)
    for _ in range(ROUNDS):
        async with room:
            pass


async def event(_):
    ping, pong = asyncio.Event(), asyncio.Event()

    async def partner():
        for _ in range(ROUNDS // 2):
            await ping.wait()
            ping.clear()
            pong.set()

    task = asyncio.create_task(partner())
    for _ in range(ROUNDS // 2):
        ping.set()
        await pong.wait()
        pong.clear()
    await task


async def event_uncontended(_):
    flag = asyncio.Event()
    for _ in range(ROUNDS):
        flag.set()
        await flag.wait()
        flag.clear()


async def queue(_):
    ping, pong = asyncio.Queue(1), asyncio.Queue(1)

    async def partner():
        for _ in range(ROUNDS // 2):
            await pong.put(await ping.get())

    task = asyncio.create_task(partner())
    for i in range(ROUNDS // 2):
        await ping.put(i)
        await pong.get()
    await task


async def queue_uncontended(_):
    q = asyncio.Queue(1)
    for i in range(ROUNDS):
        await q.put(i)
        await q.get()


async def condition(_):
    c, turn = asyncio.Condition(), 0

    async def player(me):
        nonlocal turn
        for _ in range(ROUNDS // 2):
            async with c:
                while turn != me:
                    await c.wait()
                turn = 1 - me
                c.notify()

    await asyncio.gather(player(0), player(1))


async def condition_uncontended(_):
    c = asyncio.Condition()
    for _ in range(ROUNDS):
        async with c:
            c.notify()
