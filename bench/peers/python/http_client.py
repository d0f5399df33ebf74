"""Requests with aiohttp, on asyncio's loop or on uvloop.

Usage: http_client.py asyncio|uvloop URL CONCURRENCY REQUESTS
"""

import asyncio
import sys
import time

import aiohttp


async def main(url, concurrency, requests):
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def worker(requests):
            for _ in range(requests):
                async with session.get(url) as response:
                    await response.read()

        async def run(requests):
            await asyncio.gather(*(worker(requests // concurrency) for _ in range(concurrency)))

        await run(max(requests // 10, concurrency))  # warm-up
        start = time.perf_counter()
        await run(requests)
        took = time.perf_counter() - start
    made = requests // concurrency * concurrency
    print(f"req/s {made / took:.0f}")
    print(f"us {took / made * 1e6:.2f}")


if __name__ == "__main__":
    if sys.argv[1] == "uvloop":
        import uvloop

        uvloop.install()
    asyncio.run(main(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
