/**
 * What is counted of one host.
 *
 * @module
 */

import { LatencyCounts } from "./latency_counts.ts";
import { RequestCounts } from "./request_counts.ts";

/** The counts of one host, or of several together. */
export class HostFigures {
  /** How its requests ended. */
  readonly requests: RequestCounts = new RequestCounts();
  /** How long they took. */
  readonly latency: LatencyCounts = new LatencyCounts();
  /** How many times one of its addresses was ejected. */
  ejections = 0;
  /** How many times the resolver failed for it. */
  resolveErrors = 0;

  /** Adds other counts to its own. */
  add({ ejections, latency, requests, resolveErrors }: HostFigures): void {
    this.requests.add(requests);
    this.latency.add(latency);
    this.ejections += ejections;
    this.resolveErrors += resolveErrors;
  }
}
