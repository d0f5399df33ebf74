"""The echo server on CPython's asyncio, or on uvloop.

Usage: echo.py asyncio|uvloop streams|protocols|tls|udp PORT
"""

import asyncio
import ssl
import sys

BACKLOG = 4096


async def echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # the client has gone
    finally:
        writer.close()


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


class EchoPackets(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(data, address)


async def main(mode, port):
    loop = asyncio.get_running_loop()
    if mode == "streams":
        await asyncio.start_server(echo, "127.0.0.1", port, backlog=BACKLOG)
    elif mode == "protocols":
        await loop.create_server(Echo, "127.0.0.1", port, backlog=BACKLOG)
    elif mode == "tls":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain("build/cert.pem", "build/key.pem")
        loop.set_exception_handler(lambda *_: None)  # clients that go without a farewell
        await asyncio.start_server(echo, "127.0.0.1", port, backlog=BACKLOG, ssl=context)
    else:
        await loop.create_datagram_endpoint(EchoPackets, ("127.0.0.1", port))
    await loop.create_future()


if sys.argv[1] == "uvloop":
    import uvloop

    uvloop.install()
asyncio.run(main(sys.argv[2], int(sys.argv[3])))
