/**
 * Asks every machine behind a host, one by one, and prints a table: the address, what it answers,
 * how long its handshakes and its first byte took, and what is wrong with its certificate.
 *
 *     deno run --allow-all examples/prober.ts https://example.com/healthz
 *     bun run examples/prober.ts https://example.com/healthz
 *     node --import tsx examples/prober.ts https://example.com/healthz
 *
 * See also `surroundings.ts`. Ends with 1 when a machine is not well.
 *
 * @module
 */

import process from "node:process";
import {
  createPool,
  DialError,
  HostUnavailableError,
  type HttpPool,
  systemResolver,
} from "../mod.ts";
import { explain, surroundings } from "./surroundings.ts";

/** What one machine said. */
interface Finding {
  readonly address: string;
  readonly verdict: string;
  readonly isWell: boolean;
  readonly handshakeMs?: number;
  readonly firstByteMs?: number;
  readonly certificate: string;
}

const TIMEOUT_MS = 3_000;

async function probe(pool: HttpPool, url: URL, address: string): Promise<Finding> {
  try {
    const response = await pool.request(url, { ip: address, timeoutMs: TIMEOUT_MS });
    await response.dump();
    const { dialMs, firstByteMs, tlsMs } = response.connection.timings;
    return {
      address,
      verdict: `${response.status} ${response.statusText}`.trim(),
      isWell: response.ok,
      handshakeMs: dialMs + tlsMs,
      firstByteMs,
      certificate: "good",
    };
  } catch (error) {
    const dial = dialErrorOf(error);
    const isUntrusted = dial?.failure === "certificate" || dial?.failure === "pin";
    return {
      address,
      verdict: dial ? `${dial.phase}: ${dial.failure}` : errorText(error),
      isWell: false,
      certificate: isUntrusted ? errorText(dial.cause ?? dial) : "not seen",
    };
  }
}

/** The dial that failed, however deep it stands among the causes. */
function dialErrorOf(error: unknown): DialError | undefined {
  if (error instanceof DialError) return error;
  if (error instanceof HostUnavailableError) return dialErrorOf(error.failures.at(-1)?.error);
  return error instanceof Error && error.cause ? dialErrorOf(error.cause) : undefined;
}

function errorText(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
}

function print(findings: readonly Finding[]): void {
  const ms = (value: number | undefined) => value === undefined ? "-" : value.toFixed(1);
  const rows = [
    ["address", "verdict", "handshake ms", "first byte ms", "certificate"],
    ...findings.map(({ address, certificate, firstByteMs, handshakeMs, verdict }) => [
      address,
      verdict,
      ms(handshakeMs),
      ms(firstByteMs),
      certificate,
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    console.log(row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd());
  }
}

const [text] = process.argv.slice(2);
if (text === undefined) {
  explain(`Asks every machine behind a host, one by one, and prints a table.

  prober.ts URL    such as https://example.com/healthz

CA_FILE and ADDRESSES: see surroundings.ts. Ends with 1 when a machine is not well.`);
}
const url = new URL(text);
const { resolver = systemResolver(), tls = {} } = surroundings();
const { addresses } = await resolver.resolve(url.hostname, AbortSignal.timeout(TIMEOUT_MS));
// Each machine is asked once, over its own connection: what fails is told, not tried again.
await using pool = createPool({
  resolver,
  tls,
  maxRetries: 0,
  connectTimeoutMs: TIMEOUT_MS,
});
const findings = await Promise.all(
  addresses.map((item) => probe(pool, url, typeof item === "string" ? item : item.address)),
);
print(findings);
if (!findings.every(({ isWell }) => isWell)) process.exitCode = 1;
