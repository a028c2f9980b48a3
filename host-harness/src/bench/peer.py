"""Measures the peer (cpex-retry-with-backoff) in a process of its own.

Started by `host-harness bench`. Prints one JSON object on stdout. The clock is
the monotonic one that the Rust side reads as well.

    peer.py sequential <samples> <milliseconds for each>
    peer.py concurrent <threads> <rounds>
"""

import asyncio
import json
import logging
import sys
import threading
from importlib.metadata import version
from time import perf_counter_ns

from cpex.framework import GlobalContext, PluginConfig, PluginContext, ToolPostInvokePayload
from cpex_retry_with_backoff.retry_with_backoff import RetryWithBackoffPlugin
from cpex_retry_with_backoff.retry_with_backoff_rust import RetryWithBackoffPluginCore

logging.disable(logging.CRITICAL)

CONFIG = {"max_retries": 10}
KIND = "cpex_retry_with_backoff.retry_with_backoff.RetryWithBackoffPlugin"
OUTCOMES = {
    "isError": {"isError": True},
    "status 500": {"isError": False, "structuredContent": {"status_code": 500}},
    "no error": {"isError": False},
    "status 200": {"isError": False, "structuredContent": {"status_code": 200}},
}


def payload(result, tool="search"):
    return ToolPostInvokePayload(name=tool, result=result)


def context(request_id="0123456789abcdef"):
    return PluginContext(global_context=GlobalContext(request_id=request_id))


def plugin_config():
    return PluginConfig(
        name="retry", kind=KIND, version="1", hooks=["tool_post_invoke"], config=dict(CONFIG)
    )


async def timed(call, is_async, samples, sample_ns):
    """Nanoseconds a call, one figure for each sample."""

    async def batch(count):
        start = perf_counter_ns()
        if is_async:
            for _ in range(count):
                await call()
        else:
            for _ in range(count):
                call()
        return perf_counter_ns() - start

    count = 1
    while await batch(count) < sample_ns:
        count *= 2
    return [await batch(count) / count for _ in range(samples)]


async def sequential(samples, sample_ns):
    figures = {}
    core = RetryWithBackoffPluginCore(dict(CONFIG))
    hook = RetryWithBackoffPlugin(plugin_config())
    for name, result in OUTCOMES.items():
        told, where = payload(result), context()
        figures[f"peer core/{name}"] = await timed(
            lambda: core.tool_post_invoke(told, where), False, samples, sample_ns
        )
        figures[f"peer hook/{name}"] = await timed(
            lambda: hook.tool_post_invoke(told, where), True, samples, sample_ns
        )
    manager = await plugin_manager()
    everywhere = GlobalContext(request_id="0123456789abcdef")
    for name, result in OUTCOMES.items():
        told = payload(result)

        async def through_manager():
            answer, _ = await manager.invoke_hook("tool_post_invoke", told, everywhere)
            return answer

        # Its jitter draws 0 now and then, hence more than one question.
        delays = [(await through_manager()).retry_delay_ms for _ in range(5)]
        if name in ("isError", "status 500") and not any(delays):
            raise SystemExit("the plugin manager did not ask the plugin")
        figures[f"peer gateway path/{name}"] = await timed(
            through_manager, True, samples, sample_ns
        )
    return figures


async def plugin_manager():
    from cpex.framework.manager import TenantPluginManager
    from cpex.framework.models import Config

    manager = TenantPluginManager(Config(plugins=[plugin_config()], plugin_dirs=[]))
    await manager.initialize()
    return manager


def concurrent(threads, rounds):
    """50 tools x 40 requests with mixed outcomes, shared between threads."""
    core = RetryWithBackoffPluginCore(dict(CONFIG))
    failed, fine = OUTCOMES["isError"], OUTCOMES["no error"]
    calls = []
    for number in range(50 * 40):
        tool, where = f"tool_{number % 50}", context(f"request-{number // 50}")
        bad, good = payload(failed, tool), payload(fine, tool)
        calls.append([(good, where)] if number % 2 == 0 else [(bad, where), (good, where)])

    def work(index):
        for _ in range(rounds):
            for call in calls[index::threads]:
                for told, where in call:
                    core.tool_post_invoke(told, where)

    workers = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(threads)]
    start = perf_counter_ns()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took = perf_counter_ns() - start
    return {"nanoseconds": took, "decisions": rounds * sum(len(call) for call in calls)}


def main():
    about = {"version": version("cpex-retry-with-backoff"), "framework": version("cpex")}
    if sys.argv[1] == "sequential":
        samples, millis = int(sys.argv[2]), float(sys.argv[3])
        about["figures"] = asyncio.run(sequential(samples, millis * 1e6))
    else:
        about.update(concurrent(int(sys.argv[2]), int(sys.argv[3])))
    json.dump(about, sys.stdout)


main()
