/**
 * A server of others' making that tests talk to: what all of them are told, and can.
 *
 * All of them pass requests on to the program of `upstream.ts`, and say with every response, in
 * its header fields, who answered whom: `x-client-port`, `x-server-address`, `x-generation`. What
 * comes below `/close/` is answered with `Connection: close`; what is uploaded below `/limited/`
 * must not be said to be larger than a mebibyte, or about that.
 *
 * @module
 */

import type { Credentials } from "./pki.ts";

/** What a party is told. */
export interface PartySettings {
  /** Its certificate for `a.test`. */
  readonly credentials: Credentials;
  /** How long it keeps an idle connection, in seconds. @default {60} */
  readonly keepAliveSeconds?: number;
  /** What it is asked over: it may speak others too. @default {"http/1.1"} */
  readonly protocol?: "http/1.1" | "h2";
  /** More of its configuration: into the server, the frontend or the site. */
  readonly extra?: string;
}

/** A running party, on one port of 127.0.0.1 and 127.0.0.2. */
export interface Party extends AsyncDisposable {
  readonly port: number;
  /** Reloads its configuration, with a generation one higher, and returns that. */
  reload(): Promise<number>;
}

/** A kind of party. */
export interface PartyKind {
  readonly name: string;
  /** Whether it can be reloaded. @default {true} */
  readonly reloads?: boolean;
  /** Its program; undefined where it is not installed. */
  readonly program: string | undefined;
  /**
   * Whether it reads on what it has refused, so that its answer is not lost to a reset
   * (RFC 9112 section 9.6).
   */
  readonly lingers: boolean;
  /** Starts one. The first generation is 1. */
  start(settings: PartySettings): Promise<Party>;
}
