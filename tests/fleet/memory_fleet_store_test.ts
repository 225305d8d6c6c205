import { MemoryFleetStore } from "../support/memory_fleet_store.ts";
import { storeContract } from "./store_contract.ts";

storeContract("A store in memory", () => {
  const store = new MemoryFleetStore();
  const restart = () => {
    store.stop();
    store.start(true);
    return Promise.resolve();
  };
  return Promise.resolve({ store, restart, [Symbol.asyncDispose]: () => Promise.resolve() });
});
