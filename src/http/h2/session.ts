/**
 * HTTP/2 on one connection: its engine, the socket below it, and the streams above.
 *
 * @module
 */

import { type Clock, setDeadline, type Timer } from "../../core/clock.ts";
import type { Connection, Resident } from "../../map/connection.ts";
import type { CheckedLimits } from "../limits.ts";
import type { Session, StreamUser } from "../session.ts";
import { type EngineHost, Http2Engine } from "./engine.ts";
import { connectionError } from "./error_codes.ts";
import { Http2RequestStream, type StreamSession } from "./request_stream.ts";

/** How often the engine checks timeouts, in milliseconds. */
const TICK_MS = 500;

/** How long a connection that was idle may take to show that it is alive, in milliseconds. */
const PROBE_MS = 2_000;

/**
 * How many microtasks may pass while requests are still being made, before output is written:
 * callers who were answered at the same time ask again at about the same time.
 */
const MOST_HOPS = 12;

/**
 * With this many streams, several answers come in one turn, though one by one: what is written
 * waits for its end. With fewer the wait would cost more than it saves.
 */
const GATHERS_FROM = 4;

/** Speaks HTTP/2 on a connection, for as long as it is open. */
export class Http2Session implements Session, StreamSession, Resident, EngineHost {
  /** The protocol. */
  readonly protocol = "h2";
  /** The connection. */
  readonly connection: Connection;
  /** The state of the protocol. */
  readonly engine: Http2Engine;
  readonly #clock: Clock;
  /** When anything last came, in the clock's milliseconds. */
  #heardAt = 0;
  /** Whether it is out of use until something comes. */
  #isSilent = false;
  /** Heads that came in this read, to be passed on at its end. */
  #heads: { passHead(): void }[] = [];
  /** Requests that wait for the answer to a PING. */
  readonly #probing = new Map<() => void, (error: unknown) => void>();
  #probe: Timer | undefined;
  #tick: Timer | undefined;
  #isScheduled = false;
  #hops = 0;
  #length = 0;
  #isBlocked = false;
  #isClosed = false;

  /** Begins, on a connection that nobody has used. */
  constructor(connection: Connection, limits: CheckedLimits, clock: Clock) {
    this.connection = connection;
    this.#clock = clock;
    this.engine = new Http2Engine(this, limits, clock.now());
    connection.setResident(this);
    this.#flush();
    this.#lookLater();
    this.onCapacity();
  }

  /** Opens a stream. */
  open(user: StreamUser): Http2RequestStream {
    return new Http2RequestStream(this, user);
  }

  /** The engine, with the time set. */
  timed(): Http2Engine {
    const { engine } = this;
    engine.now = this.#clock.now();
    return engine;
  }

  /** Notes that a head came; it is passed on when the bytes that came with it are taken. */
  noteHead(stream: { passHead(): void }): void {
    this.#heads.push(stream);
  }

