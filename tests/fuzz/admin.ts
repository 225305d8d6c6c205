/**
 * The target `admin`: what anybody may send to the admin router.
 *
 * An input's first line is `none`, `read` or `act`, whose token is sent; then a request as HTTP
 * writes it, with line feeds.
 *
 * @module
 */

import { adminRouter, type AuditEntry } from "../../adapters/hono.ts";
import { TOKENS } from "../support/admin_scene.ts";
import { memoryPool } from "../support/memory_pool.ts";
import type { Random } from "../support/random.ts";
import { turns } from "../support/turns.ts";
import { attempt, type FuzzTarget, hold } from "./fuzzer.ts";

const POOL = "/api/pools/default";
const LOOKS = [
  "/",
  "/healthz",
  "/openapi.json",
  "/metrics",
  "/api/pools",
  `${POOL}/stats`,
  `${POOL}/hosts`,
  `${POOL}/hosts/a.test`,
  `${POOL}/addresses`,
  `${POOL}/connections?limit=10&offset=0&sort=id&order=desc&state=idle&host=a.test`,
  `${POOL}/connections?address=192.0.2.1`,
  `${POOL}/connections/1`,
  `${POOL}/events?events=dial,audit&lastEventId=0`,
  `${POOL}/diagnose`,
];
const ACTS: readonly (readonly [name: string, body: string])[] = [
  ["warm", "{\"host\":\"a.test\",\"connections\":3}"],
  ["drain", "{\"target\":\"a.test\"}"],
  ["evict", "{\"id\":1}"],
  ["block", "{\"ip\":\"192.0.2.1\",\"forMs\":1000,\"reason\":\"why\"}"],
  ["unblock", "{\"ip\":\"192.0.2.1\"}"],
  ["weight", "{\"ip\":\"192.0.2.1\",\"weight\":0.5}"],
  ["limits", "{\"maxConnections\":3}"],
  ["close", "{}"],
];
const actOf = ([name, body]: readonly [string, string], who = "act") =>
  `${who}\nPOST ${POOL}/actions/${name}\ncontent-type: application/json\n\n${body}`;

/** The statuses that the router may give. Not 500: nothing that is asked may be a surprise. */
const STATUSES = [200, 400, 401, 403, 404, 405, 408, 409, 413, 415, 503];

/** What needs nobody's token. */
const OPEN = ["", "/", "/healthz"];

/** No answer that names what was asked is longer, in characters: it repeats no more than a part. */
const MAX_REFUSAL = 2_000;

/** What requests to the admin router must hold to. */
export const admin: FuzzTarget = {
  name: "admin",
  corpus: [
    ...LOOKS.flatMap((path) => [`read\nGET ${path}`, `none\nGET ${path}`]),
    ...ACTS.flatMap((act) => [actOf(act), actOf(act, "read"), actOf(act, "none")]),
    `none\nGET ${POOL}/stats?token=${"x".repeat(20)}\ncookie: a=b`,
    `none\nGET ${POOL}/stats\nauthorization: Basic YTpi`,
    `none\nGET ${POOL}/stats\nauthorization: Basic YTpi\nx-hotconn-token: ${TOKENS.read}`,
    `read\nGET ${POOL}/connections?address=${"%00".repeat(900)}`,
    `read\nGET ${POOL}/hosts/${"\"".repeat(2_900)}`,
    actOf(["warm", `{"host":"${"\\u0000".repeat(400)}"}`]),
  ],
  tokens: [
    ...LOOKS,
    ...ACTS.flat(),
    "none\n",
    "read\n",
    "act\n",
    "GET",
    "POST",
    "HEAD",
    "OPTIONS",
    "\n\n",
    "content-type: application/json\n",
    "content-type: text/plain\n",
    "authorization: Bearer ",
    "x-hotconn-token: ",
    "last-event-id: 1\n",
    "origin: https://evil.test\n",
    "%00",
    "%2e%2e/",
    "%2f",
    "%",
    "//",
    "..",
    "?",
    "&",
    "__proto__",
    "constructor",
    "{\"__proto__\":{\"ip\":\"192.0.2.1\"}}",
    "[[[[[[[[",
    "{\"a\":",
    "null",
    "true",
    "1e400",
    "-0",
    "\"\\ud800\"",
    "\u2028",
    "\ufeff",
    "<script>",
    ",",
    ":",
    "\"",
    "a.test",
    "192.0.2.2:8443",
    "::1",
  ],
  separators: ["\n", "/", "&", ",", "\"", "="],
  maxLength: 3_000,
  generate: (random) =>
    random.chance(0.5) ? actOf(random.pick(ACTS), who(random)) : look(random.pick(LOOKS), random),
  check,
};

function who(random: Random): string {
  return random.pick(["none", "read", "act", "act"]);
}

function look(path: string, random: Random): string {
  return `${who(random)}\n${random.pick(["GET", "HEAD"])} ${path}`;
}

