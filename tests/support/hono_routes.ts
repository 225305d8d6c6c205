/**
 * What the Hono app of `hono_main.ts` offers, for its typed client.
 *
 * @module
 */

import type { Hono } from "hono";
import type { BlankEnv } from "hono/types";

type Thing = {
  readonly name: string;
  readonly sizes: number[];
};

// A type and no interface: only that fits where any path may stand.
type Routes = {
  "/things/:name": {
    $get: {
      input: { param: { name: string } };
      output: { name: string };
      outputFormat: "json";
      status: 200;
    };
  };
  "/things": {
    $post: {
      input: { json: Thing };
      output: { got: Thing; type: string };
      outputFormat: "json";
      status: 201;
    };
  };
  "/missing": {
    $get: { input: object; output: { error: string }; outputFormat: "json"; status: 404 };
  };
  "/never": {
    $get: { input: object; output: object; outputFormat: "json"; status: 200 };
  };
};

/** The app's type. */
export type App = Hono<BlankEnv, Routes, "/">;
