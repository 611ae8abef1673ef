// Seals until it is killed: `encryptions-killed.ts DATA_DIR NONCES`. Every nonce is in the file before the next is drawn.
import { openSync, writeSync } from "node:fs";
import { openVaultWorld } from "./vault-world.ts";

const [dataDir = "", noncesPath = ""] = process.argv.slice(2);
const BATCH = 1_000;
const NONCE_AT = 6;
const NONCE_BYTES = 12;

const world = await openVaultWorld(dataDir);
const address = { table: "accounts", column: "credential", rowId: "row", generation: 1 };
const token = Buffer.from("the same token each time");
const file = openSync(noncesPath, "a");
process.stdout.write("sealing\n");
for (;;) {
  const nonces = Buffer.alloc(BATCH * NONCE_BYTES);
  for (let at = 0; at < BATCH; at += 1) {
    const envelope = world.keyring.seal("accounts", address, token);
    nonces.set(envelope.subarray(NONCE_AT, NONCE_AT + NONCE_BYTES), at * NONCE_BYTES);
  }
  writeSync(file, nonces);
  await world.keyring.ring.counts.idle();
}
