/**
 * How much of the heap a pooled connection takes that is idle, beyond the runtime's own socket.
 *
 * @module
 */

import { build } from "esbuild";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { RUN_ARGUMENTS } from "../../support/child_program.ts";
import { root, run } from "../../support/programs.ts";
import type { SceneResult } from "../scale.ts";
import { startServer } from "../server.ts";
import type { IdleScene } from "./idle_main.ts";

const CONNECTIONS = 4_000;
/** What is meant; three times that is broken, whatever the collector makes of it. */
const MOST_BYTES = 1_024;
const BROKEN_BYTES = 3 * MOST_BYTES;

/** Measures it in their own programs, as the package is run: compiled, by no tool that adds to it. */
export async function idleHeap(share: number): Promise<SceneResult> {
  const connections = Math.max(200, Math.round(CONNECTIONS * share));
  const folder = mkdtempSync(path.join(tmpdir(), "hotconn-idle-"));
  const { ca, port } = await startServer();
  try {
    const program = path.join(folder, "idle.mjs");
    await build({
      entryPoints: [path.join(root, "tests/prove/scale/idle_main.ts")],
      bundle: true,
      format: "esm",
      logLevel: "error",
      outfile: program,
      platform: "node",
      target: "node20",
    });
    const bytes = async (mode: IdleScene["mode"], used: boolean) => {
      const scene: IdleScene = {
        mode,
        used,
        connections,
        host: "localhost",
        ip: "127.0.0.1",
        port,
        ca,
      };
      const args = "Deno" in globalThis || "Bun" in globalThis ? RUN_ARGUMENTS : [];
      const { code, output, stdout } = await run(process.execPath, [
        ...args,
        program,
        JSON.stringify(scene),
      ]);
      if (code !== 0) throw new Error(output);
      return (JSON.parse(stdout.trim()) as { readonly bytes: number }).bytes;
    };
    const bare = await bytes("bare", false);
    const pooled = Math.round(await bytes("pool", false) - bare);
    const used = Math.round(await bytes("pool", true) - await bytes("bare", true));
    const most = Math.max(pooled, used);
    return {
      figures: { connections, bareBytes: Math.round(bare), pooledBytes: pooled, usedBytes: used },
      text: `an idle connection takes ${pooled} bytes beyond the runtime's own socket `
        + `(${Math.round(bare)}), ${used} once both have served; ${MOST_BYTES} are meant`,
      broken: most > BROKEN_BYTES ? [`an idle connection takes ${most} bytes`] : [],
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
