/**
 * A steady load of small requests.
 *
 * @module
 */

import type { HttpPool } from "../../mod.ts";
import type { Tally } from "./tally.ts";

/** What is asked, and how often. */
export interface LoadPlan {
  /** The hosts, which take turns. */
  readonly hosts: readonly string[];
  /** Gives the path of the next request. */
  readonly path: () => string;
  /** Requests a second. */
  readonly perSecond: number;
}

/** How often requests that are due are sent, in milliseconds. */
const TICK_MS = 10;

/** How many requests may be under way; what falls due beyond is left out. */
const MAX_PENDING = 256;

/** How long a request may take, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** Asks at an even pace until `signal` aborts; resolves when the last request is done. */
export async function drive(
  pool: HttpPool,
  plan: LoadPlan,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const { hosts, path, perSecond } = plan;
  const pending = new Set<Promise<void>>();
  const begunAt = performance.now();
  let sent = 0;
  const send = () => {
    const request = ask(pool, `https://${hosts[sent % hosts.length]}${path()}`, tally)
      .finally(() => pending.delete(request));
    pending.add(request);
  };
  await new Promise<void>((resolve) => {
    const ticks = setInterval(() => {
      const due = (performance.now() - begunAt) / 1_000 * perSecond;
      for (; sent < due; sent++) if (pending.size < MAX_PENDING) send();
    }, TICK_MS);
    const end = () => {
      clearInterval(ticks);
      resolve();
    };
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
  });
  await Promise.all(pending);
}

/** Makes one request, and reads its answer to the end. */
async function ask(pool: HttpPool, url: string, tally: Tally): Promise<void> {
  try {
    const response = await pool.request(url, { timeoutMs: TIMEOUT_MS });
    await response.text();
    if (response.status >= 500) throw new Error(`The status was ${response.status}`);
    tally.served(response.connection);
  } catch (error) {
    tally.failed(error);
  }
}
