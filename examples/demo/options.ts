/**
 * The demo's command line.
 *
 * @module
 */

import { parseArgs } from "node:util";
import type { Protocol } from "../../mod.ts";

/** What the demo is told. */
export interface DemoOptions {
  /** How long it runs; `Infinity` is until it is stopped. */
  readonly seconds: number;
  /** What is spoken with its own origins, which speak both. */
  readonly protocol: Protocol;
  /** Whether it prints its summary only, as one line of JSON. */
  readonly json: boolean;
  /** Whether the admin router is served beside it. */
  readonly admin: boolean;
  /** The real host to hold it against, instead of its own origins. */
  readonly url?: URL;
}

/** Bad arguments; the message says what is wrong. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What `--help` prints. */
export const help =
  `A pool under steady load, while one of the machines behind it stops and comes back.

  --seconds N      how long it runs, 2 to 3600 (15; with --admin, until you stop it)
  --url https://…  asks this host, gently, instead of origins of its own
  --admin          serves the dashboard of the pool, and prints the link that opens it
  --protocol P     speaks h2 (the default) or http/1.1 with its own origins
  --json           prints the summary only, as one line of JSON
  --help           prints this

Ends with 0 when every request was served and every socket closed, with 1 when not, and with 2
when its arguments make no sense.`;

/**
 * Reads the command line; undefined where help is asked for.
 *
 * @throws {UsageError} An argument makes no sense
 */
export function parseOptions(words: readonly string[]): DemoOptions | undefined {
  const { admin = false, help: wantsHelp, json = false, protocol, seconds, url } = split(words);
  if (wantsHelp) return undefined;
  return {
    seconds: seconds === undefined ? admin ? Infinity : 15 : parseSeconds(seconds),
    protocol: protocol === undefined ? "h2" : parseProtocol(protocol),
    json,
    admin,
    ...url !== undefined && { url: parseUrl(url) },
  };
}

function split(words: readonly string[]): {
  readonly admin?: boolean | undefined;
  readonly help?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly protocol?: string | undefined;
  readonly seconds?: string | undefined;
  readonly url?: string | undefined;
} {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        admin: { type: "boolean" },
        help: { type: "boolean" },
        json: { type: "boolean" },
        protocol: { type: "string" },
        seconds: { type: "string" },
        url: { type: "string" },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && seconds >= 2 && seconds <= 3_600) return seconds;
  throw new UsageError(`--seconds must be a number from 2 to 3600, got "${text}"`);
}

function parseProtocol(text: string): Protocol {
  if (text === "h2" || text === "http/1.1") return text;
  throw new UsageError(`--protocol must be h2 or http/1.1, got "${text}"`);
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "https:") return url;
  throw new UsageError(`--url must be an address that begins with https://, got "${text}"`);
}
