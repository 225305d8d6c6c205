/**
 * Requests to nginx.
 *
 * @module
 */

import { nginx } from "../support/nginx.ts";
import { testParty } from "./party_contract.ts";

testParty(nginx);
