-- What wrk sends: a tools/call, of so many bytes of arguments, in a session or without.
local bytes = tonumber(os.getenv("HOP_BYTES") or "100")
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json, text/event-stream"
local session = os.getenv("HOP_SESSION")
if session and session ~= "" then
  wrk.headers["Mcp-Session-Id"] = session
end
wrk.body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"q":"'
  .. string.rep("x", bytes) .. '"}}}'
done = function(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout
  io.write(string.format("HOP %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), bad))
end
