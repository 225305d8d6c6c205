/**
 * What is measured: something that makes requests over so many connections.
 *
 * @module
 */

/** Where requests go, and how to trust it. */
export interface BenchTarget {
  /** The server's name in URLs and certificates. */
  readonly host: string;
  /** Where it listens. */
  readonly ip: string;
  /** Its port. */
  readonly port: number;
  /** The authority to trust, PEM. */
  readonly ca: string;
  /** The protocols to offer, for who opens sockets; none where it is left out. */
  readonly alpn?: readonly string[];
}

/** Set when the time is over: whoever sees it begins no more requests. */
export interface Stop {
  now: boolean;
}

/** A client with its connections. */
export interface Client {
  /** Makes one request after another on each connection until told to stop; gives their number. */
  run(stop: Stop): Promise<number>;
  /** Ends the connections. */
  close(): void | Promise<void>;
}

/** Opens a client. */
export type OpenClient = (
  target: BenchTarget,
  path: string,
  bodyBytes: number,
  connections: number,
  callers: number,
) => Client | Promise<Client>;

/**
 * Makes a client of a function that makes one request, and gives the length of the body that it
 * has read: one loop for each caller.
 */
export function looping(
  get: () => Promise<number>,
  bodyBytes: number,
  callers: number,
  close: () => void | Promise<void> = () => {},
): Client {
  async function loop(stop: Stop): Promise<number> {
    let count = 0;
    while (!stop.now) {
      const length = await get();
      if (length !== bodyBytes) throw new Error(`A body of ${length} bytes, not ${bodyBytes}`);
      count++;
    }
    return count;
  }
  return {
    async run(stop) {
      const counts = await Promise.all(Array.from({ length: callers }, () => loop(stop)));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    close,
  };
}
