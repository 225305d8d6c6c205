/**
 * The part of JSON Schema that the admin router needs, to describe its answers, and to describe and
 * check requests.
 *
 * @module
 */

import { quote } from "../../src/core/check.ts";
import type { Clock } from "../../src/core/clock.ts";
import { Refusal } from "./refusal.ts";

/** A schema, by JSON Schema 2020-12, as OpenAPI 3.1 has it. */
export interface Schema {
  readonly [keyword: string]: unknown;
}

/** What a text or a number in a request's body must be. */
export type Field =
  | {
    readonly type: "string";
    readonly description: string;
    readonly minLength: number;
    readonly maxLength: number;
    /** The texts that it may be, where there are only some. */
    readonly enum?: readonly string[];
    /** Its default. */
    readonly default?: string;
  }
  | {
    readonly type: "integer" | "number";
    readonly description: string;
    readonly minimum: number;
    readonly maximum: number;
  };

/** What a request's body must be: an object of these fields, and of no other. */
export interface BodySchema {
  readonly type: "object";
  readonly properties: { readonly [name: string]: Field };
  readonly required: readonly string[];
  readonly additionalProperties: false;
  /** How many of the fields there must be at the least. */
  readonly minProperties?: number;
}

/** A request's body, checked. */
export interface Body {
  readonly [name: string]: string | number;
}

/** The largest body of a request, in bytes. */
const MAX_BODY_BYTES = 16_384;

/** How long a body may take to arrive, in milliseconds. */
const BODY_MS = 10_000;

/**
 * Reads a request's body.
 *
 * @throws {Refusal} It is not JSON, too long, too slow, or not as the schema says
 */
export async function readBody(
  request: Request,
  schema: BodySchema,
  clock: Clock,
): Promise<Body> {
  const type = request.headers.get("content-type") ?? "";
  const coding = request.headers.get("content-encoding") ?? "identity";
  // No form and no script of another site can send this without being asked first.
  if (!/^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?)?$/i.test(type)) {
    throw new Refusal(415, "The body must be sent as Content-Type: application/json");
  }
  if (coding.toLowerCase() !== "identity") {
    throw new Refusal(415, "The body must be sent without a Content-Encoding");
  }
  return checkBody(parse(await readText(request, clock)), schema);
}

const NOTHING = { done: true, value: undefined };

async function readText(request: Request, clock: Clock): Promise<string> {
  const tooLarge = () => new Refusal(413, `The body must be of at most ${MAX_BODY_BYTES} bytes`);
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let length = 0;
  const reader = request.body?.getReader();
  let stop = () => {};
  const late = new Promise<never>((_, reject) => {
    const timer = clock.setTimer(() => {
      // What still comes belongs to nobody: the connection is of no further use.
      const refusal = new Refusal(408, `The body must come within ${BODY_MS / 1_000} seconds`, {
        connection: "close",
      });
      reject(refusal);
    }, BODY_MS);
    stop = () => timer.cancel();
  });
  try {
    for (;;) {
      const { done, value } = await (reader ? Promise.race([reader.read(), late]) : NOTHING);
      if (done || !value) break;
      length += value.length;
      if (length > MAX_BODY_BYTES) throw tooLarge();
      text += decoder.decode(value, { stream: true });
    }
    return text + decoder.decode();
  } catch (error) {
    reader?.cancel().catch(() => {});
    throw error instanceof Refusal ? error : new Refusal(400, "The body must be text in UTF-8");
  } finally {
    stop();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "The body must be JSON");
  }
}

function checkBody(value: unknown, schema: BodySchema): Body {
  const names = Object.keys(schema.properties);
  const takes = names.length === 0 ? "it takes no field" : `it takes ${names.join(", ")}`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Refusal(400, `The body must be an object: ${takes}`);
  }
  // Only own names: in JSON `__proto__` is one, and unknown.
  const given = Object.entries(value);
  for (const [name] of given) {
    if (!names.includes(name)) {
      throw new Refusal(400, `Unknown field ${quote(name)}: ${takes}`);
    }
  }
  for (const name of schema.required) {
    if (!Object.hasOwn(value, name)) throw new Refusal(400, `The field "${name}" is missing`);
  }
  if (given.length < (schema.minProperties ?? 0)) {
    throw new Refusal(400, `The body must have one field or more: ${takes}`);
  }
  return Object.fromEntries(
    given.map(([name, value]) => [name, checkField(name, value, schema.properties[name]!)]),
  );
}

function checkField(name: string, value: unknown, field: Field): string | number {
  if (field.type === "string") {
    const { enum: words, maxLength, minLength } = field;
    if (words) {
      if (typeof value === "string" && words.includes(value)) return value;
      throw new Refusal(400, `"${name}" must be one of ${words.join(", ")}`);
    }
    if (typeof value === "string" && value.length >= minLength && value.length <= maxLength) {
      return value;
    }
    throw new Refusal(400, `"${name}" must be a text of ${minLength} to ${maxLength} characters`);
  }
  const { maximum, minimum, type } = field;
  const fits = typeof value === "number" && value >= minimum && value <= maximum;
  if (fits && (type === "number" || Number.isInteger(value))) return value;
  const what = type === "number" ? "a number" : "a whole number";
  throw new Refusal(400, `"${name}" must be ${what} from ${minimum} to ${maximum}`);
}
