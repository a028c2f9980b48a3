#!/usr/bin/env python3
"""What hostile input costs a running gateway: figures.py PROGRAM [PROGRAM...]

Plays clients and servers against each program (two builds of host-harness, to
compare) and prints one line a figure. Needs Python 3.11 and Linux; takes about
two minutes a program. Everything stays on this machine.
"""
import http.client, http.server, json, os, re, signal, socket, subprocess, sys, tempfile, threading, time

TMP = tempfile.mkdtemp(prefix="attacks-")
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
CHILD = """
import json, sys, time
def say(m): sys.stdout.write(json.dumps(m) + "\\n"); sys.stdout.flush()
for line in sys.stdin:
    m = json.loads(line); method = m.get("method")
    if "id" not in m: continue
    if method == "initialize": r = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
    elif method == "tools/list":
        n = int(sys.argv[1]) if len(sys.argv) > 1 else 1
        r = {"tools": [{"name": "tool-%d" % i, "inputSchema": {"type": "object"}} for i in range(n)]}
    elif method == "tools/call":
        a = m["params"].get("arguments") or {}
        r = {"content": [{"type": "text", "text": "x" * a.get("bytes", 1)}], "isError": bool(a.get("fail"))}
    else: r = {}
    say({"jsonrpc": "2.0", "id": m["id"], "result": r})
"""


def file(name, text):
    path = os.path.join(TMP, name)
    with open(path, "w") as f:
        f.write(text)
    return path


SERVER = file("server.py", CHILD)


class Gateway:
    def __init__(self, *arguments):
        env = dict(os.environ, RUST_LOG="warn,host_harness=info", NO_COLOR="1")
        self.p = subprocess.Popen([*arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, env=env)
        self.port = None
        threading.Thread(target=self._read, daemon=True).start()
        while self.port is None and self.p.poll() is None:
            time.sleep(0.01)

    def _read(self):
        for line in self.p.stderr:
            found = re.search(rb"listening on http://[^ ]*:(\d+)/mcp\s*$", line)
            if found and self.port is None:
                self.port = int(found.group(1))

    def rss(self):
        with open("/proc/%d/status" % self.p.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) // 1024

    def cpu(self):
        with open("/proc/%d/stat" % self.p.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def send(self, method, path="/mcp", body=None, session=None, timeout=120):
        headers = dict(HEADERS, **({"Mcp-Session-Id": session} if session else {}))
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        c.request(method, path, body=body if body is None or isinstance(body, str) else json.dumps(body), headers=headers)
        r = c.getresponse()
        answer = r.read()
        c.close()
        return r, answer

    def session(self, path="/mcp"):
        r, _ = self.send("POST", path, request(0, "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}))
        name = r.headers["mcp-session-id"]
        self.send("POST", path, {"jsonrpc": "2.0", "method": "notifications/initialized"}, name)
        return name

    def health(self, until):
        """The slowest answer of /healthz until then, in milliseconds."""
        slowest = 0.0
        while time.time() < until:
            began = time.time()
            try:
                self.send("GET", "/healthz", timeout=20)
            except OSError:
                return float("inf")
            slowest = max(slowest, time.time() - began)
            time.sleep(0.01)
        return slowest * 1000

    def kill(self):
        self.p.kill()
        self.p.wait()


def request(id, method, params):
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def call(id, **arguments):
    return request(id, "tools/call", {"name": "t", "arguments": arguments})


def members(count):
    return '{"jsonrpc":"2.0","id":1,"method":"ping","params":{' + ",".join('"%x":1' % i for i in range(count)) + "}}"


def proxy(program, *options):
    return Gateway(program, "proxy", "--listen", "127.0.0.1:0", *options, "--", sys.executable, SERVER)


def background(work, *arguments):
    def quietly():
        try:
            work(*arguments)
        except OSError:
            pass
    threading.Thread(target=quietly, daemon=True).start()


def figures(program):
    g = proxy(program)
    name = g.session()
    for count in (10_000, 20_000, 40_000):
        before = g.cpu()
        for _ in range(5):
            g.send("POST", "/mcp", members(count), name, 300)
        yield "CPU of a request with %d parameters" % count, "%.0f ms" % ((g.cpu() - before) / 5 * 1000)
    for _ in range(2):
        background(g.send, "POST", "/mcp", members(400_000), name, 900)
    time.sleep(0.2)
    yield "slowest /healthz beside two bodies of 4 MiB", "%.0f ms" % g.health(time.time() + 4)
    g.kill()

    g = proxy(program)
    name = g.session()
    for id in range(2):
        background(g.send, "POST", "/mcp", call(id, bytes=(64 << 20) - 1000), name)
    yield "slowest /healthz beside two answers of 64 MiB", "%.0f ms" % g.health(time.time() + 15)
    g.kill()

    upstreams = {"a": {"command": [sys.executable, SERVER, "600000"]}, "b": {"command": [sys.executable, SERVER]}}
    g = Gateway(program, "serve", file("many.yaml", json.dumps({"listen": "127.0.0.1:0", "upstreams": upstreams})))
    before, name = g.rss(), g.session()
    g.send("POST", "/mcp", request(1, "tools/list", {}), name)
    time.sleep(3)
    yield "memory kept of 600,000 tools", "%d MiB" % (g.rss() - before)
    g.kill()

    g = proxy(program)
    name, before = g.session(), g.rss()
    for i in range(400):
        g.send("POST", "/mcp", request(i, "tools/call", {"name": "%08d" % i + "x" * (3 << 20), "arguments": {"fail": 1}}), name)
        if g.rss() > 4000:
            break
    time.sleep(3)
    yield "memory kept of %d tool names of 3 MiB" % (i + 1), "%d MiB" % (g.rss() - before)
    g.kill()

    g = proxy(program)
    name, before, sockets = g.session(), g.rss(), []
    for id in range(60):
        body = json.dumps(call(id, bytes=8 << 20))
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(("127.0.0.1", g.port))
        s.sendall(("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: */*\r\nMcp-Session-Id: %s\r\nContent-Length: %d\r\n\r\n%s" % (name, len(body), body)).encode())
        sockets.append(s)
        time.sleep(0.1)
    time.sleep(5)
    yield "memory held for 60 clients that do not read 8 MiB", "%d MiB" % (g.rss() - before)
    time.sleep(40)
    yield "the same 40 s later", "%d MiB" % (g.rss() - before)
    g.kill()

    patient = {"profile": "compatible", "max_retries": 3, "backoff_base_ms": 60000, "max_backoff_ms": 60000, "jitter": "none"}
    g = proxy(program, "--config", file("patient.json", json.dumps(patient)))
    name, answered = g.session(), []
    for id in range(5):
        background(lambda id: answered.append(b"isError" in g.send("POST", "/mcp", call(id, fail=1), name)[1]), id)
    time.sleep(2)
    began = time.time()
    g.p.send_signal(signal.SIGTERM)
    g.p.wait(60)
    took = time.time() - began
    time.sleep(0.2)
    yield "SIGTERM with 5 calls that wait for a retry", "%.2f s, %d of 5 got their result" % (took, sum(answered))


for program in sys.argv[1:]:
    print("#", program, flush=True)
    for what, figure in figures(os.path.abspath(program)):
        print("%-52s %s" % (what, figure), flush=True)
