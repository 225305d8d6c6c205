/**
 * Writes certificates that no decent library would: with keys, signatures, names and extensions of
 * every kind. Node only.
 *
 * @module
 */

import { createPublicKey, type KeyObject, randomBytes, sign } from "node:crypto";

/** One value of DER. */
export function der(tag: number, ...parts: readonly (Uint8Array | string)[]): Buffer {
  const contents = Buffer.concat(
    parts.map((part) => typeof part === "string" ? Buffer.from(part, "latin1") : part),
  );
  const { length } = contents;
  const size = length < 128
    ? [length]
    : length < 256
    ? [0x81, length]
    : length < 65_536
    ? [0x82, length >> 8, length & 255]
    : [0x83, length >> 16, (length >> 8) & 255, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), contents]);
}

/** A sequence. */
export function seq(...parts: readonly (Uint8Array | string)[]): Buffer {
  return der(0x30, ...parts);
}

/** An object identifier. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((part) => {
    const digits = [part & 127];
    for (let left = part >> 7; left > 0; left >>= 7) digits.unshift((left & 127) | 128);
    return digits;
  });
  return der(0x06, Buffer.from(bytes));
}

/** How a certificate is signed. */
export type SignatureKind =
  | "rsa-md5"
  | "rsa-sha1"
  | "rsa-sha224"
  | "rsa-sha256"
  | "rsa-sha384"
  | "rsa-sha512"
  | "pss-sha1"
  | "pss-sha256"
  | "ecdsa-sha1"
  | "ecdsa-sha224"
  | "ecdsa-sha256"
  | "ecdsa-sha384"
  | "ecdsa-sha512"
  | "ed25519"
  | "ed448";

const numbers: Readonly<Record<string, string>> = {
  "rsa-md5": "1.2.840.113549.1.1.4",
  "rsa-sha1": "1.2.840.113549.1.1.5",
  "rsa-sha224": "1.2.840.113549.1.1.14",
  "rsa-sha256": "1.2.840.113549.1.1.11",
  "rsa-sha384": "1.2.840.113549.1.1.12",
  "rsa-sha512": "1.2.840.113549.1.1.13",
  "ecdsa-sha1": "1.2.840.10045.4.1",
  "ecdsa-sha224": "1.2.840.10045.4.3.1",
  "ecdsa-sha256": "1.2.840.10045.4.3.2",
  "ecdsa-sha384": "1.2.840.10045.4.3.3",
  "ecdsa-sha512": "1.2.840.10045.4.3.4",
  ed25519: "1.3.101.112",
  ed448: "1.3.101.113",
};

/** The identifier of a way to sign. */
export function signatureAlgorithm(kind: SignatureKind): Buffer {
  if (kind === "pss-sha1") return seq(oid("1.2.840.113549.1.1.10"), seq());
  if (kind === "pss-sha256") {
    const hash = seq(oid("2.16.840.1.101.3.4.2.1"), der(0x05));
    const mask = seq(oid("1.2.840.113549.1.1.8"), hash);
    return seq(
      oid("1.2.840.113549.1.1.10"),
      seq(der(0xa0, hash), der(0xa1, mask), der(0xa2, der(0x02, Buffer.from([32])))),
    );
  }
  return kind.startsWith("rsa") ? seq(oid(numbers[kind]!), der(0x05)) : seq(oid(numbers[kind]!));
}

function signatureOf(kind: SignatureKind, bytes: Buffer, key: KeyObject): Buffer {
  const hash = kind.startsWith("ed") ? null : kind.split("-")[1]!;
  if (!kind.startsWith("pss")) return sign(hash, bytes, key);
  return sign(hash, bytes, { key, padding: 6, saltLength: hash === "sha1" ? 20 : 32 });
}

/** An extension, by its number and its value. */
export function extension(number: string, value: Uint8Array, critical = false): Buffer {
  return seq(oid(number), ...critical ? [der(0x01, Buffer.from([255]))] : [], der(0x04, value));
}

