/**
 * The demo itself: a pool, a steady load, and a machine that stops on the way.
 *
 * @module
 */

import process from "node:process";
import { createPool, type HttpPool, staticResolver } from "../../mod.ts";
import { type AdminServer, serveAdmin } from "./admin.ts";
import { drive, type LoadPlan } from "./load.ts";
import type { DemoOptions } from "./options.ts";
import { Observer } from "./snapshot.ts";
import type { Stage } from "./stage.ts";
import { Tally } from "./tally.ts";
import { openView } from "./view.ts";

/** What came of the demo. */
export interface Outcome {
  readonly tally: Tally;
  /** How many requests were sent again on another connection. */
  readonly repeated: number;
  /** Counted by the origins; by the pool where it has none of its own. */
  readonly handshakes: number;
  /** Still open after the pool closed, counted as the handshakes are. */
  readonly openSockets: number;
}

/** How many connections are kept open to each host. */
const WARM = 8;

/** When the machine stops and comes back, as shares of the time, or of each round. */
const STOPS_AT = 0.25;
const STARTS_AT = 0.5;

/** How long a round takes where the demo goes on until it is stopped, in milliseconds. */
const ROUND_MS = 40_000;

/**
 * Runs the demo. `signal` ends it early.
 *
 * @param stage Its own origins; none where it is held against a real host
 */
export async function runDemo(
  options: DemoOptions,
  title: string,
  stage: Stage | undefined,
  signal: AbortSignal,
): Promise<Outcome> {
  const { json, seconds, url } = options;
  let admin: AdminServer | undefined;
  const pool = stage
    ? createPool({
      resolver: staticResolver(stage.hosts),
      protocols: [options.protocol],
      tls: { ca: [stage.ca] },
    })
    : createPool();
  try {
    if (options.admin) {
      admin = await serveAdmin(pool);
      // Beside the summary, which may be for a program to read.
      console.error(`Dashboard: ${admin.url}`);
      if (seconds === Infinity) console.error("Press Ctrl+C to stop");
    }
    const tally = new Tally();
    const plan = url ? gentlePlan(url) : steadyPlan(stage!);
    await Promise.all(plan.hosts.map((host) => pool.warm(host, { connections: WARM, signal })))
      .catch((error: unknown) => {
        // Whoever stops it now has seen enough.
        if (!signal.aborted) throw error;
      });
    tally.note(`${pool.stats().connections} connections are warm`);
    const stopNotes = noteLosses(pool, tally);
    pool.on("lease", ({ waitedMs }) => waitedMs > 0 && tally.waitedFor(waitedMs));
    const observer = new Observer(pool, tally, stage ? bareIp : (address) => address);
    const view = json ? undefined : openView({ title, seconds, observer, tally });
    // Not `AbortSignal.any()` with a timeout in it: Node 20 may collect the timeout before it comes.
    const clock = new AbortController();
    const end = clock.signal;
    const stop = () => clock.abort();
    const timer = seconds === Infinity ? undefined : setTimeout(stop, seconds * 1_000);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    try {
      await Promise.all([
        drive(pool, plan, tally, end),
        stage && (seconds === Infinity
          ? playRounds(stage, tally, end)
          : play(stage, tally, seconds * 1_000, end)),
      ]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      stopNotes();
      view?.end();
    }
    const { handshakes, repeated } = observer.look();
    await pool.close();
    const { connections, ending } = pool.stats();
    const seen = await stage?.settle() ?? { handshakes, openSockets: connections + ending };
    return { tally, repeated, ...seen };
  } finally {
    await pool.close({ graceMs: 0 });
    await admin?.close();
  }
}

function steadyPlan({ hosts }: Stage): LoadPlan {
  // Answers that take their time, so that leases are to be seen.
  const path = () => `/delay/${Math.round(5 + Math.random() * 35)}`;
  return { hosts: Object.keys(hosts), path, perSecond: 300 };
}

function gentlePlan({ host, pathname, search }: URL): LoadPlan {
  return { hosts: [host], path: () => pathname + search, perSecond: 4 };
}

/** Lets the one machine stop and come back, round after round. */
async function playRounds(stage: Stage, tally: Tally, end: AbortSignal): Promise<void> {
  while (!end.aborted) {
    const over = pause(ROUND_MS, end);
    await play(stage, tally, ROUND_MS, end);
    await over;
  }
}

/** Lets the one machine stop and come back. */
async function play(stage: Stage, tally: Tally, ms: number, end: AbortSignal): Promise<void> {
  const begunAt = performance.now();
  const until = (share: number) => pause(begunAt + share * ms - performance.now(), end);
  await until(STOPS_AT);
  if (end.aborted) return;
  tally.note(`${stage.victim} stops, with all that it had open`);
  await stage.stopVictim();
  await until(STARTS_AT);
  if (end.aborted) return;
  await stage.startVictim();
  tally.note(`${stage.victim} is back`);
}

/** Notes which addresses lose connections, and which have some again. */
function noteLosses(pool: HttpPool, tally: Tally): () => void {
  const lost = new Map<string, number>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tell = () => {
    timer = undefined;
    for (const [ip, count] of lost) tally.note(`${count} connections to ${ip} are gone`);
  };
  const stops = [
    pool.on("evict", ({ address, reason }) => {
      if (reason !== "peer" && reason !== "error" && reason !== "unhealthy") return;
      lost.set(bareIp(address), (lost.get(bareIp(address)) ?? 0) + 1);
      timer ??= setTimeout(tell, 100);
    }),
    pool.on("ready", ({ address }) => {
      if (timer === undefined && lost.delete(bareIp(address))) {
        tally.note(`${bareIp(address)} has connections again`);
      }
    }),
  ];
  return () => {
    clearTimeout(timer);
    for (const stop of stops) stop();
  };
}

function bareIp(address: string): string {
  return address.replace(/:\d+$/, "");
}

function pause(ms: number, end: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      end.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    end.addEventListener("abort", done);
    if (end.aborted) done();
  });
}

/** A signal that aborts when somebody interrupts the program, and how to stop listening. */
export function interruption(): { readonly signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  process.once("SIGINT", abort);
  process.once("SIGTERM", abort);
  const stop = () => {
    process.off("SIGINT", abort);
    process.off("SIGTERM", abort);
  };
  return { signal: controller.signal, stop };
}
