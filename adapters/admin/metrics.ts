/**
 * The figures of several pools as OpenMetrics text.
 *
 * @module
 */

import type { ConnectionPool } from "../../src/pool/pool.ts";

/** The text's media type. */
export const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** Writes the text, each figure with its pool's name. */
export function metricsText(pools: ReadonlyMap<string, ConnectionPool>): string {
  const lines: string[] = ["# TYPE hotconn_connections gauge"];
  for (const [name, pool] of pools) {
    const { draining, idle, leased } = pool.stats();
    for (const [state, value] of Object.entries({ idle, leased, draining })) {
      lines.push(`hotconn_connections{pool="${name}",state="${state}"} ${value}`);
    }
  }
  return `${lines.join("\n")}\n# EOF\n`;
}
