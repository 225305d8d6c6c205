/**
 * A tiny HTTP client over leases: it asks with GET, and asks again where a connection died on it
 * before it had said a word.
 *
 * @module
 */

import type { ConnectionPool, Lease } from "../../mod.ts";
import { HttpReader } from "./http_reader.ts";

/** How a request was served. */
export interface Served {
  readonly status: number;
  /** The address that answered. */
  readonly address: string;
  /** How often it was asked; more than once where connections died. */
  readonly attempts: number;
  /** How long the lease that served it was waited for, in milliseconds. */
  readonly waitedMs: number;
}

/** How long an answer may take, in milliseconds. */
const ANSWER_MS = 10_000;

/** How often a request is asked at most. */
const MAX_ATTEMPTS = 3;

/** A connection that ended before the response was whole. */
class LostError extends Error {
  override readonly name = "LostError";
  /** Whether nothing of the response had come. */
  readonly untouched: boolean;

  constructor(untouched: boolean, cause?: Error) {
    super("The connection ended before the response was whole", { cause });
    this.untouched = untouched;
  }
}

/** Asks a host for a path. */
export async function get(pool: ConnectionPool, host: string, path: string): Promise<Served> {
  const head = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: hotconn-demo\r\n\r\n`;
  const request = new TextEncoder().encode(head);
  const dead: string[] = [];
  for (let attempts = 1;; attempts++) {
    const lease = await pool.acquire(host, dead.length > 0 ? { exclude: dead } : undefined);
    const { connection, waitedMs } = lease;
    try {
      const status = await exchange(lease, request);
      return { status, address: connection.address, attempts, waitedMs };
    } catch (error) {
      // A GET may be asked twice (RFC 9110 section 9.2.2); it is when nobody has answered it.
      const again = error instanceof LostError && error.untouched && attempts < MAX_ATTEMPTS;
      if (!again) throw error;
      dead.push(connection.address);
    }
  }
}

/** Sends a request on a lease, reads the response, and ends the lease. */
function exchange(lease: Lease, request: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    const reader = new HttpReader();
    let untouched = true;
    const fail = (error: Error) => {
      clearTimeout(timer);
      lease.release({ error });
      reject(error);
    };
    const succeed = () => {
      clearTimeout(timer);
      lease.release({ reuse: reader.reusable });
      resolve(reader.status);
    };
    const timer = setTimeout(
      () => fail(new Error(`No answer came within ${ANSWER_MS} ms`)),
      ANSWER_MS,
    );
    lease.attach({
      onData(bytes) {
        untouched = false;
        try {
          if (reader.push(bytes)) succeed();
        } catch (error) {
          fail(error as Error);
        }
      },
      onDrain() {},
      onClose(error) {
        if (error === undefined && reader.end()) succeed();
        else fail(new LostError(untouched, error));
      },
    });
    lease.write(request);
  });
}
