/**
 * The program of an origin process: reads calls as JSON lines, and answers each in its own time.
 * It ends when its input does, so that it never outlives who started it.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { messageOf } from "../../src/core/check.ts";
import { type Origin, startOrigin } from "./origin.ts";
import type { OriginCall, OriginReply } from "./origin_process.ts";

const origins = new Map<number, Origin>();

async function perform(call: OriginCall): Promise<unknown> {
  if (call.method === "open") {
    const origin = await startOrigin({ ...call.options, inspect: true });
    origins.set(call.origin, origin);
    return { port: origin.port, addresses: origin.addresses };
  }
  const origin = origins.get(call.origin);
  if (origin === undefined) throw new Error(`There is no origin ${call.origin}`);
  switch (call.method) {
    case "report":
      return await origin.report();
    case "until":
      return await origin.until(call.condition);
    case "act":
      return await origin.act(call.action, call.connectionId);
    case "stop":
      return await origin.stop();
    case "start":
      return await origin.start();
    case "dispose":
      origins.delete(call.origin);
      return await origin[Symbol.asyncDispose]();
  }
}

async function reply(call: OriginCall): Promise<OriginReply> {
  try {
    return { id: call.id, result: await perform(call) };
  } catch (error) {
    return { id: call.id, error: messageOf(error) };
  }
}

const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const call: OriginCall = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await reply(call))}\n`);
});
lines.on("close", () => process.exit());
