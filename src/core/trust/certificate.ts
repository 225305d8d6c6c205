/**
 * The parts of a certificate (RFC 5280) that the policy needs, read from its bytes: a text that a
 * library makes of them can be forged by what is in a name.
 *
 * @module
 */

import { DER, type DerValue, expectTag, identifierOf, readAll, readDer } from "./der.ts";

/** What is known of a certificate. */
export interface Certificate {
  /** The names of its issuer and subject, as bytes. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** When it expires, in milliseconds since 1970; NaN if that is not valid. */
  readonly endsAt: number;
  /** The public key with its algorithm: the SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  /** Why the key is too weak, or null. */
  readonly weakKey: string | null;
  /** Why the signature is too weak, or null. */
  readonly weakSignature: string | null;
  /** Whether its key may sign certificates, as far as it says. */
  readonly maySign: boolean;
  /** The names that it is for, one character a byte, and the IP addresses. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly Uint8Array[];
}

/** The fewest bits that an RSA key must have. */
const MIN_RSA_BITS = 2_048;

const RSA = "1.2.840.113549.1.1.1";
const RSA_PSS = "1.2.840.113549.1.1.10";
const EC = "1.2.840.10045.2.1";
const KEY_USAGE = "2.5.29.15";
const SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";

// Ed25519 and Ed448: the same identifier for the key and for the signature.
const EDDSA: ReadonlySet<string> = new Set(["1.3.101.112", "1.3.101.113"]);

// P-256, P-384, P-521.
const CURVES: ReadonlySet<string> = new Set([
  "1.2.840.10045.3.1.7",
  "1.3.132.0.34",
  "1.3.132.0.35",
]);

// SHA-256, SHA-384 and SHA-512: with RSA, with ECDSA, and alone.
const SIGNATURES: ReadonlySet<string> = new Set([
  ...[11, 12, 13].map((last) => `1.2.840.113549.1.1.${last}`),
  ...[2, 3, 4].map((last) => `1.2.840.10045.4.3.${last}`),
  ...EDDSA,
]);
const HASHES: ReadonlySet<string> = new Set(
  [1, 2, 3].map((last) => `2.16.840.1.101.3.4.2.${last}`),
);

// For messages; all others are shown by their numbers.
const NAMES: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.4": "MD5",
  "1.2.840.113549.2.5": "MD5",
  "1.2.840.113549.1.1.5": "SHA-1",
  "1.2.840.10045.4.1": "SHA-1",
  "1.2.840.10040.4.3": "SHA-1",
  "1.3.14.3.2.29": "SHA-1",
  "1.3.14.3.2.26": "SHA-1",
  "1.2.840.10040.4.1": "DSA",
  "1.3.132.0.33": "P-224",
  "1.2.840.10045.3.1.1": "P-192",
  "1.3.132.0.10": "secp256k1",
  [RSA_PSS]: "RSASSA-PSS",
};

/**
 * Reads a certificate.
 *
 * @param der Its bytes
 * @throws {RangeError} It is malformed
 */
export function readCertificate(der: Uint8Array): Certificate {
  const [signed, algorithm] = readAll(readDer(der, DER.sequence).contents);
  const fields = readAll(expectTag(signed, DER.sequence).contents);
  // [0] is the version, which the first one may leave out.
  if (fields[0]?.tag === 0xa0) fields.shift();
  const [, , issuer, validity, subject, publicKey] = fields;
  const extensions = readExtensions(fields);
  const usage = extensions.get(KEY_USAGE);
  const listed = extensions.get(SUBJECT_ALTERNATIVE_NAME);
  const names = listed === undefined ? [] : readAll(readDer(listed, DER.sequence).contents);
  return {
    issuer: expectTag(issuer, DER.sequence).whole,
    subject: expectTag(subject, DER.sequence).whole,
    endsAt: readTime(readAll(expectTag(validity, DER.sequence).contents)[1]),
    publicKey: expectTag(publicKey, DER.sequence).whole,
    weakKey: weaknessOfKey(publicKey!),
    weakSignature: weaknessOfSignature(expectTag(algorithm, DER.sequence)),
    maySign: usage === undefined || mayCertify(usage),
    dnsNames: names.filter(({ tag }) => tag === 0x82).map(({ contents }) =>
      String.fromCharCode(...contents)
    ),
    ipAddresses: names.filter(({ tag }) => tag === 0x87).map(({ contents }) => contents),
  };
}

