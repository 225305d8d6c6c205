/**
 * Checks of a server's certificates what Node and Bun leave open.
 *
 * @module
 */

import type { createHash } from "node:crypto";
import type { DialTarget } from "../../src/core/dialer.ts";
import { DialError, type DialFailure } from "../../src/core/errors.ts";
import { matchesPin } from "./pins.ts";
import {
  type CertificateReader,
  endOf,
  objectionToShown,
  readShown,
  type ShownCertificate,
} from "./shown_chain.ts";

/** How many accepted certificates are remembered. */
const MAX_ACCEPTED = 1_024;

/** What it needs of a runtime. */
export interface VerifierRuntime {
  readonly createHash: typeof createHash;
  /** Returns the authorities that the runtime trusts, PEM. */
  roots(): readonly string[];
}

/** A server that has finished its handshake, as its socket shows it. */
export interface ShownServer {
  /** The fingerprint of its own certificate, SHA-256; undefined if the runtime gives none. */
  readonly fingerprint256: string | undefined;
  /** Returns all that it has shown, its own first: called only if that is new. */
  certificate(): ShownCertificate | null | undefined;
  /** Returns what reads a certificate: called only then, too. */
  reader(): CertificateReader;
}

/**
 * Checks the servers that are dialled with one set of TLS options, and remembers those it has
 * accepted: checking a chain costs as much as a handshake.
 */
export class Verifier {
  readonly #runtime: VerifierRuntime;
  /** When each expires, by the name that it was accepted for. */
  readonly #accepted = new Map<string, number | undefined>();

  /** Makes one that has accepted nobody. */
  constructor(runtime: VerifierRuntime) {
    this.#runtime = runtime;
  }

  /**
   * Checks a server's certificates. Returns when the first of them expires, if hotconn has checked
   * them.
   *
   * @throws {DialError} They are not accepted
   */
  check(server: ShownServer, target: DialTarget): number | undefined {
    const { dangerouslyAcceptAnyCertificate, dangerouslyAcceptWeakCertificate, pins } = target.tls;
    const isRelaxed = dangerouslyAcceptAnyCertificate || dangerouslyAcceptWeakCertificate;
    if (isRelaxed && !pins) return undefined;
    // A server that shows a certificate again that was verified once has its key.
    const { fingerprint256 } = server;
    const key = fingerprint256 && `${target.serverName} ${fingerprint256}`;
    if (key && this.#accepted.has(key)) return this.#accepted.get(key);
    const { createHash, roots } = this.#runtime;
    const shown = readShown(server.certificate(), server.reader());
    if (!isRelaxed) {
      const objection = objectionToShown(shown, target.serverName, target.tls, roots);
      if (objection !== null) throw refusal(target, "certificate", objection);
    }
    if (pins && !matchesPin(shown.chain, pins, createHash)) {
      throw refusal(target, "pin", "no public key of the server's chain is pinned");
    }
    const endsAt = isRelaxed ? undefined : endOf(shown);
    if (this.#accepted.size >= MAX_ACCEPTED) this.#accepted.clear();
    if (key) this.#accepted.set(key, endsAt);
    return endsAt;
  }

  /**
   * Whether certificates that were accepted for one name are valid for another: never if the TLS
   * options leave out checks.
   */
  covers(server: ShownServer, target: DialTarget): boolean {
    const { dangerouslyAcceptAnyCertificate, dangerouslyAcceptWeakCertificate } = target.tls;
    if (dangerouslyAcceptAnyCertificate || dangerouslyAcceptWeakCertificate) return false;
    try {
      this.check(server, target);
      return true;
    } catch (error) {
      if (error instanceof DialError) return false;
      throw error;
    }
  }
}

function refusal(target: DialTarget, failure: DialFailure, why: string): DialError {
  return new DialError({ ...target, phase: "tls", failure }, why);
}
