import type { VaultStore } from "../control/vault-ports.ts";
import type { WriteHandle } from "./schema.ts";
import { createSealedColumns, pepperUses } from "./sealed-columns.ts";

export function createVaultStore(db: WriteHandle): VaultStore {
  return { columns: createSealedColumns(db), pepperUses: () => pepperUses(db) };
}
