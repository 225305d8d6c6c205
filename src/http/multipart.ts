/**
 * Forms as they are sent: multipart/form-data (RFC 7578, and the HTML standard's way of it).
 *
 * @module
 */

import { type BlobLike, BlobParts } from "./blob_parts.ts";

/** What a form must have, whichever library made it. */
export type FormLike = Iterable<readonly [name: string, value: string | BlobLike]>;

/** A form, ready to be sent. */
export interface EncodedForm {
  readonly contentType: string;
  readonly parts: BlobParts;
}

const encoder = new TextEncoder();

/** Encodes a form. Its files are not read yet. */
export function encodeForm(form: FormLike): EncodedForm {
  const boundary = `----hotconn-form-${crypto.randomUUID()}`;
  const parts: (Uint8Array | BlobLike)[] = [];
  let text = "";
  for (const [name, value] of form) {
    text += `--${boundary}\r\nContent-Disposition: form-data; name="${escape(lines(name))}"`;
    if (typeof value === "string") {
      text += `\r\n\r\n${lines(value)}\r\n`;
      continue;
    }
    const { name: file = "blob" } = value as { name?: string };
    const type = value.type || "application/octet-stream";
    text += `; filename="${escape(file)}"\r\nContent-Type: ${type}\r\n\r\n`;
    parts.push(encoder.encode(text), value);
    text = "\r\n";
  }
  parts.push(encoder.encode(`${text}--${boundary}--\r\n`));
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    parts: new BlobParts(parts),
  };
}

/** Every line ends in CR LF. */
function lines(text: string): string {
  return text.replace(/\r\n|\r|\n/g, "\r\n");
}

/** Characters that would end the quoted text. */
function escape(text: string): string {
  return text.replaceAll("\r", "%0D").replaceAll("\n", "%0A").replaceAll("\"", "%22");
}
