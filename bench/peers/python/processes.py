"""What ours/processes does, on asyncio. Usage: processes.py asyncio|uvloop N"""

import asyncio
import sys

from tasks import measure_ops

PROCESSES = 200


async def run_some(n):
    for _ in range(n):
        process = await asyncio.create_subprocess_exec("/bin/true")
        if await process.wait() != 0:
            sys.exit("processes.py: /bin/true failed")


async def run(n):
    await asyncio.gather(*(run_some(PROCESSES // n) for _ in range(n)))


if sys.argv[1] == "uvloop":
    import uvloop

    uvloop.install()
n = int(sys.argv[2])
asyncio.run(measure_ops(PROCESSES, lambda: run(n)))