/** The extensions that certificates are made of. */
export const extensions = {
  names: (names: readonly Uint8Array[], critical: boolean = false): Buffer =>
    extension("2.5.29.17", seq(...names), critical),
  dns: (name: string): Buffer => der(0x82, name),
  ip: (...bytes: readonly number[]): Buffer => der(0x87, Buffer.from(bytes)),
  email: (name: string): Buffer => der(0x81, name),
  uri: (name: string): Buffer => der(0x86, name),
  authority: (pathLength?: number): Buffer =>
    extension(
      "2.5.29.19",
      seq(
        der(0x01, Buffer.from([255])),
        ...pathLength === undefined ? [] : [der(0x02, Buffer.from([pathLength]))],
      ),
      true,
    ),
  noAuthority: (): Buffer => extension("2.5.29.19", seq(), true),
  /** By the bits of the first byte, from the left: 0x80 is digitalSignature, 0x04 keyCertSign. */
  keyUsage: (bits: number): Buffer =>
    extension("2.5.29.15", der(0x03, Buffer.from([0, bits])), true),
  extendedKeyUsage: (...numbers: readonly string[]): Buffer =>
    extension("2.5.29.37", seq(...numbers.map(oid))),
  /** Names of hosts that an authority may vouch for, or may not. */
  nameConstraints: (permitted: readonly Buffer[], excluded: readonly Buffer[] = []): Buffer =>
    extension(
      "2.5.29.30",
      seq(
        ...permitted.length > 0 ? [der(0xa0, ...permitted.map((name) => seq(name)))] : [],
        ...excluded.length > 0 ? [der(0xa1, ...excluded.map((name) => seq(name)))] : [],
      ),
      true,
    ),
} as const;

/** A name with nothing but a common name; without one, an empty name. */
export function nameOf(commonName: string | null): Buffer {
  if (commonName === null) return seq();
  return seq(der(0x31, seq(oid("2.5.4.3"), der(0x0c, Buffer.from(commonName)))));
}

/** A certificate to write. */
export interface CertificateRequest {
  readonly subject: string | null;
  readonly issuer: string | null;
  /** Whose it is: a public or private key, or a SubjectPublicKeyInfo. */
  readonly key: KeyObject | Buffer;
  readonly signingKey: KeyObject;
  readonly signature: SignatureKind;
  /** The way to sign that the signed part names, where it is another one. */
  readonly innerSignature?: SignatureKind;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Null for a certificate of version 1. */
  readonly extensions: readonly Buffer[] | null;
  readonly serial?: Buffer;
}

const dayMs = 86_400_000;

/** Writes a certificate. */
export function writeCertificate(request: CertificateRequest): Buffer {
  const { key, signature } = request;
  const spki = Buffer.isBuffer(key)
    ? key
    : (key.type === "private" ? createPublicKey(key) : key).export({ type: "spki", format: "der" });
  const serial = request.serial ?? Buffer.concat([Buffer.from([0x40]), randomBytes(8)]);
  const signed = seq(
    ...request.extensions === null ? [] : [der(0xa0, der(0x02, Buffer.from([2])))],
    der(0x02, serial),
    signatureAlgorithm(request.innerSignature ?? signature),
    nameOf(request.issuer),
    seq(
      timeOf(request.notBefore ?? new Date(Date.now() - dayMs)),
      timeOf(request.notAfter ?? new Date(Date.now() + 30 * dayMs)),
    ),
    nameOf(request.subject),
    spki,
    ...request.extensions === null || request.extensions.length === 0
      ? []
      : [der(0xa3, seq(...request.extensions))],
  );
  const bits = signatureOf(signature, signed, request.signingKey);
  return seq(signed, signatureAlgorithm(signature), der(0x03, Buffer.from([0]), bits));
}

function timeOf(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, "");
  return date.getUTCFullYear() < 2050 ? der(0x17, digits.slice(2)) : der(0x18, digits);
}

/** Bytes as PEM. */
export function pemOf(bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
