"""Calls the flaky tool with the public Python SDK: `sdk_client.py URL | COMMAND...`."""

import asyncio
import sys

from mcp import ClientSession, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamablehttp_client


async def main():
    command, *arguments = sys.argv[1:]
    if command.startswith("http"):
        connection = streamablehttp_client(command)
    else:
        connection = stdio_client(StdioServerParameters(command=command, args=arguments))
    async with connection as streams:
        async with ClientSession(*streams[:2]) as session:
            await session.initialize()
            assert [tool.name for tool in (await session.list_tools()).tools]
            arguments = {"key": f"sdk {command}", "fail_times": 2, "mode": "isError"}
            print((await session.call_tool("flaky", arguments)).content[0].text)


asyncio.run(main())
