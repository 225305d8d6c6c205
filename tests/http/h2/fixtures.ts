/**
 * Test data of others, of the projects http2jp/http2-frame-test-case and http2jp/hpack-test-case: a
 * folder with `frames/` and `hpack/`, named by the environment variable `HOTCONN_HTTP2_FIXTURES`.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";

const folder = process.env["HOTCONN_HTTP2_FIXTURES"];

/** Why tests of these data are skipped, or false. */
export const fixturesSkip: string | false = folder === undefined
  && "HOTCONN_HTTP2_FIXTURES names no folder with test data";

/** A frame's file. */
export interface FrameCase {
  readonly name: string;
  readonly wire: string;
  readonly error: readonly number[] | null;
  readonly frame: {
    readonly length: number;
    readonly type: number;
    readonly flags: number;
    readonly stream_identifier: number;
    readonly frame_payload: { readonly [name: string]: unknown };
  } | null;
}

/** A file of header blocks, to be read one after the other. */
export interface HpackStory {
  readonly name: string;
  readonly cases: readonly {
    readonly wire?: string;
    readonly headers: readonly { readonly [name: string]: string }[];
  }[];
}

/** All files of frames. */
export function frameCases(): FrameCase[] {
  return read("frames") as FrameCase[];
}

/** All files of header blocks. */
export function hpackStories(): HpackStory[] {
  return read("hpack") as HpackStory[];
}

function read(kind: string): object[] {
  const path = `${folder}/${kind}`;
  return readdirSync(path).filter((name) => name.endsWith(".json")).sort().map((name) => ({
    name,
    ...JSON.parse(readFileSync(`${path}/${name}`, "utf8")) as object,
  }));
}

/** Bytes of their hexadecimal digits. */
export function fromHex(hex: string): Uint8Array {
  const digits = hex.replace(/\s/g, "");
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

/** The hexadecimal digits of bytes. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
