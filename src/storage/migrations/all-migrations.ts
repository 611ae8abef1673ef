import type { Migration } from "kysely/migration";
import { initialSchema } from "./0001-initial.ts";
import { poolSchema } from "./0002-pool.ts";
import { oauthSchema } from "./0003-oauth.ts";
import { auditSchema } from "./0004-audit.ts";
import { peopleSchema } from "./0005-people.ts";
import { encryptionsSchema } from "./0006-encryptions.ts";
import { auditSinksSchema } from "./0007-audit-sinks.ts";
import { clientKeyAccessSchema } from "./0008-client-key-access.ts";

/** Forward only, in the order of the names. An object, not a folder: a compiled binary has no folder to read. */
export const allMigrations: Readonly<Record<string, Migration>> = {
  "0001-initial": { up: initialSchema },
  "0002-pool": { up: poolSchema },
  "0003-oauth": { up: oauthSchema },
  "0004-audit": { up: auditSchema },
  "0005-people": { up: peopleSchema },
  "0006-encryptions": { up: encryptionsSchema },
  "0007-audit-sinks": { up: auditSinksSchema },
  "0008-client-key-access": { up: clientKeyAccessSchema },
};
