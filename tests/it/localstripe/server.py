"""localstripe on a free port of loopback. It says its port, and ends when its standard input does. It keeps nothing on a disk, and does not
know `description`, which Stripe does: that alone is taken off a request before localstripe, which refuses what it does not know, sees it."""

import asyncio
import logging
import sys
import threading

from aiohttp import web
from localstripe import resources, server

logging.getLogger("aiohttp.access").setLevel(logging.ERROR)
resources.store.dump_to_disk = lambda: None

create = resources.PaymentIntent._api_create.__func__


def create_described(cls, description=None, **data):
    return create(cls, **data)


resources.PaymentIntent._api_create = classmethod(create_described)


async def main():
    runner = web.AppRunner(server.app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"port {site._server.sockets[0].getsockname()[1]}", flush=True)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def watch():
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=watch, daemon=True).start()
    await ended.wait()
    await runner.cleanup()


asyncio.run(main())
