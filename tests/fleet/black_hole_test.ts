import { assert, assertEquals } from "@std/assert";
import { execFileSync, spawnSync } from "node:child_process";
import process from "node:process";
import test from "node:test";
import { detectRuntime } from "../../adapters/detect.ts";
import type { CutTold } from "../support/fleet_cut_main.ts";
import { run } from "../support/programs.ts";
import { redisMissing } from "../support/redis_server.ts";
import { findProgram } from "../support/services.ts";

/** Why the network cannot be cut here, if it cannot. */
function whyNot(): string | false {
  if (detectRuntime() !== "node") return "Its processes are on three runtimes whoever looks on";
  if (process.getuid?.() !== 0) return "Only root can make a network namespace";
  if (!findProgram("ip") || !findProgram("iptables")) return "ip or iptables is not installed";
  if (spawnSync("unshare", ["-n", "true"]).status !== 0) {
    return "This process may not make a network namespace";
  }
  return redisMissing;
}

test(
  "A Redis that the network black-holes costs no request, and its pools are back by themselves",
  { skip: whyNot(), timeout: 120_000 },
  async () => {
    const name = `hotconn-fleet-${process.pid}`;
    execFileSync("ip", ["netns", "add", name]);
    try {
      const main = ["node", "--import", "tsx", "tests/support/fleet_cut_main.ts"];
      const spanMs = process.env.HOTCONN_FLEET === undefined ? "3000" : "20000";
      const { code, output, stdout } = await run(
        "ip",
        ["netns", "exec", name, ...main, spanMs],
        { timeoutMs: 110_000 },
      );
      assertEquals(code, 0, output);
      const told = JSON.parse(stdout) as CutTold;
      if (process.env.HOTCONN_FLEET !== undefined) console.log(stdout);
      assertEquals(told.failures, 0, stdout);
      assertEquals(told.states, [["alone", "alone", "alone"], ["joined", "joined", "joined"]]);
      // A request that waited for Redis would take as long as its timeout, which is 400 ms.
      const [well, cut] = told.p99;
      assert(cut.median < well.median + 350, stdout);
      assert(told.requests[1] > told.requests[0] / 2, stdout);
    } finally {
      execFileSync("ip", ["netns", "del", name]);
    }
  },
);
