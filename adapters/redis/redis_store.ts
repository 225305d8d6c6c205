/**
 * Redis, or Valkey, as the store of a fleet.
 *
 * @module
 */

import { createClient } from "redis";
import { messageOf } from "../../src/core/check.ts";
import { setDeadline, systemClock } from "../../src/core/clock.ts";
import type {
  FleetStore,
  StoredSection,
  StoreEvents,
  StoreLink,
  SyncReply,
  SyncRequest,
} from "../../src/fleet/store.ts";
import { LEAVE, PUT, READ, REMOVE, SYNC } from "./scripts.ts";

/** Where a fleet's Redis is, and how patient one is with it. */
export interface RedisStoreOptions {
  /** The addresses of the primary and its replicas, whichever is which. */
  readonly urls: readonly string[];
  /** The fleet's name: what all its keys begin with. */
  readonly name: string;
  readonly timeoutMs: number;
  /** More options of the package's `createClient()`. */
  readonly client: object;
}

/** The part of the package's client that is used, whatever its type parameters are. */
interface Client {
  on(event: string, listener: (error: unknown) => void): unknown;
  connect(): Promise<unknown>;
  sendCommand(words: readonly string[]): Promise<unknown>;
  subscribe(channel: string, listener: (text: string) => void): Promise<unknown>;
  destroy(): void;
  unref(): void;
}

/** Speaks to Redis over two connections at a time: one for commands, and one for hints. */
export class RedisStore implements FleetStore {
  /** Host and port: never the rest of the URL. */
  readonly name: string;
  readonly #options: RedisStoreOptions;
  /** Which URL was the primary last. */
  #current = 0;

  /** Makes it; nothing is connected. */
  constructor(options: RedisStoreOptions) {
    this.#options = options;
    this.name = `Redis at ${options.urls.map((url) => new URL(url).host).join(", ")}`;
  }

