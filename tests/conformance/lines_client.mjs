// A client on stdin and stdout behind the gateway, for the suite's client
// scenarios: what their server sees is the gateway as an HTTP client.
//
//     GATEWAY=target/debug/host-harness node lines_client.mjs URL
//
// Lists what there is, and calls what it is told to, or everything.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const url = process.argv.at(-1);
const { toolCalls } = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');
const gateway = spawn(process.env.GATEWAY, ['proxy', '--upstream-url', url], {
  stdio: ['pipe', 'pipe', 'inherit'],
});

const waiting = new Map();
createInterface({ input: gateway.stdout }).on('line', (line) => {
  const message = JSON.parse(line);
  waiting.get(message.id)?.(message);
});

/** The result of a request; none if it is refused. */
async function ask(method, params = {}) {
  const id = waiting.size + 1;
  const answer = new Promise((resolve) => waiting.set(id, resolve));
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'lines', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const message = { jsonrpc: '2.0', id, method, params: { ...params, _meta } };
  gateway.stdin.write(`${JSON.stringify(message)}\n`);
  return (await answer).result;
}

await ask('server/discover');
const { tools = [] } = (await ask('tools/list')) ?? {};
for (const call of toolCalls ?? tools.map(({ name }) => ({ name, arguments: {} }))) {
  await ask('tools/call', call);
}
const { resources = [] } = (await ask('resources/list')) ?? {};
for (const { uri } of resources) await ask('resources/read', { uri });
const { prompts = [] } = (await ask('prompts/list')) ?? {};
for (const { name } of prompts) await ask('prompts/get', { name });

gateway.stdin.end();
await new Promise((resolve) => gateway.on('exit', resolve));
