/**
 * The authorities that a program trusts, in every usual form.
 *
 * @module
 */

import { base64 } from "../base64.ts";
import { describe } from "../check.ts";
import { DER, readAll } from "./der.ts";

/** Authorities: texts in PEM, or bytes in PEM or DER, each with one certificate or many. */
export type Authorities = string | Uint8Array | readonly (string | Uint8Array)[];

const BLOCK = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----([^-]*)-----END [A-Z0-9 ]+-----/g;

// What was read before: a list of these needs no second look.
const read = new WeakSet<readonly (string | Uint8Array)[]>();

// A request may bring its authorities along each time, and a bundle takes milliseconds to read.
const readTexts = new Map<string, readonly string[]>();
const MAX_READ_TEXTS = 16;

/**
 * Returns each authority as a separate PEM text.
 *
 * @param name What the option is called
 * @throws {TypeError} Something among them holds no certificate
 */
export function readAuthorities(ca: Authorities, name: string = "tls.ca"): readonly string[] {
  const list = Array.isArray(ca) ? ca as readonly (string | Uint8Array)[] : [ca as string];
  if (read.has(list)) return list as readonly string[];
  if (list.length === 0) throw new TypeError(`${name} must hold a certificate, got an empty list`);
  const texts = list.flatMap((part: unknown, i) => {
    const where = Array.isArray(ca) ? `${name}[${i}]` : name;
    if (typeof part === "string") return readPem(part, where);
    if (isBytes(part)) return readBytes(part, where);
    throw new TypeError(
      `${where} must be certificates in PEM, as text or bytes, got ${describe(part)}`,
    );
  });
  read.add(texts);
  return texts;
}

/** The bytes of certificates as PEM, each in a separate text. */
export function bytesOfPem(texts: readonly string[]): Uint8Array[] {
  return texts.map((text) => decode(text.replace(/-----[^-]*-----/g, "")));
}

// Those from another realm as well.
function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && "BYTES_PER_ELEMENT" in value && value.BYTES_PER_ELEMENT === 1;
}

function readPem(text: string, where: string): readonly string[] {
  const known = readTexts.get(text);
  if (known !== undefined) return known;
  const blocks = [...text.matchAll(BLOCK)].map(([, body = ""]) => {
    let bytes: Uint8Array;
    try {
      bytes = decode(body);
      if (readAll(bytes)[0]?.tag !== DER.sequence) throw new RangeError("no certificate");
    } catch (cause) {
      throw new TypeError(`${where} has a certificate that cannot be read`, { cause });
    }
    return encode(bytes);
  });
  if (blocks.length > 0) {
    if (readTexts.size >= MAX_READ_TEXTS) readTexts.clear();
    readTexts.set(text, blocks);
    return blocks;
  }
  const isPath = text.length < 1_024 && !/[\n\r]/.test(text) && /[/\\]|\.\w+$/.test(text);
  const hint = isPath
    ? ": it looks like a path; pass the file's content instead"
    : text.includes("PRIVATE KEY")
    ? ", only a private key"
    : ": certificates begin with -----BEGIN CERTIFICATE-----";
  throw new TypeError(`${where} has no certificate in PEM${hint}`);
}

function readBytes(bytes: Uint8Array, where: string): readonly string[] {
  // No text of PEM begins so, and every certificate in DER does.
  if (bytes[0] !== DER.sequence) return readPem(new TextDecoder().decode(bytes), where);
  try {
    return readAll(bytes).map(({ whole }) => encode(whole));
  } catch (cause) {
    throw new TypeError(`${where} has a certificate that cannot be read`, { cause });
  }
}

function decode(body: string): Uint8Array {
  return Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
}

function encode(bytes: Uint8Array): string {
  const lines = base64(bytes).replace(/.{1,64}/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`;
}