  /** Calls back when the peer has shown that it is alive. If it is dead, its streams fail. */
  whenAlive(call: () => void, failed: (error: unknown) => void): void {
    this.#probing.set(call, failed);
    if (this.#probing.size > 1) return;
    this.timed().ping();
    this.#probe = setDeadline(this.#clock, () => {
      const detail = "the peer did not answer a PING on a connection that had stood idle";
      this.#fail(connectionError("NO_ERROR", detail));
    }, PROBE_MS);
  }

  /** Takes the connection out of use for others until something comes, if nothing has. */
  suspect(since: number): void {
    if (this.#heardAt >= since || !this.connection.healthy) return;
    this.#isSilent = true;
    this.connection.healthy = false;
  }

  /** Removes one of those that wait. */
  forget(call: () => void): void {
    this.#probing.delete(call);
  }

  /** Keeps a timer for the engine's timeouts, as long as it has any. */
  lookLater(): void {
    if (!this.#tick) this.#lookLater();
  }

  /** Takes bytes off the connection. */
  onData(bytes: Uint8Array): void {
    const engine = this.timed();
    this.#heardAt = engine.now;
    if (this.#isSilent) {
      this.#isSilent = false;
      // It was slow, not dead: a server may take its time over one request.
      if (!engine.isLeaving) this.connection.healthy = true;
    }
    engine.push(bytes);
    this.#afterwards();
  }

  /** Writes on. */
  onDrain(): void {
    this.#isBlocked = false;
    this.#schedule();
  }

  /** Fails what is under way. */
  onClose(error?: Error): void {
    this.#isClosed = true;
    this.#tick?.cancel();
    this.#probe?.cancel();
    const failure = error ?? new Error("The peer has closed the connection");
    this.timed().fail(failure);
    this.#failProbing(failure);
    this.#passHeads();
  }

  /** Sends GOAWAY (RFC 9113 section 6.8). */
  onClosing(): void {
    if (this.engine.active > 0) return;
    this.engine.leave();
    this.#isBlocked = false;
    this.#flush();
  }

  /** Writes soon: there is something to write. */
  onOutput(): void {
    this.#schedule();
  }

  /** Updates the connection's capacity. */
  onCapacity(): void {
    const { connection, engine } = this;
    if (engine.isLeaving) connection.healthy = false;
    else connection.capacity = engine.capacity;
  }

  /** Sends what waited for the peer to show that it is alive. */
  onPong(): void {
    this.#probe?.cancel();
    this.#probe = undefined;
    const calls = [...this.#probing.keys()];
    this.#probing.clear();
    for (const call of calls) call();
  }

  #afterwards(): void {
    this.#passHeads();
    const { connection, engine } = this;
    if (engine.failure !== undefined) this.#fail(engine.failure);
    // Its last stream has ended, and there will not be another one.
    else if (engine.isLeaving && engine.active === 0 && connection.leases === 0) connection.close();
  }

  #passHeads(): void {
    if (this.#heads.length === 0) return;
    const heads = this.#heads;
    this.#heads = [];
    for (const stream of heads) stream.passHead();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isBlocked || this.#isClosed) return;
    this.#isScheduled = true;
    if (this.engine.active >= GATHERS_FROM && this.#clock.atTurnEnd) {
      this.#clock.atTurnEnd(this.#onTurnEnd);
      return;
    }
    this.#hops = 0;
    this.#length = -1;
    queueMicrotask(this.#onHop);
  }

  readonly #onHop = (): void => {
    const { outputLength } = this.engine;
    if (outputLength > this.#length && this.#hops++ < MOST_HOPS) {
      this.#length = outputLength;
      queueMicrotask(this.#onHop);
      return;
    }
    this.#onTurnEnd();
  };

  readonly #onTurnEnd = (): void => {
    this.#isScheduled = false;
    this.#flush();
  };

  #flush(): void {
    const { connection, engine } = this;
    if (this.#isClosed) return;
    while (!this.#isBlocked) {
      const bytes = engine.take();
      if (!bytes) break;
      this.#isBlocked = !connection.write(bytes);
    }
  }

  #lookLater(): void {
    this.#tick = setDeadline(this.#clock, () => {
      this.#tick = undefined;
      if (this.#isClosed) return;
      this.timed().tick();
      this.#afterwards();
      if (!this.#isClosed && this.engine.needsTicks) this.#lookLater();
    }, TICK_MS);
  }

  #fail(error: unknown): void {
    this.timed().fail(error);
    this.#failProbing(error);
    this.#passHeads();
    this.#end();
  }

  /** Fails what was not sent. */
  #failProbing(error: unknown): void {
    const failed = [...this.#probing.values()];
    this.#probing.clear();
    for (const fail of failed) fail(error);
  }

  /** Ends the connection, after what is still to be sent. */
  #end(): void {
    if (this.#isClosed) return;
    const { failure } = this.engine;
    this.#isBlocked = false;
    this.#flush();
    this.connection.destroy(failure instanceof Error ? failure : undefined);
  }
}
