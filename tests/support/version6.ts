/**
 * Whether the machine has IPv6.
 *
 * @module
 */

import { createServer } from "node:net";

/** Why tests of IPv6 are skipped here, if they are. */
export const withoutVersion6: string | false = await new Promise((resolve) => {
  const server = createServer();
  server.on("error", () => resolve("the machine has no IPv6 loopback"));
  server.listen(0, "::1", () => server.close(() => resolve(false)));
});
