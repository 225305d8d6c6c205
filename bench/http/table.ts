/**
 * The figures as people read them.
 *
 * @module
 */

/** One client's figures, the medians of its turns. */
export interface ClientFigures {
  readonly name: string;
  readonly perSecond: number;
  readonly cpuMicros: number;
  /** How many times its rate ours is, round by round. */
  readonly ratio?: number;
  /** How many times our CPU it takes, round by round. */
  readonly cpuRatio?: number;
}

/** One client's figures; or why there are none. */
export type ClientResult = ClientFigures | { readonly name: string; readonly error: string };

/** What was measured side by side. */
export interface CaseResult {
  readonly runtime: string;
  readonly body: string;
  readonly connections: number;
  readonly callers: number;
  /** The machine's load average over the last minute, at the end. */
  readonly load: number;
  readonly clients: readonly ClientResult[];
}

/** A table in Markdown. */
export function table({ body, callers, clients, connections, load, runtime }: CaseResult): string {
  const rows = clients.map((client) => {
    if ("error" in client) return [client.name, client.error, "", "", ""];
    const { cpuMicros, cpuRatio, name, perSecond, ratio } = client;
    const rate = Math.round(perSecond).toLocaleString("en");
    return [name, rate, cpuMicros.toFixed(1), show(ratio), show(cpuRatio)];
  });
  const head = [
    "client",
    "requests/s",
    "CPU µs a request",
    "request() ÷ its rate",
    "its CPU ÷ request()",
  ];
  const lines = [head, head.map((_, at) => at === 0 ? "---" : "---:"), ...rows];
  const what = callers === connections
    ? `${connections} connections`
    : `${callers} callers, ${connections} of HTTP/2`;
  return `**${runtime}, ${body}, ${what}** (load ${load.toFixed(1)})\n\n`
    + `${lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`;
}

function show(ratio: number | undefined): string {
  return ratio === undefined ? "" : ratio.toFixed(2);
}