async function check(input: string): Promise<string> {
  const [who = "", line = "", ...rest] = input.split("\n");
  const request = attempt(() => readRequest(who, line, rest), TypeError, RangeError);
  // Hono itself throws at such a method, whatever app it routes for.
  if (!request || request.method in {}) return "no request";
  await using memory = memoryPool({ hosts: { "a.test": ["192.0.2.1", "192.0.2.2"] } });
  const { clock, pool } = memory;
  await pool.warm("a.test", { connections: 2 });
  const audits: AuditEntry[] = [];
  const router = adminRouter(pool, { auth: TOKENS, clock, audit: (entry) => audits.push(entry) });
  const before = stateOf(pool);
  const { pathname } = new URL(request.url);
  const known = request.headers.get("x-hotconn-token")
    ?? /^Bearer +(\S+) *$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  const asking = Promise.resolve(router.request(request));
  let response: Response | undefined;
  asking.then((answer) => response = answer, () => {});
  // An answer waits for what it tells of no longer than that.
  for (let second = 0; second < 8 && !response; second++) {
    for (let time = 0; time < 5 && !response; time++) {
      await new Promise((resolve) => setImmediate(resolve));
      await turns();
    }
    if (!response) clock.advance(1_000);
  }
  if (!response) response = await Promise.race([asking, late()]);
  const { headers, status } = response;
  hold(STATUSES.includes(status), "A status that is none of its own", status, input);
  hold(/^no-store\b/.test(headers.get("cache-control") ?? ""), "May be kept", input);
  hold(headers.get("x-content-type-options") === "nosniff", "May be sniffed", input);
  hold((headers.get("content-security-policy") ?? "").includes("default-src 'none'"), "No policy");
  hold(headers.get("access-control-allow-origin") === null, "Open to other origins", input);
  const location = headers.get("location");
  hold(location === null || !/^(\/\/|\/\\|[a-z]+:)/i.test(location), "Leads away", location, input);
  const type = headers.get("content-type") ?? "";
  const text = type.startsWith("text/event-stream")
    ? await cancelled(response)
    : await response.text();
  hold(request.method !== "HEAD" || text === "", "HEAD has a body", input);
  let why = "";
  if (text !== "" && type.startsWith("application/json")) {
    const { error } = JSON.parse(text);
    why = `${error?.message ?? ""}`.replace(/"[^"]*"|\d+/g, "").slice(0, 40);
    const isRefusal = status >= 400 && pathname !== "/healthz";
    hold(!isRefusal || typeof error?.code === "string", "A refusal without a code", text, input);
    hold(!isRefusal || text.length <= MAX_REFUSAL, "A long refusal", text.length, input);
  }
  const shown = `${JSON.stringify([...headers])}${text}`;
  for (const token of Object.values(TOKENS)) hold(!shown.includes(token), "A token shown", input);
  if (known !== TOKENS.read && known !== TOKENS.act) {
    const isOpen = OPEN.includes(pathname);
    hold(isOpen || status >= 400, "Somebody unknown was let in", status, input);
    hold(audits.every(({ who }) => who === ""), "Somebody unknown has a name", audits, input);
  }
  if (known !== TOKENS.act) {
    hold(stateOf(pool) === before, "Somebody acted who may not", input);
    hold(audits.every(({ outcome }) => outcome === "denied"), "Not denied", audits, input);
  }
  hold(audits.length <= 1, "Told twice", audits, input);
  hold(!audits.some(({ outcome }) => outcome === "failed"), "A surprise", audits, input);
  const right = known === TOKENS.act ? "act" : known === TOKENS.read ? "read" : "none";
  return [
    status,
    right,
    audits[0]?.action,
    audits[0]?.outcome,
    Math.ceil(Math.log2(text.length + 1)),
    why,
    type,
  ]
    .join();
}

function readRequest(who: string, line: string, rest: readonly string[]): Request {
  const [method = "", ...path] = line.split(" ");
  const end = rest.indexOf("");
  const headers = new Headers();
  for (const field of end < 0 ? rest : rest.slice(0, end)) {
    const colon = field.indexOf(":");
    headers.append(field.slice(0, colon), field.slice(colon + 1));
  }
  if (who === "read" || who === "act") headers.set("authorization", `Bearer ${TOKENS[who]}`);
  const body = end < 0 ? null : rest.slice(end + 1).join("\n");
  const hasNone = body === null || method === "GET" || method === "HEAD";
  return new Request(`http://localhost/${path.join(" ").replace(/^\//, "")}`, {
    method,
    headers,
    ...!hasNone && { body },
  });
}

function stateOf(pool: ReturnType<typeof memoryPool>["pool"]): string {
  const { blocks, connections, dials, evicted } = pool.stats();
  return JSON.stringify({ blocks, connections, dials, evicted });
}

async function cancelled(response: Response): Promise<string> {
  await response.body?.cancel();
  return "";
}

async function late(): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  throw new Error("It is never answered");
}
