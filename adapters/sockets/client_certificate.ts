/**
 * Checks the certificate and key that show a server who you are, before anything is dialled.
 *
 * @module
 */

import type { createPrivateKey, X509Certificate } from "node:crypto";
import type { TlsOptions } from "../../src/core/dialer.ts";
import { readAuthorities } from "../../src/core/trust/authorities.ts";

/** The part of `node:crypto` that reads keys and certificates. */
export interface KeyReader {
  readonly createPrivateKey: typeof createPrivateKey;
  readonly X509Certificate: typeof X509Certificate;
}

/** What the two are called in errors. */
const CERT = "tls.clientCertificate.cert";
const KEY = "tls.clientCertificate.key";

/**
 * Refuses a client's certificate and key that cannot be used.
 *
 * @throws {TypeError} Names the option and what is wrong with it. The cause has the runtime's words
 */
export function checkClientCertificate(
  { cert, key }: NonNullable<TlsOptions["clientCertificate"]>,
  { createPrivateKey, X509Certificate }: KeyReader,
): void {
  readAuthorities(cert, CERT);
  const certificate = read(
    () => new X509Certificate(cert),
    () => `${CERT} has a certificate that cannot be read`,
  );
  const privateKey = read(() => createPrivateKey(key), () => `${KEY} ${wrongWith(key)}`);
  if (certificate.checkPrivateKey(privateKey)) return;
  throw new TypeError(`${KEY} is the key of another certificate than ${CERT}`);
}

function read<T>(parse: () => T, messageOf: () => string): T {
  try {
    return parse();
  } catch (cause) {
    throw new TypeError(messageOf(), { cause });
  }
}

function wrongWith(key: string): string {
  if (/ENCRYPTED/.test(key)) {
    return "is encrypted: decrypt it first, as with openssl pkey -in key.pem";
  }
  if (key.includes("PRIVATE KEY-----")) return "has a private key that cannot be read";
  return "has no private key in PEM: private keys begin with -----BEGIN PRIVATE KEY----- or the "
    + "like. Pass the content of the file, not its path";
}
