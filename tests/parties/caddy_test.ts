/**
 * Requests to caddy.
 *
 * @module
 */

import { caddy } from "../support/caddy.ts";
import { testParty } from "./party_contract.ts";

testParty(caddy);