function readExtensions(fields: readonly DerValue[]): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  const extensions = fields.find(({ tag }) => tag === 0xa3);
  if (extensions === undefined) return found;
  for (const extension of readAll(readDer(extensions.contents, DER.sequence).contents)) {
    const parts = readAll(expectTag(extension, DER.sequence).contents);
    const identifier = identifierOf(parts[0]);
    // Two of a kind are forbidden (RFC 5280 section 4.2): different readers might use different ones.
    if (found.has(identifier)) throw new RangeError(`two extensions ${identifier}`);
    found.set(identifier, expectTag(parts.at(-1), DER.octetString).contents);
  }
  return found;
}

// UTCTime has two digits of the year, of 1950 to 2049 (RFC 5280 section 4.1.2.5).
function readTime(value: DerValue | undefined): number {
  const text = String.fromCharCode(...value?.contents ?? []);
  const digits = value?.tag === DER.utcTime ? `${text < "5" ? "20" : "19"}${text}` : text;
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits)?.slice(1).map(Number);
  // The runtime decides whether it is valid.
  if (!parts) return NaN;
  const [year = 0, month = 0, day, hour, minute, second] = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

// The sixth bit is keyCertSign; the first byte counts the unused ones.
function mayCertify(usage: Uint8Array): boolean {
  return ((readDer(usage, DER.bitString).contents[1] ?? 0) & 0x04) !== 0;
}

function weaknessOfKey(publicKey: DerValue): string | null {
  const [algorithm, bits] = readAll(publicKey.contents);
  const [kind, parameters] = readAll(expectTag(algorithm, DER.sequence).contents);
  const identifier = identifierOf(kind);
  if (EDDSA.has(identifier)) return null;
  if (identifier === EC) {
    // A curve that is spelled out instead of named may be any.
    if (parameters?.tag !== DER.objectIdentifier) return "its key is on a curve without a name";
    const curve = identifierOf(parameters);
    return CURVES.has(curve) ? null : `its key is on the curve ${nameOf(curve)}`;
  }
  if (identifier !== RSA) return `its key is of the kind ${nameOf(identifier)}`;
  const { contents } = expectTag(bits, DER.bitString);
  const [modulus] = readAll(readDer(contents.subarray(1), DER.sequence).contents);
  const length = bitLength(expectTag(modulus, DER.integer).contents);
  return length >= MIN_RSA_BITS ? null : `its RSA key has ${length} bits`;
}

function weaknessOfSignature(algorithm: DerValue): string | null {
  const [kind, parameters] = readAll(algorithm.contents);
  let identifier = identifierOf(kind);
  if (identifier === RSA_PSS) identifier = hashOfPss(parameters);
  if (SIGNATURES.has(identifier) || HASHES.has(identifier)) return null;
  return `its signature is made with ${nameOf(identifier)}`;
}

// Without parameters, or without a hash among them, it is SHA-1 (RFC 4055 section 3.1).
function hashOfPss(parameters: DerValue | undefined): string {
  const values = parameters === undefined ? [] : readAll(parameters.contents);
  const hash = values.find(({ tag }) => tag === 0xa0);
  if (hash === undefined) return "1.3.14.3.2.26";
  return identifierOf(readAll(readDer(hash.contents, DER.sequence).contents)[0]);
}

function bitLength(integer: Uint8Array): number {
  const first = integer.findIndex((byte) => byte !== 0);
  if (first < 0) return 0;
  return (integer.length - first) * 8 - Math.clz32(integer[first]!) + 24;
}

function nameOf(identifier: string): string {
  return NAMES[identifier] ?? identifier;
}
