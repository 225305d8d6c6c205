/**
 * What a program loads that opens no WebSocket.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { build } from "esbuild";
import path from "node:path";
import { test } from "node:test";
import { detectRuntime } from "../../../adapters/detect.ts";
import { root } from "../../support/programs.ts";

const skip = detectRuntime() === "node" ? false : "the same files are bundled wherever it runs";

test("What speaks the protocol is loaded with the first WebSocket, and not with the pool", {
  skip,
}, async () => {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ["mod.ts"],
    outdir: path.join(root, "dist-never-written"),
    bundle: true,
    format: "esm",
    logLevel: "silent",
    metafile: true,
    platform: "node",
    splitting: true,
    write: false,
  });
  const chunkOf = (file: string) =>
    Object.entries(metafile.outputs).find(([, { inputs }]) => file in inputs)?.[0];
  const loaded = new Set<string>();
  const load = (chunk: string) => {
    if (loaded.has(chunk)) return;
    loaded.add(chunk);
    for (const { kind, path } of metafile.outputs[chunk]?.imports ?? []) {
      if (kind === "import-statement") load(path);
    }
  };
  load(chunkOf("mod.ts")!);
  const isLoaded = (file: string) => {
    const chunk = chunkOf(file);
    assert(chunk !== undefined, file);
    return loaded.has(chunk);
  };
  assertEquals(
    ["http_pool", "websocket/pooled_web_socket"].map((name) => isLoaded(`src/http/${name}.ts`)),
    [true, true],
  );
  const later = ["opening", "web_socket_session", "message_reader", "frame_writer", "compression"];
  for (const name of later) assert(!isLoaded(`src/http/websocket/${name}.ts`), name);
  assert(!isLoaded("adapters/codings/message_compression.ts"));
});
