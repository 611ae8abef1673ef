// A process that rotates every key and dies by SIGKILL at one step of it: `vault-killed.ts DATA_DIR STEP`.
import type { DataKeyChanges } from "../../src/control/vault-ports.ts";
import type { MasterKeySource } from "../../src/keyring/master-key-source.ts";
import type { VaultNeeds } from "../../src/keyring/vault.ts";
import { openVaultWorld, settled } from "./vault-world.ts";

const [dataDir = "", stepText = ""] = process.argv.slice(2);
let stepsLeft = Number(stepText);

function step(): void {
  if (stepsLeft === 0) process.kill(process.pid, "SIGKILL");
  stepsLeft -= 1;
}

async function stepped<Value>(work: () => Promise<Value>): Promise<Value> {
  step();
  const value = await work();
  step();
  return value;
}

function steppedKeys(keys: DataKeyChanges): DataKeyChanges {
  return {
    list: () => keys.list(),
    insert: (rows) => stepped(() => keys.insert(rows)),
    reserve: (id, encryptions) => stepped(() => keys.reserve(id, encryptions)),
    demote: (id) => stepped(() => keys.demote(id)),
    rewrap: (key, from) => stepped(() => keys.rewrap(key, from)),
    remove: (id) => stepped(() => keys.remove(id)),
  };
}

function steppedSource(source: MasterKeySource): MasterKeySource {
  return {
    ...source,
    async prepare(order) {
      const prepared = await source.prepare(order);
      step();
      return prepared;
    },
    settle() {
      step();
      source.settle();
      step();
    },
  };
}

function dying(needs: VaultNeeds): VaultNeeds {
  const { audit, sources, stored } = needs;
  return {
    ...needs,
    audit: {
      note: (draft) => audit.note(draft),
      change: (draft, work) =>
        stepped(() => audit.change(draft, (stores) => work({ ...stores, dataKeys: steppedKeys(stores.dataKeys) }))),
    },
    sources: { ...sources, configured: steppedSource(sources.configured) },
    stored: {
      pepperUses: () => stored.pepperUses(),
      columns: stored.columns.map((column) => ({
        ...column,
        page: (after, limit) => column.page(after, limit),
        replace: (before, envelope) => stepped(() => column.replace(before, envelope)),
      })),
    },
  };
}

const world = await openVaultWorld(dataDir, dying);
world.vault.start();
await settled(world);
const rotated = await world.vault.rotateDataKeys(["accounts", "apikey-pepper"]);
await settled(world);
const master = await world.vault.rotateMasterKey({ to: null, file: world.newKeyFile });
await world.close();
process.stdout.write(JSON.stringify({ isOk: rotated.ok && master.ok, stepsLeft }));
