/**
 * The pool in its own realm, as Jest and vitest make them.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { build } from "esbuild";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import { detectRuntime } from "../../adapters/detect.ts";

const skip = detectRuntime() === "node" ? false : "realms of one's own are made on Node";

/** What such a realm is given of the outer one. */
const GIVEN = [
  "AbortController",
  "AbortSignal",
  "Blob",
  "Event",
  "EventTarget",
  "FormData",
  "Headers",
  "Request",
  "Response",
]
  .concat(["ReadableStream", "TextDecoder", "TextEncoder", "URL", "URLSearchParams", "performance"])
  .concat([
    "clearTimeout",
    "crypto",
    "fetch",
    "process",
    "queueMicrotask",
    "setTimeout",
    "structuredClone",
  ]);

const PROGRAM = `
(() => {
  const { createPool, staticResolver, memoryDialer } = pools;
  const dialed = [];
  const dialer = memoryDialer({
    script: () => ({
      socket: {
        onWrite(socket, bytes) {
          dialed.push(new TextDecoder().decode(bytes));
          queueMicrotask(() => socket.receive(
            new TextEncoder().encode("HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nhi"),
          ));
        },
      },
    }),
  });
  const pool = createPool({ dialer, resolver: staticResolver({ "a.test": ["192.0.2.1"] }) });
  return (async () => {
    const texts = [];
    const bodies = [new Blob(["hi"]), new Uint8Array([104, 105]), new ArrayBuffer(2), "hi"];
    for (const body of bodies) {
      const response = await pool.fetch("https://a.test/", { method: "POST", body });
      texts.push(await response.text());
    }
    const { connections, leased } = pool.stats();
    await pool.close();
    return JSON.stringify([texts, connections, leased]);
  })();
})();
`;

test(
  "a pool in its own realm dials, and takes what either realm has made",
  { skip },
  async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: "export * from './mod.ts'; export * from './adapters/memory.ts';",
        resolveDir: fileURLToPath(new URL("../../", import.meta.url)),
      },
      bundle: true,
      write: false,
      platform: "node",
      format: "cjs",
      target: "node20.19",
      supported: { "dynamic-import": false },
      logLevel: "silent",
    });
    const module = { exports: {} };
    const outer = globalThis as unknown as { readonly [name: string]: unknown };
    const given = Object.fromEntries(GIVEN.map((name) => [name, outer[name]]));
    const require = createRequire(import.meta.url);
    const context = vm.createContext({ ...given, module, exports: module.exports, require });
    vm.runInContext(outputFiles[0]!.text, context);
    context["pools"] = module.exports;
    assertEquals(await vm.runInContext(PROGRAM, context), "[[\"hi\",\"hi\",\"hi\",\"hi\"],1,0]");
  },
);
