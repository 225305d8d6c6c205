/**
 * Abort signals that know who listens to them.
 *
 * @module
 */

/** An abort controller whose signal counts its listeners. */
export class CountedController extends AbortController {
  readonly #listeners = new Set<unknown>();

  /** Makes a controller that nobody listens to. */
  constructor() {
    super();
    const { signal } = this;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    const listeners = this.#listeners;
    Object.defineProperties(signal, {
      addEventListener: {
        value(type: string, listener: () => void, options?: AddEventListenerOptions) {
          listeners.add(listener);
          // A listener that is called once is taken off by the signal itself.
          if (options?.once) add(type, () => listeners.delete(listener), options);
          add(type, listener, options);
        },
      },
      removeEventListener: {
        value(type: string, listener: () => void, options?: EventListenerOptions) {
          listeners.delete(listener);
          remove(type, listener, options);
        },
      },
    });
  }

  /** How many listen. */
  get listeners(): number {
    return this.#listeners.size;
  }
}
