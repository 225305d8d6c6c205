/**
 * The dialer contract: what keeps a program alive, and what does not.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { RUN_ARGUMENTS } from "../../support/child_program.ts";
import type { LivenessTask } from "../../support/liveness_main.ts";
import type { Origin } from "../../support/origin_process.ts";
import { type DialerUnderTest, targetOf, withOrigin } from "./support.ts";

/** Far longer than a program takes to start, on a busy machine too. */
const longestLifeMs = 20_000;

/** Registers this part's tests. */
export function testLiveness(name: string, under: DialerUnderTest): void {
  test(`${name}: a program ends by itself when all it has is an idle unref'd socket (trap 18)`, () =>
    withOrigin(under, { behaviour: { kind: "discard" } }, async ({ origin }) => {
      const program = runProgram(under, origin, { calls: ["unref"] });
      assertEquals(await program.exit, 0);
      assertEquals((await origin.until({ openSockets: 0 })).handshakes, 1);
    }));

  test(`${name}: a program ends by itself after close(), though the peer never answers (trap 18)`, () =>
    withOrigin(under, { behaviour: { kind: "discard" } }, async ({ origin }) => {
      const program = runProgram(under, origin, { calls: [], closeOnData: true });
      await program.ready;
      await origin.until({ handshakes: 1 });
      await origin.act({ kind: "pause" });
      await origin.act({ kind: "send", text: "enough" });
      assertEquals(await program.exit, 0);
      await origin.act({ kind: "resume" });
      const { connections: [seen] } = await origin.until({ openSockets: 0 });
      assertEquals(seen?.ended.slice(0, 2), ["close_notify", "fin"]);
    }));

  for (const calls of [[], ["unref", "ref"]] as const) {
    const what = calls.length === 0 ? "that was never unref'd" : "that was ref'd again";
    test(`${name}: a program lives while it has a socket ${what} (trap 18)`, () =>
      withOrigin(under, { behaviour: { kind: "discard" } }, async ({ origin }) => {
        const program = runProgram(under, origin, { calls });
        await program.ready;
        await origin.until({ handshakes: 1 });
        // That it does not end can only be seen by waiting.
        await new Promise((resolve) => setTimeout(resolve, 300));
        assertEquals(program.child.exitCode, null);
        await origin.act({ kind: "end" });
        assertEquals(await program.exit, 0);
      }));
  }
}

interface Program {
  readonly child: ChildProcess;
  /** Resolves when it has dialled. */
  readonly ready: Promise<unknown>;
  /** Resolves to its exit code; null when it had to be killed. */
  readonly exit: Promise<number | null>;
}

function runProgram(
  under: DialerUnderTest,
  origin: Origin,
  doing: Pick<LivenessTask, "calls" | "closeOnData">,
): Program {
  const task: LivenessTask = { ...under.factory, target: targetOf(origin.port), ...doing };
  const main = fileURLToPath(new URL("../../support/liveness_main.ts", import.meta.url));
  const child = spawn(process.execPath, [...RUN_ARGUMENTS, main, JSON.stringify(task)], {
    cwd: fileURLToPath(new URL("../../../", import.meta.url)),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ready = once(child.stdout, "data");
  const guard = setTimeout(() => child.kill("SIGKILL"), longestLifeMs);
  const exit = once(child, "exit").then(([code]) => {
    clearTimeout(guard);
    return code;
  });
  return { child, ready, exit };
}
