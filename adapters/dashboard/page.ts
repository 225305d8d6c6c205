/**
 * The dashboard of the admin router: one HTML text that asks no other server for anything.
 *
 * @module
 */

import { CLIENT_ACTIONS } from "./client_actions.ts";
import { CLIENT_API } from "./client_api.ts";
import { CLIENT_DOM } from "./client_dom.ts";
import { CLIENT_DRAWER } from "./client_drawer.ts";
import { CLIENT_EVENTS } from "./client_events.ts";
import { CLIENT_FLEET } from "./client_fleet.ts";
import { CLIENT_GRID } from "./client_grid.ts";
import { CLIENT_MAIN } from "./client_main.ts";
import { CLIENT_MAP } from "./client_map.ts";
import { CLIENT_MODEL } from "./client_model.ts";
import { CLIENT_PANELS } from "./client_panels.ts";
import { CLIENT_ROUTE } from "./client_route.ts";
import { CLIENT_STREAM } from "./client_stream.ts";
import { SHELL } from "./shell.ts";
import { STYLE } from "./style.ts";
import { STYLE_PANELS } from "./style_panels.ts";

/**
 * The script of the page, as one text: plain JavaScript whose types stand in its comments. All texts
 * here are ASCII: Bun writes other characters of a `String.raw` as escapes, which HTML does not know.
 *
 * @internal
 */
export const CLIENT: string = [
  CLIENT_DOM,
  CLIENT_API,
  CLIENT_ROUTE,
  CLIENT_STREAM,
  CLIENT_MODEL,
  CLIENT_GRID,
  CLIENT_MAP,
  CLIENT_PANELS,
  CLIENT_EVENTS,
  CLIENT_DRAWER,
  CLIENT_FLEET,
  CLIENT_ACTIONS,
  CLIENT_MAIN,
].join("\n");

/**
 * Makes the dashboard's page. It holds no data: it asks for a token, and reads all it shows from the
 * `api/` beside it.
 *
 * @param nonce What the `Content-Security-Policy` header names for its style and its script: of
 * letters, digits, `+`, `/`, `-`, `_` and `=`; another one for each answer
 * @throws {TypeError} The nonce has other characters
 */
export function dashboardPage(nonce: string): string {
  if (!/^[A-Za-z0-9+/_-]+=*$/.test(nonce)) {
    throw new TypeError(
      `nonce must be of letters, digits, "+", "/", "-", "_" and "=", got ${JSON.stringify(nonce)}`,
    );
  }
  return [
    "<!doctype html>",
    "<html lang=\"en\">",
    "<head>",
    "<meta charset=\"utf-8\">",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
    "<meta name=\"color-scheme\" content=\"light dark\">",
    "<meta name=\"robots\" content=\"noindex\">",
    "<title>hotconn</title>",
    `<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(ICON)}">`,
    `<style nonce="${nonce}">${STYLE}${STYLE_PANELS}</style>`,
    "</head>",
    "<body>",
    SHELL,
    `<script nonce="${nonce}">(() => {\n"use strict";\n${CLIENT}\n})();</script>`,
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

const ICON = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\">"
  + "<rect width=\"16\" height=\"16\" rx=\"4\" fill=\"#0b6e69\"/>"
  + "<path d=\"M4 4v8M12 4v8M4 8h8\" stroke=\"#fff\" stroke-width=\"2\" stroke-linecap=\"round\"/>"
  + "</svg>";
