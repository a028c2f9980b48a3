#!/usr/bin/env python3
"""What `host-harness proxy -- COMMAND`, as shipped, makes of failures of real servers.

    as_shipped.py HOST_HARNESS [--fetch mcp-server-fetch] [--git mcp-server-git]
                  [--everything DIST.js] [--filesystem DIST.js] [--memory DIST.js]
                  [--time mcp-server-time]

In front of `mcp-server-fetch` stands a web server that fails once for each page.
Nobody here asks for the list of tools: the gateway does that by itself. Each line
says what was asked, how many attempts the proxy made (from its `--trace`), and the
answer. Exit code 1 if a transient failure was not recovered, a permanent one was
repeated, or a tool that says nothing of itself was called twice for one call.
"""

import argparse
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading

FAILING_ONCE = ["503", "429", "500", "502", "hang-up"]


class Site(http.server.BaseHTTPRequestHandler):
    """Pages that fail at the first request, each in the way that its path says."""

    protocol_version = "HTTP/1.1"
    seen = {}

    def do_GET(self):
        path = self.path.strip("/")
        if path == "robots.txt":
            return self.answer(404, "none")
        Site.seen[path] = Site.seen.get(path, 0) + 1
        if path == "404":
            return self.answer(404, "not found")
        if path == "400":
            return self.answer(400, "bad request")
        if Site.seen[path] > 1:
            return self.answer(200, "<html><body><p>the page</p></body></html>")
        if path == "hang-up":
            self.close_connection = True
            return self.connection.close()
        self.answer(int(path), "once", {"Retry-After": "1"} if path == "429" else {})

    def answer(self, status, text, headers={}):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Proxied:
    """A server behind the proxy, and a client that only calls."""

    def __init__(self, proxy, command):
        self.trace = tempfile.NamedTemporaryFile(suffix=".jsonl")
        self.process = subprocess.Popen(
            [proxy, "proxy", "--trace", self.trace.name, "--", *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        self.log = []
        threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True).start()
        self.asked = 0
        self.calls = 0
        self.ask("initialize", {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "as_shipped", "version": "1"},
        })
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def say(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def ask(self, method, params):
        self.asked += 1
        self.say({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params})
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("id") == self.asked and "method" not in message:
                return message
        sys.exit(f"the proxy ended: {''.join(self.log)}")

    def call(self, tool, arguments):
        """The attempts, whether it succeeded, and what the client reads."""
        self.calls += 1
        answer = self.ask("tools/call", {"name": tool, "arguments": arguments})
        lines = []
        while len(lines) < self.calls:
            lines = open(self.trace.name).read().splitlines()
        attempts = len(json.loads(lines[-1])["attempts"])
        if "error" in answer:
            return attempts, False, answer["error"]["message"]
        result = answer["result"]
        text = next((item["text"] for item in result["content"] if "text" in item), "")
        return attempts, not result.get("isError", False), text

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        return [line.strip() for line in self.log]


wrong = 0


def row(server, what, attempts, fine, text, right):
    global wrong
    wrong += not right
    text = " ".join(text.split())[:60]
    print(f"{'  ' if right else '! '}{server:<11} {what:<34} {attempts}  "
          f"{'result' if fine else 'error '}  {text}", flush=True)


def fetch(proxy, command):
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{site.server_address[1]}"
    server = Proxied(proxy, [command, "--allow-private-ips"])
    recovered = 0
    for page in FAILING_ONCE:
        attempts, fine, text = server.call("fetch", {"url": f"{base}/{page}"})
        recovered += fine
        row("fetch", f"once {page}", attempts, fine, text, fine and attempts == 2)
    for what, arguments in [
        ("not found", {"url": f"{base}/404"}),
        ("bad request", {"url": f"{base}/400"}),
        ("invalid", {"url": "no url"}),
        ("no argument", {}),
    ]:
        attempts, fine, text = server.call("fetch", arguments)
        row("fetch", what, attempts, fine, text, attempts == 1 and not fine)
    log = server.end()
    # A private address without leave: deterministic, and said in words only.
    server = Proxied(proxy, [command])
    attempts, fine, text = server.call("fetch", {"url": f"{base}/refused"})
    row("fetch", "refused", attempts, fine, text, attempts == 1 and not fine)
    server.end()
    print(f"  recovered {recovered} of {len(FAILING_ONCE)}")
    for line in log:
        if "retried after" in line:
            print(f"  {line}")


def plain(name, proxy, command, calls):
    """Calls that fail for good, or succeed: one attempt each."""
    server = Proxied(proxy, command)
    for tool, arguments in calls:
        attempts, fine, text = server.call(tool, arguments)
        row(name, f"{tool} {json.dumps(arguments)}"[:34], attempts, fine, text, attempts == 1)
    for line in server.end():
        if "retried after" in line:
            print(f"  {line}")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("proxy")
    for server in ["fetch", "git", "everything", "filesystem", "memory", "time"]:
        options.add_argument(f"--{server}")
    options = options.parse_args()
    if options.fetch:
        fetch(options.proxy, options.fetch)
    folder = os.path.realpath(tempfile.mkdtemp())
    if options.git:
        subprocess.run(["git", "init", "-q", folder], check=True)
        plain("git", options.proxy, [options.git], [
            ("git_status", {"repo_path": folder}),
            ("git_status", {"repo_path": "/nowhere"}),
            ("git_checkout", {"repo_path": folder, "branch_name": "none"}),
            ("git_commit", {"repo_path": folder, "message": "x"}),
            ("git_nothing", {}),
        ])
    if options.everything:
        plain("everything", options.proxy, ["node", options.everything, "stdio"], [
            ("echo", {"message": "503 Service Unavailable"}),
            ("echo", {}),
            ("get-sum", {"a": "x", "b": 1}),
            ("no-such-tool", {}),
        ])
    if options.filesystem:
        plain("filesystem", options.proxy, ["node", options.filesystem, folder], [
            ("read_text_file", {"path": f"{folder}/none"}),
            ("read_text_file", {"path": "/etc/passwd"}),
            ("write_file", {"path": f"{folder}/none/x", "content": "x"}),
            ("edit_file", {"path": f"{folder}/none", "edits": []}),
            ("list_directory", {"path": folder}),
        ])
    if options.memory:
        # Tools of a store: what they add would be there twice.
        os.environ["MEMORY_FILE_PATH"] = f"{folder}/memory.jsonl"
        plain("memory", options.proxy, ["node", options.memory], [
            ("create_entities", {"entities": [
                {"name": "a", "entityType": "t", "observations": ["503 Service Unavailable"]}]}),
            ("add_observations", {"observations": [{"entityName": "none", "contents": ["x"]}]}),
            ("search_nodes", {"query": "503"}),
            ("search_nodes", {}),
        ])
    if options.time:
        plain("time", options.proxy, [options.time], [
            ("get_current_time", {"timezone": "Europe/Berlin"}),
            ("get_current_time", {"timezone": "Nowhere/None"}),
            ("convert_time", {"source_timezone": "UTC", "time": "99:00", "target_timezone": "UTC"}),
            ("get_nothing", {}),
        ])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
