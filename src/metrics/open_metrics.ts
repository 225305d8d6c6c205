/**
 * The figures of pools as OpenMetrics text, for Prometheus and compatible programs.
 *
 * @module
 */

import { checkNames, checkNumber, describe, quote } from "../core/check.ts";
import type { ConnectionPool } from "../pool/pool.ts";
import { writeFamilies } from "./families.ts";
import { MetricText } from "./metric_text.ts";
import { MetricWriter, type Source } from "./metric_writer.ts";
import { SharedCounts } from "./shared_counts.ts";

/** The media type of the text. */
export const OPEN_METRICS_TYPE: string =
  "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** The media type of the older text. */
export const METRICS_TEXT_TYPE: string = "text/plain; version=0.0.4; charset=utf-8";

/** What is written, and how. */
export interface OpenMetricsOptions {
  /**
   * How many hosts of each pool have series of their own. All further hosts share the host `other`, and
   * so does a host of that name. The first hosts keep their series, so that no series changes its
   * meaning.
   *
   * @default {100}
   */
  readonly maxHosts?: number | undefined;
  /**
   * Whether hosts with series of their own also have some for each address. There may be many.
   *
   * @default {false}
   */
  readonly addresses?: boolean | undefined;
  /**
   * Whether to write when each counter and histogram started, in series that end in `_created`.
   *
   * @default {false}
   */
  readonly created?: boolean | undefined;
  /**
   * The format: OpenMetrics 1.0, or `text`, Prometheus's older text format 0.0.4, for programs that
   * read no other.
   *
   * @default {"openMetrics"}
   */
  readonly format?: "openMetrics" | "text" | undefined;
}

/**
 * Writes the metrics of pools as OpenMetrics 1.0 text. Every series has the label `pool`.
 *
 * Times are histograms with fixed buckets, from a quarter of a millisecond to half a minute, each
 * twice as long as the one before. Unlike quantiles, they can be added up over processes and over
 * time, and an alert can ask what share of requests took too long.
 *
 * @param pools One pool, which is named `default`, or several by name
 * @throws {TypeError | RangeError} An option is not valid, or something else than a pool is given
 *
 * @example
 * ```ts
 * import { createPool, openMetrics, staticResolver } from "@hotconn/hotconn";
 * import { memoryDialer } from "@hotconn/hotconn/memory";
 * import { assert } from "@std/assert";
 *
 * await using pool = createPool({
 *   dialer: memoryDialer(),
 *   resolver: staticResolver({ "example.test": ["192.0.2.1"] }),
 * });
 * await pool.warm("example.test", { connections: 2 });
 * const text = openMetrics({ shop: pool });
 * assert(text.includes('hotconn_connections{pool="shop",host="example.test",state="idle"} 2\n'));
 * assert(text.endsWith("# EOF\n"));
 * ```
 */
export function openMetrics(
  pools: ConnectionPool | { readonly [name: string]: ConnectionPool },
  options: OpenMetricsOptions = {},
): string {
  checkNames("openMetrics()", options, ["maxHosts", "addresses", "created", "format"]);
  const { addresses = false, created = false, format = "openMetrics", maxHosts = 100 } = options;
  if (format !== "openMetrics" && format !== "text") {
    throw new TypeError(`format must be "openMetrics" or "text", got ${describe(format)}`);
  }
  checkNumber("maxHosts", maxHosts, { min: 0, whole: true });
  const named = isPool(pools) ? { default: pools } : pools;
  if (typeof named !== "object" || named === null || Symbol.iterator in named) {
    throw new TypeError(
      `openMetrics() needs a pool, or an object with pools by name, got ${describe(pools)}`,
    );
  }
  const sources = Object.entries(named).map(([name, pool]) => {
    if (isPool(pool)) return read(name, pool, maxHosts);
    throw new TypeError(`openMetrics() needs a pool as ${quote(name)}, got ${describe(pool)}`);
  });
  const text = new MetricText(format);
  writeFamilies(new MetricWriter(text, sources, created), addresses);
  return text.end();
}

/** Whether something is a pool, of another copy of the package too. */
function isPool(value: unknown): value is ConnectionPool {
  return typeof (value as Partial<ConnectionPool> | null | undefined)?.histograms === "function";
}

/** What is remembered of each pool, by how many hosts are named. */
const remembered = new WeakMap<ConnectionPool, Map<number, SharedCounts>>();

function sharedCounts(pool: ConnectionPool, maxHosts: number): SharedCounts {
  let ofPool = remembered.get(pool);
  if (!ofPool) remembered.set(pool, ofPool = new Map());
  let counts = ofPool.get(maxHosts);
  if (!counts) ofPool.set(maxHosts, counts = new SharedCounts());
  return counts;
}

function read(pool: string, source: ConnectionPool, maxHosts: number): Source {
  const stats = source.stats();
  // A host with the name that others share is one of them: otherwise its series would be there twice.
  const { other, ...rest } = stats.hosts;
  const hosts = Object.entries(rest);
  const others = new Map(hosts.splice(maxHosts));
  if (other) others.set("other", other);
  return {
    pool,
    stats,
    fleet: source.fleet?.status(),
    histograms: source.histograms(),
    hosts,
    others: [...others.values()],
    shared: sharedCounts(source, maxHosts).look(stats, new Map(hosts), others.keys()),
  };
}
