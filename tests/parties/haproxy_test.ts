/**
 * Requests to haproxy.
 *
 * @module
 */

import { haproxy } from "../support/haproxy.ts";
import { testParty } from "./party_contract.ts";

testParty(haproxy);
