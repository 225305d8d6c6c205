/**
 * A web `Response` that is made only when somebody asks for what a stream or a blob takes.
 *
 * @module
 */

import {
  bodyError,
  cloneOf,
  type Fetched,
  immutable,
  openBody,
  openStreamedBody,
  type ResponseMaker,
  responseOf,
  showAsOwn,
} from "./fetched_response.ts";

const decoder = new TextDecoder();

/**
 * What the runtime's own responses are made of, where that is in properties of its own symbols: Deno's
 * server looks there, past what everybody sees.
 */
function insides(): readonly symbol[] {
  return Object.getOwnPropertySymbols(new Response());
}

/** Whether a response can stand for one of the runtime's own that its server looks into. */
export function showsInsides(): boolean {
  return insides().length > 0;
}

/**
 * Stands for one of the runtime's own `Response`s, and makes that only when needed. Most callers
 * read the status, some fields and the whole body: for them there is no stream, and no `Headers`
 * either. It is for runtimes that know a response by its properties alone. A server that looks
 * inside in any other way finds nothing there.
 */
class LazyResponse {
  static isComplete = false;
  readonly #fetched: Fetched;
  readonly #open: typeof openBody;
  #headers: Headers | undefined;
  #used = false;
  #made: Response | undefined;

  constructor(fetched: Fetched, open: typeof openBody) {
    this.#fetched = fetched;
    this.#open = open;
  }

  /**
   * Gives it everything else that the runtime's class has, from one of its own responses. Called for
   * the first response: naming `Response` makes Node load its whole `fetch`.
   */
  static complete(): void {
    this.isComplete = true;
    const native = Object.getOwnPropertyDescriptors(Response.prototype);
    for (const [name, { enumerable }] of Object.entries(native)) {
      if (Object.hasOwn(this.prototype, name)) continue;
      const get = function(this: LazyResponse) {
        const made = this.#make();
        const member: unknown = Reflect.get(made, name);
        return typeof member === "function" ? member.bind(made) : member;
      };
      Object.defineProperty(this.prototype, name, {
        configurable: true,
        enumerable: enumerable === true,
        get,
      });
    }
    showAsOwn(this.prototype);
    for (const symbol of insides()) {
      Object.defineProperty(this.prototype, symbol, {
        get(this: LazyResponse): unknown {
          return Reflect.get(this.#make(), symbol);
        },
        set(this: LazyResponse, value: unknown) {
          Reflect.set(this.#make(), symbol, value);
        },
      });
    }
    Object.setPrototypeOf(this.prototype, Response.prototype);
  }

  static fetchedOf(response: object): Fetched | undefined {
    return #fetched in response ? response.#fetched : undefined;
  }

  get url(): string {
    return this.#fetched.url;
  }

  get redirected(): boolean {
    return this.#fetched.redirected;
  }

  get type(): ResponseType {
    return "basic";
  }

  get status(): number {
    return this.#fetched.answer.status;
  }

  get statusText(): string {
    return this.#fetched.answer.statusText;
  }

  get ok(): boolean {
    return this.#fetched.answer.ok;
  }

  get headers(): Headers {
    return this.#headers ??= immutable(this.#fetched.answer.headers.toHeaders());
  }

  get body(): ReadableStream<Uint8Array> | null {
    return this.#make().body;
  }

  get bodyUsed(): boolean {
    return this.#made ? this.#made.bodyUsed : this.#used;
  }

  clone(): Response {
    return cloneOf(this.#fetched, this.#make().clone(), this);
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    if (!this.#isPlain()) return await this.#make().arrayBuffer();
    return wholeBuffer(this.#take() ?? await this.#read());
  }

  async bytes(): Promise<Uint8Array> {
    if (!this.#isPlain()) return new Uint8Array(await this.arrayBuffer());
    return this.#take() ?? await this.#read();
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  async text(): Promise<string> {
    if (!this.#isPlain()) return await this.#make().text();
    return decoder.decode(this.#take() ?? await this.#read());
  }

  /** Whether the body can be had as it comes from the connection. */
  #isPlain(): boolean {
    const { decoders, hasBody, verified } = this.#fetched;
    return hasBody && !verified && !this.#used && !this.#made && decoders.length === 0;
  }

  /** Takes the body if all of it has arrived, which for small ones saves a wait. */
  #take(): Uint8Array | undefined {
    this.#used = true;
    const { answer, signal } = this.#fetched;
    const bytes = answer.takeBytes();
    if (bytes && bytes.length > 0) signal?.throwIfAborted();
    return bytes;
  }

  async #read(): Promise<Uint8Array> {
    const { answer, signal } = this.#fetched;
    try {
      const bytes = await answer.bytes();
      if (bytes.length > 0) signal?.throwIfAborted();
      return bytes;
    } catch (error) {
      throw bodyError(error, signal);
    }
  }

  #make(): Response {
    if (this.#made) return this.#made;
    const body = this.#used ? "" : this.#open(this.#fetched);
    this.#made = responseOf(this.#fetched, body, this);
    // Another reader has the body: the runtime's own response then throws its usual error.
    if (this.#used) void this.#made.text();
    return this.#made;
  }
}

/** Makes a response that is made whole only when needed. */
export const makeLazyResponse: ResponseMaker = (fetched) => lazy(fetched, openBody);

/** The same, where the runtime makes another kind of stream of bytes. */
export const makeLazyStreamedResponse: ResponseMaker = (fetched) => lazy(fetched, openStreamedBody);

function lazy(fetched: Fetched, open: typeof openBody): Response {
  if (!LazyResponse.isComplete) LazyResponse.complete();
  return new LazyResponse(fetched, open) as unknown as Response;
}

/** What a lazy response is made of; undefined if it is not one. */
export function fetchedOfLazy(response: object): Fetched | undefined {
  return LazyResponse.fetchedOf(response);
}

function wholeBuffer({ buffer, byteLength, byteOffset }: Uint8Array): ArrayBuffer {
  return byteLength === buffer.byteLength
    ? buffer as ArrayBuffer
    : buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}
