/**
 * A fleet of three processes under load, whose Redis the network black-holes for a while. It runs in
 * a network namespace of its own, as root, and tells as JSON what became of the requests.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import process from "node:process";
import {
  type CastProcess,
  type MemberTold,
  startMachines,
  startMember,
  until,
} from "./fleet_cast.ts";
import { startRedis } from "./redis_server.ts";
import { findPort, pause } from "./services.ts";

/** What became of the requests while the network was well, and while it was not. */
export interface CutTold {
  readonly requests: readonly [well: number, cut: number];
  readonly failures: number;
  /** The median, and the most, of the 99th percentiles of single spans of 50 ms, in milliseconds. */
  readonly p99: readonly [well: Spans, cut: Spans];
  /** How the members stood to Redis at the end of the cut, and after it. */
  readonly states: readonly [cut: readonly string[], after: readonly string[]];
  /** How long the last one took to be back, in milliseconds. */
  readonly backMs: number;
}

interface Spans {
  readonly median: number;
  readonly most: number;
}

const SPAN_MS = Number(process.argv[2] ?? 3_000);
const drop = (what: "-A" | "-D", port: number) => {
  for (const side of ["--dport", "--sport"]) {
    execFileSync("iptables", [what, "INPUT", "-p", "tcp", side, `${port}`, "-j", "DROP"]);
  }
};

execFileSync("ip", ["link", "set", "lo", "up"]);
const redis = await startRedis();
const port = await findPort();
const addresses = ["127.0.76.1", "127.0.76.2", "127.0.76.3"];
const machines = startMachines({ addresses, port, delayMs: 10 });
await until("the machines are up", () => machines.told !== undefined, 20_000);
const options = { url: redis.url, addresses, port, callers: 12, cap: 100, leaseMs: 1_200 };
const members = [0, 1, 2].map((number) =>
  startMember(number, { ...options, goneAfterMs: 3_600, timeoutMs: 400 })
);
const sum = (of: (told: MemberTold) => number) =>
  members.reduce((sum, { told }) => sum + of(told!), 0);
const states = () => members.map(({ told }) => told!.state);
const all = (state: string) => () => members.every(({ told }) => told?.state === state);

/** Looks on for a while. */
async function watch(): Promise<{ requests: number; spans: Spans }> {
  const before = sum(({ requests }) => requests);
  const seen = new Map<CastProcess<MemberTold>, unknown>();
  const spans: number[] = [];
  for (const end = performance.now() + SPAN_MS; performance.now() < end;) {
    for (const member of members) {
      if (seen.get(member) === member.told) continue;
      seen.set(member, member.told);
      spans.push(member.told!.p99);
    }
    await pause(10);
  }
  spans.sort((a, b) => a - b);
  const median = spans[spans.length >> 1]!;
  return {
    requests: sum(({ requests }) => requests) - before,
    spans: { median, most: spans.at(-1)! },
  };
}

try {
  await until("all have joined, and are warm", () => {
    return all("joined")() && sum(({ connections }) => connections) >= 30;
  }, 40_000);
  await pause(1_000);
  const failures = sum(({ failures }) => failures);
  const well = await watch();
  drop("-A", redis.port);
  const cut = await watch();
  await until("all are alone", all("alone"), 10_000);
  const alone = states();
  drop("-D", redis.port);
  const healedAt = performance.now();
  await until("all are back", all("joined"), 20_000);
  const told: CutTold = {
    requests: [well.requests, cut.requests],
    failures: sum(({ failures }) => failures) - failures,
    p99: [well.spans, cut.spans],
    states: [alone, states()],
    backMs: Math.round(performance.now() - healedAt),
  };
  console.log(JSON.stringify(told));
} catch (error) {
  console.error(error, members.map(({ errors, told }) => `${JSON.stringify(told)} ${errors}`));
  process.exitCode = 1;
} finally {
  await Promise.all([machines, ...members].map((one) => one.kill()));
  await redis[Symbol.asyncDispose]();
}
