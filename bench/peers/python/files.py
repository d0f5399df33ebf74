"""What ours/files does, in asyncio's threads.

Usage: files.py asyncio|uvloop cached|large|small DIR
"""

import asyncio
import os
import sys

from tasks import measure_ops

BLOCK = 4 << 10
BLOCKS = 256  # of the large file
FILES = 1000


def read(name):
    with open(name, "rb") as f:
        return f.read()


async def cached(fd):
    for i in range(BLOCKS):
        await asyncio.to_thread(os.pread, fd, BLOCK, i * BLOCK)


async def small(folder):
    await asyncio.gather(*(asyncio.to_thread(read, f"{folder}/{i}") for i in range(FILES)))


async def main(what, folder):
    if what == "cached":
        fd = os.open(f"{folder}/large", os.O_RDONLY)
        await measure_ops(BLOCKS, lambda: cached(fd))
    elif what == "large":
        await measure_ops(1, lambda: asyncio.to_thread(read, f"{folder}/large"))
    elif what == "small":
        await measure_ops(FILES, lambda: small(folder))
    else:
        sys.exit(f"files.py: no such measurement: {what}")


if sys.argv[1] == "uvloop":
    import uvloop

    uvloop.install()
asyncio.run(main(*sys.argv[2:]))
