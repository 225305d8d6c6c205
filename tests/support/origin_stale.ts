/**
 * A server that closes each of its connections after a random number of answers, whatever is on its
 * way to it; and counts what it got and what it answered, by the field `x-id`.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { ScriptedConnection } from "./origin_script.ts";
import { Random } from "./random.ts";
import { RequestReader } from "./request_reader.ts";

/** What such a server does. */
export interface StaleBehaviour {
  readonly kind: "stale";
  /** How many answers a connection gives at the most. */
  readonly maxAnswers: number;
  /** How many requests in a hundred it hangs up on instead of an answer. @default {0} */
  readonly refusesPercent?: number;
  readonly seed: number;
}

/** What it counted. */
export interface StaleReport {
  /** Different ids that came. */
  readonly ids: number;
  /** Different ids that were answered. */
  readonly answered: number;
  /** How often the one that came most often came. */
  readonly mostOften: number;
  /** Requests that came, in all. */
  readonly received: number;
}

/** How long a connection may stand after its last answer, where nothing comes, in milliseconds. */
const SOON_MS = 10;

const ANSWER = Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");

/** See the module. */
export class StaleOrigin {
  readonly #behaviour: StaleBehaviour;
  readonly #random: Random;
  readonly #received = new Map<string, number>();
  readonly #answered = new Set<string>();

  constructor(behaviour: StaleBehaviour) {
    this.#behaviour = behaviour;
    this.#random = new Random(behaviour.seed);
  }

  /** Serves a connection; gives the function to call with what arrives. */
  serve(connection: ScriptedConnection): (bytes: Uint8Array) => void {
    const { maxAnswers, refusesPercent = 0 } = this.#behaviour;
    let left = 1 + this.#random.below(maxAnswers);
    let ended = false;
    const end = () => {
      if (ended) return;
      ended = true;
      if (!connection.stream.destroyed) connection.act({ kind: "end" });
    };
    const reader = new RequestReader(connection.id, () => {}, (record, body) => {
      const id = /^x-id: *(\S+)/im.exec(record.head)?.[1] ?? "";
      connection.onRequest();
      void body.then(() => {
        this.#received.set(id, (this.#received.get(id) ?? 0) + 1);
        if (ended) return;
        if (left === 0 || this.#random.below(100) < refusesPercent) return end();
        this.#answered.add(id);
        connection.stream.write(ANSWER);
        // Soon after the last answer, or when the next request has come.
        if (--left > 0 || this.#random.chance(0.5)) return;
        setTimeout(end, this.#random.below(SOON_MS * 1_000) / 1_000).unref();
      });
    });
    return (bytes) => reader.take(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  }

  report(): StaleReport {
    const counts = [...this.#received.values()];
    return {
      ids: counts.length,
      answered: this.#answered.size,
      mostOften: counts.reduce((most, count) => Math.max(most, count), 0),
      received: counts.reduce((sum, count) => sum + count, 0),
    };
  }
}
