/**
 * Another reader of responses, for the parser to be held against: it sees the whole text at once,
 * knows no limits, and is made of regular expressions (RFC 9112).
 *
 * @module
 */

import type { Field } from "../http/h1/recorder.ts";

/** A response that has arrived. */
interface Read {
  readonly kind: "read";
  readonly interim: number;
  readonly fields: readonly Field[];
  readonly body: string;
  readonly trailers: readonly Field[];
  readonly keepAlive: boolean;
  readonly untilEnd: boolean;
  readonly surplus: number;
}

/** A text is a response, or the beginning of one, or neither. */
export type Reading = Read | { readonly kind: "short" } | { readonly kind: "bad" };

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const TEXT = "[\\t\\x20-\\x7e\\x80-\\xff]";
const QUOTED = `"(?:[\\t\\x20-\\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\${TEXT})*"`;
const STATUS = new RegExp(`^HTTP/1\\.([0-9]) ([1-9][0-9]{2})(?: ${TEXT}*)?\\r\\n`);
const FIELD = new RegExp(`^(${TOKEN}):(${TEXT}*)\\r\\n`);
const EXTENSIONS = `(?:[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|${QUOTED}))?)*`;
const SIZE = new RegExp(`^([0-9A-Fa-f]{1,16})${EXTENSIONS}\\r\\n`);

/** What could still become one of them, if more came. */
const STATUS_BEGUN = new RegExp(
  `^(?:${prefixes("HTTP/1.d Ddd")}|HTTP/1\\.[0-9] [1-9][0-9]{2}(?: ${TEXT}*)?\\r?)$`,
);
const FIELD_BEGUN = new RegExp(`^(?:${TOKEN}|${TOKEN}:${TEXT}*\\r?|\\r)?$`);
const SIZE_BEGUN = new RegExp(
  `^(?:|[0-9A-Fa-f]{1,16}${EXTENSIONS}(?:\\r|[ \\t]+`
    + `|[ \\t]*;[ \\t]*(?:${TOKEN}[ \\t]*(?:=[ \\t]*(?:"(?:${QUOTED.slice(1, -2)})*\\\\?)?)?)?)?)$`,
);

class Wrong extends Error {
  readonly kind: "short" | "bad";

  constructor(kind: "short" | "bad") {
    super(kind);
    this.kind = kind;
  }
}

/** Reads a response to GET, or to HEAD. */
export function readResponse(text: string, isHead: boolean): Reading {
  try {
    return read(text, isHead);
  } catch (error) {
    if (error instanceof Wrong) return { kind: error.kind };
    throw error;
  }
}

function read(text: string, isHead: boolean): Read {
  let rest = text;
  let closes = false;
  for (let interim = 0;; interim++) {
    const status = take(rest, STATUS, STATUS_BEGUN);
    const code = Number(status[2]);
    const section = readSection(rest.slice(status[0].length), (fields) => {
      framingOf(fields, status[1] === "0");
    });
    rest = section.rest;
    const { fields } = section;
    const { chunked, length } = framingOf(fields, status[1] === "0");
    const connection = listOf(fields, "connection");
    closes ||= connection.includes("close");
    // What a 204 announces may come all the same.
    if (code === 204) closes ||= chunked || (length ?? 0) > 0;
    if (code === 101) throw new Wrong("bad");
    if (code < 200) continue;
    const keepAlive = !closes && (status[1] !== "0" || connection.includes("keep-alive"));
    const done = { kind: "read", interim, fields, trailers: [], keepAlive } as const;
    if (isHead || code === 204 || code === 304) {
      return { ...done, body: "", untilEnd: false, surplus: rest.length };
    }
    if (chunked) return { ...done, ...readChunks(rest) };
    if (length === undefined) {
      return { ...done, keepAlive: false, body: rest, untilEnd: true, surplus: 0 };
    }
    if (rest.length < length) throw new Wrong("short");
    return { ...done, body: rest.slice(0, length), untilEnd: false, surplus: rest.length - length };
  }
}

function readChunks(text: string): Pick<Read, "body" | "trailers" | "untilEnd" | "surplus"> {
  let rest = text;
  let body = "";
  for (;;) {
    const size = take(rest, SIZE, SIZE_BEGUN, sizeBegun);
    const length = sizeOf(size[1]!);
    rest = rest.slice(size[0].length);
    if (length === 0) break;
    const end = rest.slice(length, length + 2);
    if (rest.length < length || end === "" || end === "\r") throw new Wrong("short");
    if (end !== "\r\n") throw new Wrong("bad");
    body += rest.slice(0, length);
    rest = rest.slice(length + 2);
  }
  const section = readSection(rest, (fields) => {
    const framing = fields.some(([name]) => /^(content-length|transfer-encoding)$/.test(name));
    if (framing) throw new Wrong("bad");
  });
  return { body, trailers: section.fields, untilEnd: false, surplus: section.rest.length };
}

/** Reads field lines up to the empty one. `check` is called after each. */
function readSection(
  text: string,
  check: (fields: readonly Field[]) => void,
): { readonly fields: readonly Field[]; readonly rest: string } {
  const fields: Field[] = [];
  let rest = text;
  while (!rest.startsWith("\r\n")) {
    const [line, name = "", value = ""] = take(rest, FIELD, FIELD_BEGUN);
    fields.push([name.toLowerCase(), trim(value)]);
    check(fields);
    rest = rest.slice(line.length);
  }
  return { fields, rest: rest.slice(2) };
}

function framingOf(
  fields: readonly Field[],
  isOld: boolean,
): { readonly chunked: boolean; readonly length: number | undefined } {
  const codings = fields.filter(([name]) => name === "transfer-encoding");
  const lengths = listOf(fields, "content-length");
  if (codings.length > 0) {
    const isChunked = codings.length === 1 && codings[0]![1].toLowerCase() === "chunked";
    if (!isChunked || isOld || lengths.length > 0) throw new Wrong("bad");
  }
  for (const length of lengths) {
    const isSame = Number(length) === Number(lengths[0]);
    if (!/^[0-9]+$/.test(length) || !Number.isSafeInteger(Number(length)) || !isSame) {
      throw new Wrong("bad");
    }
  }
  const [length] = lengths;
  return { chunked: codings.length > 0, length: length === undefined ? undefined : Number(length) };
}

function listOf(fields: readonly Field[], wanted: string): string[] {
  return fields.filter(([name]) => name === wanted)
    .flatMap(([, value]) => value.split(",").map((element) => trim(element).toLowerCase()));
}

function trim(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, "");
}

function sizeOf(digits: string): number {
  const size = Number(`0x${digits}`);
  if (!Number.isSafeInteger(size)) throw new Wrong("bad");
  return size;
}

/** Whether a size that has begun can still be one. */
function sizeBegun(text: string): boolean {
  const digits = /^[0-9A-Fa-f]*/.exec(text)![0];
  return digits === "" || Number.isSafeInteger(Number(`0x${digits}`));
}

function take(
  text: string,
  whole: RegExp,
  begun: RegExp,
  holds: (text: string) => boolean = () => true,
): RegExpExecArray {
  const match = whole.exec(text);
  if (match) return match;
  throw new Wrong(begun.test(text) && holds(text) ? "short" : "bad");
}

/** A pattern of every beginning of a text, where `d` is a digit and `D` one above zero. */
function prefixes(text: string): string {
  const pieces = [...text].map((character) =>
    character === "d" ? "[0-9]" : character === "D" ? "[1-9]" : character.replace(/[./]/, "\\$&")
  );
  return pieces.reduceRight((inner, piece) => `(?:${piece}${inner})?`, "");
}
