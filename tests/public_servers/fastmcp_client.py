"""Calls the flaky tool with FastMCP: `fastmcp_client.py URL | COMMAND...`."""

import asyncio
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport


async def main():
    command, *arguments = sys.argv[1:]
    target = command if command.startswith("http") else StdioTransport(command, arguments)
    async with Client(target) as client:
        assert await client.list_tools()
        arguments = {"key": f"fastmcp {command}", "fail_times": 2, "mode": "isError"}
        print((await client.call_tool("flaky", arguments)).content[0].text)


asyncio.run(main())
