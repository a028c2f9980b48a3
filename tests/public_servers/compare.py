#!/usr/bin/env python3
"""Asks a public MCP server the same things directly and through the proxy, and compares the raw results.

    compare.py HOST_HARNESS COMMAND [ARG...]

The client is the public Python SDK (`pip install mcp`). Results are compared as
JSON values with their key order. What differs between two *direct* runs as well
(times, random bytes) is left out of the comparison and listed.
"""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters, stdio_client
from mcp import types
from pydantic import TypeAdapter

ANYTHING = TypeAdapter(dict)
# Tools that only make sense with arguments, and those that wait on purpose.
ARGUMENTS = {
    "echo": {"message": "hello"},
    "get-sum": {"a": 0.1, "b": 0.2},
    "get-annotated-message": {"messageType": "error", "includeImage": True},
    "get-resource-links": {"count": 3},
    "get-resource-reference": {"resourceType": "Text", "resourceId": 1},
    "get-structured-content": {"location": "New York"},
    "trigger-long-running-operation": {"duration": 1, "steps": 3},
    "simulate-research-query": {"topic": "retries"},
}
# It answers with the environment, which holds process ids and the like; toggles run for ever.
SKIPPED = {"get-env", "toggle-simulated-logging", "toggle-subscriber-updates", "simulate-research-query"}


async def ask_everything(command, arguments):
    """All answers of one session, by question, as raw JSON."""
    answers = {}
    progress = []

    async with stdio_client(StdioServerParameters(command=command, args=arguments)) as streams:
        # A call that is an error today may be retried: slow, not wrong.
        async with ClientSession(*streams, read_timeout_seconds=60) as session:
            initialized = await session.initialize()
            answers["initialize"] = initialized.model_dump(mode="json", by_alias=True)

            async def ask(method, **params):
                request = types.Request[dict, str](method=method, params=params)
                try:
                    answer = await session.send_request(request, ANYTHING)
                except Exception as error:  # a JSON-RPC error is an answer, too
                    answer = {"error": str(error)}
                answers[f"{method} {json.dumps(params)}"] = answer
                return answer

            tools = await ask("tools/list")
            for tool in sorted(tool["name"] for tool in tools["tools"]):
                if tool not in SKIPPED:
                    await ask("tools/call", name=tool, arguments=ARGUMENTS.get(tool, {}))
            await ask("tools/call", name="no such tool", arguments={})
            await ask("tools/call", name="echo", arguments={"message": 7})
            for resource in (await ask("resources/list"))["resources"][:5]:
                await ask("resources/read", uri=resource["uri"])
            await ask("resources/templates/list")
            await ask("resources/read", uri="no://such/resource")
            for prompt in (await ask("prompts/list"))["prompts"]:
                values = {one["name"]: "1" for one in prompt.get("arguments", [])}
                await ask("prompts/get", name=prompt["name"], arguments=values)
            await ask("ping")
            await ask("no/such/method")

            async def on_progress(done, total, _message):
                progress.append([done, total])

            await session.call_tool(
                "trigger-long-running-operation", {"duration": 1, "steps": 4}, progress_callback=on_progress
            )
            answers["progress"] = progress
    return {question: json.dumps(answer) for question, answer in answers.items()}


async def main():
    proxy, *server = sys.argv[1:]
    direct = await ask_everything(server[0], server[1:])
    again = await ask_everything(server[0], server[1:])
    proxied = await ask_everything(proxy, ["proxy", "--", *server])

    varying = {question for question in direct if direct[question] != again.get(question)}
    differing = {
        question
        for question in direct.keys() | proxied.keys()
        if question not in varying and direct.get(question) != proxied.get(question)
    }
    for question in sorted(varying):
        print(f"varies by itself: {question}")
        print(f"  direct:  {direct[question][:200]}\n  proxied: {proxied.get(question, '')[:200]}")
    for question in sorted(differing):
        print(f"DIFFERS: {question}")
        print(f"  direct:  {direct.get(question)}\n  proxied: {proxied.get(question)}")
    errors = sum('"error"' in answer[:10] for answer in proxied.values())
    print(
        f"{len(direct) - len(varying)} answers compared ({errors} of them JSON-RPC errors), "
        f"{len(differing)} differ, {len(varying)} vary by themselves"
    )
    sys.exit(bool(differing))


asyncio.run(main())
