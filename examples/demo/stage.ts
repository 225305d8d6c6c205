/**
 * The machines that the demo asks: origins of its own on loopback addresses, with certificates of a
 * throwaway authority.
 *
 * @module
 */

import { startOrigin } from "../../tests/support/origin.ts";
import type { Origin } from "../../tests/support/origin_types.ts";
import { createAuthority } from "../../tests/support/pki.ts";

/** Each host with its machines; they share two. */
const PLAN: { readonly [host: string]: readonly string[] } = {
  "alpha.test": ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"],
  "beta.test": ["127.0.0.4", "127.0.0.5", "127.0.0.6"],
};

/** The machine that stops on the way: one that both hosts have. */
const VICTIM = "127.0.0.4";

/** Origins that run, one on each machine. */
export class Stage {
  /** The certificate of the authority that vouches for them, PEM. */
  readonly ca: string;
  readonly #origins: ReadonlyMap<string, Origin>;

  private constructor(ca: string, origins: ReadonlyMap<string, Origin>) {
    this.ca = ca;
    this.#origins = origins;
  }

  /** Starts the origins. */
  static async open(): Promise<Stage> {
    const authority = await createAuthority();
    const names = Object.keys(PLAN);
    const certificates = await Promise.all(
      names.map(async (name) => ({ ...await authority.issue({ names: [name] }), names: [name] })),
    );
    const origins = new Map<string, Origin>();
    const stage = new Stage(authority.cert, origins);
    for (const ip of new Set(Object.values(PLAN).flat())) {
      try {
        const origin = await startOrigin({
          certificates,
          addresses: [ip],
          alpn: ["h2", "http/1.1"],
        });
        origins.set(ip, origin);
      } catch (error) {
        await stage.close();
        throw new Error(`No origin could listen on ${ip}: the demo needs 127.0.0.2 to 127.0.0.6`, {
          cause: error,
        });
      }
    }
    return stage;
  }

  /** Each host with its addresses, for a resolver. */
  get hosts(): { readonly [host: string]: readonly string[] } {
    const addressOf = (ip: string) => `${ip}:${this.#origins.get(ip)!.port}`;
    return Object.fromEntries(
      Object.entries(PLAN).map(([host, ips]) => [host, ips.map(addressOf)]),
    );
  }

  /** The machine that stops on the way. */
  get victim(): string {
    return VICTIM;
  }

  /** Lets the one machine stop, with all that it had open. */
  async stopVictim(): Promise<void> {
    await this.#origins.get(VICTIM)?.stop();
  }

  /** Lets it come back. */
  async startVictim(): Promise<void> {
    await this.#origins.get(VICTIM)?.start();
  }

  /** Waits a little for the last sockets to go; tells how many the origins had, and have, open. */
  async settle(): Promise<{ readonly handshakes: number; readonly openSockets: number }> {
    const reports = await Promise.all(
      [...this.#origins.values()].map((origin) =>
        origin.until({ openSockets: 0, timeoutMs: 3_000 }).catch(() => origin.report())
      ),
    );
    return {
      handshakes: reports.reduce((sum, report) => sum + report.handshakes, 0),
      openSockets: reports.reduce((sum, report) => sum + report.openSockets, 0),
    };
  }

  /** Stops the origins. */
  async close(): Promise<void> {
    await Promise.all([...this.#origins.values()].map((origin) => origin.stop()));
  }
}
