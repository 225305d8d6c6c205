/**
 * What calls leave in the heap: many requests, ended in each way, over connections without a network.
 *
 * `--seconds=60` bounds each kind, `--calls=1000000` as well; `--only=dumped` takes one kind. Bun's
collector is conservative, and its figures swing.
 *
 * @module
 */

import process from "node:process";
import { decoders } from "../adapters/codings/decoders.ts";
import { memorySocket } from "../adapters/memory.ts";
import type { Dialer } from "../src/core/dialer.ts";
import { staticResolver } from "../src/hosts/resolver.ts";
import { makeResponse } from "../src/http/fetched_response.ts";
import { HttpPool } from "../src/http/http_pool.ts";
import { makeLazyResponse } from "../src/http/lazy_response.ts";
import { heapBytes } from "../tests/support/collect.ts";

type Body = ReadableStream<Uint8Array> & AsyncIterable<Uint8Array>;
type Call = "request" | "fetch";

const URL_A = "https://a.test/";
const WARM_UP = 5_000;
const AT_ONCE = 32;

const encoder = new TextEncoder();
const begin = encoder.encode("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf");
const rest = encoder.encode("half");

/** Whether the other half of the body comes, in its own turn. */
let isWhole = false;

/** Unlike `memoryDialer()`, it remembers nothing. */
const dialer: Dialer = {
  name: "heap",
  capabilities: new Set(),
  dial: () =>
    Promise.resolve(memorySocket({
      onWrite: (socket) => {
        // It remembers what is written to it.
        (socket.written as Uint8Array[]).length = 0;
        socket.receive(begin);
        if (isWhole) setTimeout(() => socket.receive(rest));
      },
    })),
};

const pool = new HttpPool(
  {
    dialer,
    resolver: staticResolver({ "a.test": ["192.0.2.1"] }),
    maxConnectionsPerIp: AT_ONCE,
  },
  "Deno" in globalThis ? makeResponse : makeLazyResponse,
  decoders,
);

const bodyOf = async (call: Call, signal?: AbortSignal) =>
  (await pool[call](URL_A, signal ? { signal } : {})).body as Body;

const endings: { readonly [how: string]: (call: Call) => Promise<unknown> } = {
  "read whole": async (call) => (await pool[call](URL_A)).text(),
  "cancelled after a read": async (call) => {
    const reader = (await bodyOf(call)).getReader();
    await reader.read();
    await reader.cancel();
  },
  "body.cancel()": async (call) => (await bodyOf(call)).cancel(),
  "for await, break": async (call) => {
    for await (const _ of await bodyOf(call)) break;
  },
  "dumped": async (call) => {
    if (call === "request") await (await pool.request(URL_A)).dump();
    else await (await pool.fetch(URL_A)).arrayBuffer();
  },
  "aborted": async (call) => {
    const stop = new AbortController();
    const reader = (await bodyOf(call, stop.signal)).getReader();
    await reader.read();
    stop.abort();
    await reader.read().catch(() => {});
  },
};

const WHOLE: ReadonlySet<string> = new Set(["read whole", "dumped"]);

async function repeat(end: (call: Call) => Promise<unknown>, call: Call, until: () => boolean) {
  let calls = 0;
  const caller = async () => {
    for (; !until(); calls++) await end(call);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
  return calls;
}

function option(name: string): string | undefined {
  const given = process.argv.find((argument) => argument.startsWith(`--${name}=`));
  return given?.slice(name.length + 3);
}

const seconds = Number(option("seconds") ?? 10);
const most = Number(option("calls") ?? 1_000_000);
const only = option("only");

console.log(
  "| ended                  | call    |     calls | KiB before | KiB after | bytes a call |",
);
console.log(
  "| ---------------------- | ------- | --------: | ---------: | --------: | -----------: |",
);
for (const [how, end] of Object.entries(endings)) {
  isWhole = WHOLE.has(how);
  if (only !== undefined && !how.includes(only)) continue;
  for (const call of ["request", "fetch"] as const) {
    let left = WARM_UP;
    await repeat(end, call, () => left-- <= 0);
    const before = await heapBytes();
    const endAt = performance.now() + seconds * 1_000;
    left = most;
    const calls = await repeat(end, call, () => left-- <= 0 || performance.now() > endAt);
    const after = await heapBytes();
    const cells = [
      how.padEnd(22),
      call.padEnd(7),
      `${calls}`.padStart(9),
      (before / 1_024).toFixed(0).padStart(10),
      (after / 1_024).toFixed(0).padStart(9),
      ((after - before) / calls).toFixed(1).padStart(12),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}
await pool.close({ graceMs: 0 });