  /**
   * Opens the connections.
   *
   * @throws {Error} Redis cannot be reached, or is a replica that takes no writes
   */
  async connect(events: StoreEvents, signal: AbortSignal): Promise<StoreLink> {
    const { urls } = this.#options;
    const errors: unknown[] = [];
    for (let tries = 0; tries < urls.length; tries++) {
      const current = (this.#current + tries) % urls.length;
      try {
        const link = await this.#connectTo(urls[current]!, events, signal);
        this.#current = current;
        return link;
      } catch (error) {
        signal.throwIfAborted();
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    const messages = errors.map(messageOf);
    throw new AggregateError(errors, `None is the primary: ${messages.join("; ")}`);
  }

  async #connectTo(url: string, events: StoreEvents, signal: AbortSignal): Promise<StoreLink> {
    const link = new RedisLink(url, this.#options, events);
    const stop = () => link.close();
    signal.throwIfAborted();
    signal.addEventListener("abort", stop, { once: true });
    try {
      await link.open();
      signal.throwIfAborted();
      return link;
    } catch (error) {
      link.close();
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }
}

class RedisLink implements StoreLink {
  link = "";
  readonly #url: string;
  readonly #options: RedisStoreOptions;
  readonly #events: StoreEvents;
  readonly #commands: Client;
  readonly #hints: Client;
  readonly #prefix: string;
  readonly #shas = new Map<string, string>();
  #run = "";
  #startedAt = 0;
  #state: "opening" | "open" | "done" = "opening";

  constructor(url: string, options: RedisStoreOptions, events: StoreEvents) {
    this.#url = url;
    this.#options = options;
    this.#events = events;
    // The braces keep all keys of a fleet in one slot of a cluster.
    this.#prefix = `{hotconn:${options.name}}`;
    this.#commands = this.#client();
    this.#hints = this.#client();
  }

  async open(): Promise<void> {
    for (const client of [this.#commands, this.#hints]) client.unref();
    await this.#within(Promise.all([this.#commands.connect(), this.#hints.connect()]));
    const asked = Promise.all([
      this.#send("CLIENT", "ID"),
      this.#send("INFO", "server"),
      this.#send("INFO", "replication"),
    ]);
    const [id, server, replication] = (await asked).map(String) as [string, string, string];
    if (/^role:(?!master)/m.test(replication)) {
      throw new Error("It is a replica: it takes no writes");
    }
    const run = /^run_id:(\w+)/m.exec(server)?.[1];
    if (run === undefined) throw new Error("It does not tell its run_id");
    this.link = id;
    this.#run = run;
    const upSeconds = Number(/^uptime_in_seconds:(\d+)/m.exec(server)?.[1] ?? 0);
    this.#startedAt = systemClock.now() - upSeconds * 1_000;
    const heard = this.#hints.subscribe(`${this.#prefix}:hints`, (text) => {
      if (this.#state === "open") this.#events.onHint(text);
    });
    await this.#within(heard);
    if (this.#state !== "opening") throw new Error("The connection has ended");
    this.#state = "open";
  }

  async put(section: string, key: string, value: string, ttlMs: number): Promise<void> {
    await this.#script(PUT, section, key, value, `${Math.ceil(ttlMs)}`);
  }

  async remove(section: string, key: string): Promise<void> {
    await this.#script(REMOVE, section, key);
  }

  async read(section: string): Promise<StoredSection> {
    const [skipped, ...words] = listOf(await this.#script(READ, section));
    const entries = [];
    for (let index = 0; index + 1 < words.length; index += 2) {
      entries.push({ key: String(words[index]), value: String(words[index + 1]) });
    }
    return { entries, skipped: Math.max(0, Number(skipped)) };
  }

  async hint(text: string): Promise<void> {
    await this.#send("PUBLISH", `${this.#prefix}:hints`, text);
  }

  async sync(request: SyncRequest): Promise<SyncReply> {
    const { claims, ended, epoch, goneAfterMs, link, member, seq } = request;
    const upMs = Math.max(0, Math.floor(systemClock.now() - this.#startedAt));
    const reply = listOf(
      await this.#script(
        SYNC,
        ...[member, seq, link, epoch, goneAfterMs, this.#run, upMs, claims.length].map(String),
        ...claims.flatMap(({ cap, hold, key, want }) => [key, `${cap}`, `${hold}`, `${want}`]),
        ...ended.flatMap(({ link, member }) => [member, link]),
      ),
    );
    const [now, late, unknown, grace, members, count, ...words] = reply;
    const grants = [];
    const silent = [];
    const end = 3 * wholeOf(count);
    for (let index = 0; index < end; index += 3) {
      const [key, granted, due] = words.slice(index, index + 3);
      grants.push({ key: String(key), count: wholeOf(granted), due: wholeOf(due) });
    }
    for (let index = end; index + 1 < words.length; index += 2) {
      silent.push({ member: String(words[index]), link: String(words[index + 1]) });
    }
    return {
      epoch: String(now),
      late: Number(late) === 1,
      unknown: Number(unknown) === 1,
      grace: Number(grace) === 1,
      members: wholeOf(members),
      grants,
      silent,
    };
  }

  async leave(member: string): Promise<void> {
    await this.#script(LEAVE, member);
  }

  async ended(links: readonly string[]): Promise<string[]> {
    const list = String(await this.#send("CLIENT", "LIST", "ID", ...links));
    const there = new Set([...list.matchAll(/^id=(\d+) /gm)].map(([, id]) => id));
    return links.filter((link) => !there.has(link));
  }

  close(): void {
    this.#state = "done";
    for (const client of [this.#commands, this.#hints]) {
      try {
        client.destroy();
      } catch {
        // It never was open.
      }
    }
  }

  #client(): Client {
    const { client: more, timeoutMs } = this.#options;
    const { socket = {}, ...others } = more as { socket?: object };
    const client = createClient({
      ...others,
      url: this.#url,
      disableOfflineQueue: true,
      socket: { ...socket, connectTimeout: timeoutMs, reconnectStrategy: false },
    }) as unknown as Client;
    client.on("error", (error) => this.#lose(error));
    client.on("end", () => this.#lose(new Error("Redis closed the connection")));
    return client;
  }

  #lose(error: unknown): void {
    const wasOpen = this.#state === "open";
    if (this.#state !== "done") this.close();
    if (wasOpen) this.#events.onLost(error);
  }

  async #script(script: string, ...args: readonly string[]): Promise<unknown> {
    const sha = this.#shas.get(script);
    try {
      if (sha !== undefined) return await this.#send("EVALSHA", sha, "1", this.#prefix, ...args);
    } catch (error) {
      if (!/^NOSCRIPT/.test(String((error as Error)?.message))) throw error;
    }
    this.#shas.set(script, String(await this.#send("SCRIPT", "LOAD", script)));
    return await this.#send("EVALSHA", this.#shas.get(script)!, "1", this.#prefix, ...args);
  }

  #send(...words: readonly string[]): Promise<unknown> {
    return this.#within(this.#commands.sendCommand(words));
  }

  /** Ends a wait in time. A later answer is ignored. */
  async #within<T>(promise: Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options;
    const { promise: late, reject } = withRejection();
    const timer = setDeadline(
      systemClock,
      () => reject(new Error(`Redis did not answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    try {
      return await Promise.race([promise, late]);
    } finally {
      timer.cancel();
    }
  }
}

function withRejection(): { promise: Promise<never>; reject: (error: Error) => void } {
  let reject!: (error: Error) => void;
  const promise = new Promise<never>((_, no) => reject = no);
  return { promise, reject };
}

function wholeOf(reply: unknown): number {
  if (Number.isSafeInteger(reply) && (reply as number) >= 0) return reply as number;
  throw new TypeError("Redis gave a number that the script does not");
}

function listOf(reply: unknown): unknown[] {
  if (Array.isArray(reply)) return reply;
  throw new TypeError("Redis gave an answer of another kind than the script does");
}
