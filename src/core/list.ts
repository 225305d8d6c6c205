/**
 * A doubly linked list whose nodes are kept by their owners, so that each can be removed in O(1).
 *
 * @module
 */

/** A value's place in one list, or in none. */
export class ListNode<T> {
  /** The value. */
  readonly value: T;
  /** The list that it is in. */
  list: LinkedList<T> | undefined = undefined;
  /** The node nearer the front. */
  previous: ListNode<T> | undefined = undefined;
  /** The node nearer the back. */
  next: ListNode<T> | undefined = undefined;

  /** Makes a node that is in no list. */
  constructor(value: T) {
    this.value = value;
  }
}

/** A list from front to back. Every operation is O(1). */
export class LinkedList<T> {
  #front: ListNode<T> | undefined = undefined;
  #back: ListNode<T> | undefined = undefined;
  #size = 0;

  /** How many nodes it has. */
  get size(): number {
    return this.#size;
  }

  /** The first node. */
  get front(): ListNode<T> | undefined {
    return this.#front;
  }

  /** The last node. */
  get back(): ListNode<T> | undefined {
    return this.#back;
  }

  /** Adds a node that is in no list at the front. */
  pushFront(node: ListNode<T>): void {
    requireFree(node);
    node.list = this;
    node.next = this.#front;
    if (this.#front) this.#front.previous = node;
    else this.#back = node;
    this.#front = node;
    this.#size++;
  }

  /** Adds a node that is in no list at the back. */
  pushBack(node: ListNode<T>): void {
    requireFree(node);
    node.list = this;
    node.previous = this.#back;
    if (this.#back) this.#back.next = node;
    else this.#front = node;
    this.#back = node;
    this.#size++;
  }

  /** Removes a node; false if it was not in this list. */
  remove(node: ListNode<T>): boolean {
    if (node.list !== this) return false;
    if (node.previous) node.previous.next = node.next;
    else this.#front = node.next;
    if (node.next) node.next.previous = node.previous;
    else this.#back = node.previous;
    node.list = node.previous = node.next = undefined;
    this.#size--;
    return true;
  }

  /** Goes from front to back. The current node may be removed meanwhile. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (let node = this.#front; node;) {
      const next: ListNode<T> | undefined = node.next;
      yield node.value;
      node = next;
    }
  }
}

function requireFree<T>(node: ListNode<T>): void {
  if (node.list) throw new Error("List node stands in a list already");
}
