/**
 * Checks of a server's certificates what `node:tls` leaves open.
 *
 * @module
 */

import { createHash, X509Certificate } from "node:crypto";
import tls from "node:tls";
import type { DialTarget } from "../../src/core/dialer.ts";
import { DialError, type DialFailure } from "../../src/core/errors.ts";
import { matchesPin } from "../sockets/pins.ts";
import { endOf, objectionToShown, readShown } from "../sockets/shown_chain.ts";

/** So many accepted certificates are remembered. */
const MAX_ACCEPTED = 1_024;

/**
 * Checks the servers that are dialled with one set of TLS options, and remembers whom it has
 * accepted: to look at a chain costs as much as a handshake.
 */
export class Verifier {
  /** When each runs out, by whom it was accepted for. */
  readonly #accepted = new Map<string, number | undefined>();

  /**
   * Checks a server's certificates, its own first. Gives when the first of them runs out, where
   * hotconn has looked at them.
   *
   * @throws {DialError} They are not accepted
   */
  check(certificate: tls.DetailedPeerCertificate, target: DialTarget): number | undefined {
    const { dangerouslyAcceptAnyCertificate, dangerouslyAcceptWeakCertificate, pins } = target.tls;
    const isRelaxed = dangerouslyAcceptAnyCertificate || dangerouslyAcceptWeakCertificate;
    if (isRelaxed && !pins) return undefined;
    // Whoever shows a certificate again that a good chain led to once has its key.
    const key = `${target.serverName} ${certificate.fingerprint256}`;
    if (this.#accepted.has(key)) return this.#accepted.get(key);
    const shown = readShown(certificate, X509Certificate);
    if (!isRelaxed) {
      const objection = objectionToShown(shown, target.serverName, target.tls, runtimeRoots);
      if (objection !== null) throw refusal(target, "certificate", objection);
    }
    if (pins && !matchesPin(shown.chain, pins, createHash)) {
      throw refusal(target, "pin", "no public key of the chain is among the pins");
    }
    if (this.#accepted.size >= MAX_ACCEPTED) this.#accepted.clear();
    const endsAt = isRelaxed ? undefined : endOf(shown);
    this.#accepted.set(key, endsAt);
    return endsAt;
  }

  /** Whether certificates that were accepted for one name are good for another. */
  covers(certificate: tls.DetailedPeerCertificate, target: DialTarget): boolean {
    const { dangerouslyAcceptAnyCertificate, dangerouslyAcceptWeakCertificate } = target.tls;
    if (dangerouslyAcceptAnyCertificate || dangerouslyAcceptWeakCertificate) return false;
    try {
      this.check(certificate, target);
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

function runtimeRoots(): readonly string[] {
  // Since Node 22.15.
  const { getCACertificates } = tls as { getCACertificates?: (type: string) => string[] };
  return getCACertificates?.("default") ?? tls.rootCertificates;
}
