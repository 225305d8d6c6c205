/**
 * The little of the decorator metadata proposal that the certificate library asks for before it
 * loads. Import it first.
 *
 * @module
 */

type Metadata = Map<unknown, unknown>;

const store = new WeakMap<object, Metadata>();

const functions = {
  defineMetadata(key: unknown, value: unknown, target: object): void {
    const metadata = store.get(target) ?? new Map();
    store.set(target, metadata.set(key, value));
  },
  getOwnMetadata(key: unknown, target: object): unknown {
    return store.get(target)?.get(key);
  },
  getMetadata(key: unknown, target: object): unknown {
    for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at)) {
      const metadata = store.get(at);
      if (metadata?.has(key)) return metadata.get(key);
    }
    return undefined;
  },
};

// A real polyfill, loaded by somebody else, is left as it is.
if (!("getMetadata" in Reflect)) Object.assign(Reflect, functions);
