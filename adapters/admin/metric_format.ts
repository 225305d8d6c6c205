/**
 * Which of the two formats of metrics a scraper wants.
 *
 * @module
 */

import type { OpenMetricsOptions } from "../../src/metrics/open_metrics.ts";

type Format = NonNullable<OpenMetricsOptions["format"]>;

/**
 * Chooses by an `Accept` header (RFC 9110 section 12.5.1): the format that it prefers, or
 * `preferred` if it mentions neither, or prefers both equally.
 */
export function metricFormat(accept: string, preferred: Format = "openMetrics"): Format {
  const openMetrics = weightOf(accept, "application/openmetrics-text");
  const text = weightOf(accept, "text/plain");
  if (openMetrics === text) return preferred;
  return openMetrics > text ? "openMetrics" : "text";
}

/** How much a media type is wanted, from 0 to 1, by the most specific match. */
function weightOf(accept: string, type: string): number {
  let weight = 0;
  for (const range of accept.split(",")) {
    const [name = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    if (name !== type) continue;
    const q = parameters.find((parameter) => parameter.startsWith("q="));
    const value = q === undefined ? 1 : Number(q.slice(2));
    if (value >= 0 && value <= 1) weight = Math.max(weight, value);
  }
  return weight;
}
