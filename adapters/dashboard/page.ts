/**
 * The dashboard of the admin router: a page and its files, which ask no other server for anything.
 *
 * @module
 */

import { CLIENT_ACTIONS } from "./client_actions.ts";
import { CLIENT_API } from "./client_api.ts";
import { CLIENT_DOM } from "./client_dom.ts";
import { CLIENT_DRAWER } from "./client_drawer.ts";
import { CLIENT_EVENTS } from "./client_events.ts";
import { CLIENT_FACTS } from "./client_facts.ts";
import { CLIENT_FLEET } from "./client_fleet.ts";
import { CLIENT_FRESH } from "./client_fresh.ts";
import { CLIENT_GATE } from "./client_gate.ts";
import { CLIENT_GRID } from "./client_grid.ts";
import { CLIENT_HISTORY } from "./client_history.ts";
import { CLIENT_LIMITS } from "./client_limits.ts";
import { CLIENT_LINKS } from "./client_links.ts";
import { CLIENT_LIST } from "./client_list.ts";
import { CLIENT_MAIN } from "./client_main.ts";
import { CLIENT_MAP } from "./client_map.ts";
import { CLIENT_MODEL } from "./client_model.ts";
import { CLIENT_OPTIONS } from "./client_options.ts";
import { CLIENT_OVERVIEW } from "./client_overview.ts";
import { CLIENT_PANELS } from "./client_panels.ts";
import { CLIENT_PLACES } from "./client_places.ts";
import { CLIENT_ROUTE } from "./client_route.ts";
import { CLIENT_SORT } from "./client_sort.ts";
import { CLIENT_STREAM } from "./client_stream.ts";
import { CLIENT_TILES } from "./client_tiles.ts";
import { ICONS } from "./icons.ts";
import { SHELL } from "./shell.ts";
import { STYLE } from "./style.ts";
import { STYLE_HISTORY } from "./style_history.ts";
import { STYLE_OVERVIEW } from "./style_overview.ts";
import { STYLE_PANELS } from "./style_panels.ts";

/**
 * The script of the page, as one text: plain JavaScript whose types stand in its comments. All texts
 * here are ASCII: Bun writes other characters of a `String.raw` as escapes, which nobody would read back.
 *
 * @internal
 */
export const CLIENT: string = [
  CLIENT_DOM,
  CLIENT_API,
  CLIENT_ROUTE,
  CLIENT_LINKS,
  CLIENT_STREAM,
  CLIENT_MODEL,
  CLIENT_SORT,
  CLIENT_GRID,
  CLIENT_MAP,
  CLIENT_LIST,
  CLIENT_PLACES,
  CLIENT_TILES,
  CLIENT_PANELS,
  CLIENT_OVERVIEW,
  CLIENT_FRESH,
  CLIENT_EVENTS,
  CLIENT_FACTS,
  CLIENT_LIMITS,
  CLIENT_OPTIONS,
  CLIENT_HISTORY,
  CLIENT_DRAWER,
  CLIENT_FLEET,
  CLIENT_ACTIONS,
  CLIENT_GATE,
  CLIENT_MAIN,
].join("\n");

/** A file that the page loads, from a folder whose name changes with what is in them. */
export interface DashboardFile {
  readonly name: string;
  /** Its media type. */
  readonly type: string;
  readonly body: string;
}

/** Where a page is, and how it signs in. */
export interface PagePlace {
  /** The way from the page to the `api/` and `assets/` that it asks for: empty, or up to a slash. */
  readonly root: string;
  /** The header that the token goes into; in `authorization` as a bearer token. */
  readonly tokenHeader: string;
  /** Whether everybody is let in, so that it asks for no token. */
  readonly isOpen: boolean;
}

/** The dashboard: its page, and the name of the folder in `assets/` that its files are in. */
export interface Dashboard {
  page(place: PagePlace): string;
  readonly folder: string;
}

/**
 * What the page may load and run, as a content security policy: its own files. It stands in the page
 * too, so that it holds where an app puts its own policy in the head of every answer.
 */
export const PAGE_POLICY: string = "default-src 'none'; script-src 'self'; style-src 'self'; "
  + "connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'";

/** The files that the page loads. */
export const FILES: readonly DashboardFile[] = [
  ...ICONS.map(({ body, name }) => ({ name, type: "image/svg+xml", body })),
  {
    name: "style.css",
    type: "text/css; charset=utf-8",
    body: STYLE + STYLE_PANELS + STYLE_HISTORY + STYLE_OVERVIEW,
  },
  {
    name: "client.js",
    type: "text/javascript; charset=utf-8",
    body: `(() => {\n"use strict";\n${CLIENT}\n})();\n`,
  },
];

let made: Promise<Dashboard> | undefined;

/**
 * The dashboard. Its page holds no data: it asks for a token, and reads all it shows from the `api/`
 * beside it.
 */
export function dashboard(): Promise<Dashboard> {
  return made ??= makeDashboard();
}

async function makeDashboard(): Promise<Dashboard> {
  const folder = await hashOf(FILES.map(({ body }) => body).join("\n"));
  const page = ({ isOpen, root, tokenHeader }: PagePlace) =>
    [
      "<!doctype html>",
      `<html lang="en"${isOpen ? " data-open" : ""}>`,
      "<head>",
      "<meta charset=\"utf-8\">",
      `<meta http-equiv="Content-Security-Policy" content="${PAGE_POLICY}">`,
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
      "<meta name=\"color-scheme\" content=\"light dark\">",
      "<meta name=\"robots\" content=\"noindex\">",
      `<meta name="hotconn-root" content="${inQuotes(root)}">`,
      `<meta name="hotconn-token" content="${inQuotes(tokenHeader)}">`,
      "<title>hotconn</title>",
      `<link rel="icon" href="${inQuotes(root)}assets/${folder}/fine.svg">`,
      `<link rel="stylesheet" href="${inQuotes(root)}assets/${folder}/style.css">`,
      `<script src="${inQuotes(root)}assets/${folder}/client.js" defer></script>`,
      "</head>",
      "<body>",
      SHELL,
      "</body>",
      "</html>",
      "",
    ].join("\n");
  return { page, folder };
}

/** A text as it stands in quotes in HTML. */
function inQuotes(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("\"", "&quot;");
}

/** So much of a text's SHA-256 that no other text has it. */
async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const bytes = new Uint8Array(digest).subarray(0, 12);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
