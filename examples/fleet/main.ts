/**
 * Four processes that are one fleet over Redis, under load, while a machine dies and comes back, a
 * process is killed, and Redis stands still for five seconds.
 *
 *     npm run demo:fleet -- --help
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import {
  type CastProcess,
  type MachineTold,
  type MemberTold,
  startMachines,
  startMember,
  until,
} from "../../tests/support/fleet_cast.ts";
import { redisMissing, startRedis } from "../../tests/support/redis_server.ts";
import { findPort, pause } from "../../tests/support/services.ts";

const HELP =
  `Four processes that are one fleet over Redis, under load: a machine dies and comes back,
a process is killed, and Redis stands still for five seconds.

  --json  prints the summary only, as one line of JSON
  --help  prints this

Ends with 0 when no request failed and no machine had more connections than its cap, with 1 when
not, and with 2 where redis-server is not installed, or an argument makes no sense.`;

const INSTALL = `This demo needs redis-server, or valkey-server, on the path:

  Debian, Ubuntu  apt-get install redis-server
  Fedora          dnf install valkey
  macOS           brew install redis`;

const ADDRESSES = ["127.0.79.1", "127.0.79.2", "127.0.79.3"];
const CAP = 40;

interface Summary {
  readonly requests: number;
  readonly failures: number;
  /** The most connections that any machine ever had, and how many it may have. */
  readonly most: number;
  readonly cap: number;
  /** How long after the first process the last one knew that the machine had died. */
  readonly knownWithinMs: number;
}

/** Plays it all, and tells what happens. */
async function play(say: (text: string) => void): Promise<Summary> {
  await using redis = await startRedis();
  const port = await findPort();
  const options = {
    url: redis.url,
    addresses: ADDRESSES,
    port,
    callers: 25,
    cap: CAP,
    leaseMs: 1_500,
    goneAfterMs: 4_500,
    timeoutMs: 500,
    ejectionMs: 1_000,
  };
  await using machines: CastProcess<MachineTold> = startMachines({
    addresses: ADDRESSES,
    port,
    delayMs: 30,
  });
  await until("the machines are up", () => machines.told !== undefined, 30_000);
  const members = [0, 1, 2, 3].map((number) => startMember(number, options));
  try {
    return await playWith(members, machines, redis, port, say);
  } finally {
    await Promise.all(members.map((member) => member.kill()));
  }
}

async function playWith(
  members: CastProcess<MemberTold>[],
  machines: CastProcess<MachineTold>,
  redis: { stop(): void; go(): void },
  port: number,
  say: (text: string) => void,
): Promise<Summary> {
  const show = async (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      const before = members.map(({ told }) => told?.requests ?? 0);
      await pause(1_000);
      const rates = members.map(({ told }, index) => (told?.requests ?? 0) - before[index]!);
      const states = members.map(({ told }) => told?.state ?? "starting");
      const open = machines.told?.map(({ open }) => open).join(", ");
      say(
        `  requests a second ${rates.join(", ")}; connections at each machine ${open}; `
          + `the processes are ${[...new Set(states)].join(" and ")}`,
      );
    }
  };
  const joined = ({ told }: CastProcess<MemberTold>) => told?.state === "joined";
  say("Two processes on Node, one on Deno and one on Bun, each with 25 requests at a time");
  await until("all have joined", () => members.every(joined), 60_000);
  const failedBefore = members.map(({ told }) => told!.failures);
  await show(4);

  say("Machine 2 dies");
  machines.say("down 2");
  const dead = `${ADDRESSES[1]}:${port}`;
  await until("all know", () => members.every(({ told }) => told?.bad[dead]), 10_000);
  const times = members.map(({ told }) => told!.bad[dead]!);
  const knownWithinMs = Math.max(...times) - Math.min(...times);
  await show(4);
  say("Machine 2 is back");
  machines.say("up 2");
  await show(4);

  say("A process is killed");
  const [killed] = members.splice(3, 1);
  const requestsBefore = killed!.told!.requests;
  const failuresBefore = killed!.told!.failures - failedBefore[3]!;
  await killed!.kill();
  await show(6);

  say("Redis stands still");
  redis.stop();
  await show(5);
  say("Redis goes on");
  redis.go();
  await show(4);
  return {
    requests: members.reduce((sum, { told }) => sum + told!.requests, requestsBefore),
    failures: members.reduce(
      (sum, { told }, index) => sum + told!.failures - failedBefore[index]!,
      failuresBefore,
    ),
    most: Math.max(...machines.told!.map(({ most }) => most)),
    cap: CAP,
    knownWithinMs,
  };
}

function readArguments(): { readonly json: boolean; readonly help: boolean } | undefined {
  try {
    const options = { json: { type: "boolean" }, help: { type: "boolean" } } as const;
    const { help = false, json = false } = parseArgs({ options }).values;
    return { help, json };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\nTry --help`);
    return undefined;
  }
}

async function main(): Promise<number> {
  const given = readArguments();
  if (!given) return 2;
  if (given.help) {
    console.log(HELP);
    return 0;
  }
  if (redisMissing !== false) {
    console.error(INSTALL);
    return 2;
  }
  const summary = await play((text) => given.json || console.log(text));
  const { cap, failures, knownWithinMs, most, requests } = summary;
  console.log(
    given.json ? JSON.stringify(summary) : `
${requests} requests, ${failures} of them failed
${most} connections at most at any machine, of ${cap} that all processes together may have
the last process knew ${knownWithinMs} ms after the first that a machine had died`,
  );
  return failures > 0 || most > cap ? 1 : 0;
}

process.exitCode = await main();
