/**
 * Where a host's connections stand ready: a lane for each host and TLS profile, in it a cell for
 * each address, in the cell the idle stack.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import { LinkedList, ListNode } from "../core/list.ts";
import type { Connection } from "./connection.ts";

/** A connection's place in the maps. */
export class Entry {
  /** The connection. */
  readonly connection: Connection;
  /** The cell it belongs to. */
  readonly cell: Cell;
  /** Its place on a stack of its cell, or on none. */
  readonly stackNode: ListNode<Entry> = new ListNode<Entry>(this);
  /** Its place among all idle connections, or in none. */
  readonly idleNode: ListNode<Entry> = new ListNode<Entry>(this);

  /** Made by the maps. */
  constructor(connection: Connection, cell: Cell) {
    this.connection = connection;
    this.cell = cell;
  }
}

/** The connections of one host with one TLS profile at one address. */
export class Cell {
  /** The lane it belongs to. */
  readonly lane: Lane;
  /** The address. */
  readonly address: string;
  /** Every one of them, in order of arrival. */
  readonly connections: Set<Connection> = new Set();
  /** The idle ones: the one used last at the front. */
  readonly idle: LinkedList<Entry> = new LinkedList();
  /** Those in use that carry more leases at once (none of capacity 1 ever stands here). */
  readonly partial: LinkedList<Entry> = new LinkedList();
  /** Its place among the lane's ready cells, or -1. */
  readyIndex = -1;

  /** Made by its lane. */
  constructor(lane: Lane, address: string) {
    this.lane = lane;
    this.address = address;
  }

  /** The connection to lease next: a shared one before an idle one, the hottest idle one first. */
  get next(): Entry | undefined {
    return (this.partial.front ?? this.idle.front)?.value;
  }
}

/** One host's connections with one TLS profile. */
export class Lane {
  /** The host. */
  readonly host: string;
  /** The name of the TLS profile. */
  readonly tlsProfile: string;
  /** Its cells by address, in order of arrival. */
  readonly cells: Map<string, Cell> = new Map();
  /** The cells that have a connection to lease, in no order. */
  readonly #ready: Cell[] = [];

  /** Makes a lane without connections. */
  constructor(host: string, tlsProfile: string) {
    this.host = host;
    this.tlsProfile = tlsProfile;
  }

  /** The cell of an address, made where there is none. */
  cell(address: string): Cell {
    let cell = this.cells.get(address);
    if (!cell) this.cells.set(address, cell = new Cell(this, address));
    return cell;
  }

  /** Notes whether a cell has a connection to lease, after its stacks have changed. */
  noteReady(cell: Cell): void {
    const ready = cell.idle.size > 0 || cell.partial.size > 0;
    if (ready === cell.readyIndex >= 0) return;
    if (ready) {
      cell.readyIndex = this.#ready.push(cell) - 1;
      return;
    }
    const last = this.#ready.pop();
    if (last && last !== cell) {
      this.#ready[cell.readyIndex] = last;
      last.readyIndex = cell.readyIndex;
    }
    cell.readyIndex = -1;
  }

  /** A cell with a connection to lease, any of them with the same chance: O(1). */
  anyReady(clock: Clock): Cell | undefined {
    const { length } = this.#ready;
    return length > 1 ? this.#ready[Math.floor(clock.random() * length)] : this.#ready[0];
  }

  /** The same among the cells whose address is accepted: O(addresses). */
  anyReadyOf(clock: Clock, accepts: (address: string) => boolean): Cell | undefined {
    const accepted = this.#ready.filter((cell) => accepts(cell.address));
    return accepted[Math.floor(clock.random() * accepted.length)];
  }
}
