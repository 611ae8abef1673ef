import { currentActor } from "../control/acting.ts";
import type { SealProblem, VaultVerification } from "../control/vault.ts";
import type { WrappedDataKey } from "../control/vault-ports.ts";
import { assertNever } from "../kernel/result.ts";
import type { OpenProblem } from "./keyring.ts";
import { MasterKeyUnreachable } from "./keyring-error.ts";
import { valuesOf } from "./reencryption.ts";
import type { VaultNeeds } from "./vault.ts";

const MAX_PROBLEMS = 100;
/** Opening costs about 5 us: the relay gets its turn in between. */
const ROWS_PER_TURN = 100;

export async function verifyVault(needs: VaultNeeds): Promise<VaultVerification> {
  const { keyring, stored } = needs;
  const dataKeys = await needs.dataKeys.list();
  const problems: SealProblem[] = [];
  let sealedCount = 0;
  problems.push(...(await keyProblems(needs, dataKeys)));
  const known = new Set(keyring.macs("apikey-pepper").map(({ version }) => version));
  for (const [version, uses] of await stored.pepperUses()) {
    if (known.has(version)) continue;
    problems.push({
      table: "client_keys",
      column: "hmac",
      rowId: `pepper ${version}`,
      problem: `${uses} client keys need a pepper that is gone`,
    });
  }
  for (const column of stored.columns) {
    for await (const { rowId, generation, envelope } of valuesOf(column)) {
      sealedCount += 1;
      const address = { table: column.table, column: column.column, rowId, generation };
      const opened = keyring.open(column.purpose, address, envelope);
      if (!opened.ok)
        problems.push({ table: column.table, column: column.column, rowId, problem: inWords(opened.error) });
      if (sealedCount % ROWS_PER_TURN === 0) await Bun.sleep(0);
    }
  }
  const isWell = problems.length === 0;
  await needs.audit.note({
    code: isWell ? "VLT004I" : "VLT004E",
    actor: currentActor(),
    object: { type: "vault", id: keyring.ring.masterKeyId(), name: null },
    after: { sealedCount, problemCount: problems.length },
  });
  return {
    dataKeyCount: dataKeys.length,
    sealedCount,
    problemCount: problems.length,
    problems: problems.slice(0, MAX_PROBLEMS),
  };
}

async function keyProblems(
  { keyring }: VaultNeeds,
  dataKeys: readonly WrappedDataKey[],
): Promise<readonly SealProblem[]> {
  const place = { table: "data_keys", column: "wrapped" };
  try {
    const differing = await keyring.ring.differing(dataKeys);
    return differing.map((id) => ({ ...place, rowId: String(id), problem: "the master key does not open it" }));
  } catch (cause) {
    if (!(cause instanceof MasterKeyUnreachable)) throw cause;
    return [{ ...place, rowId: "all", problem: `not looked at: ${cause.fact}` }];
  }
}

function inWords(problem: OpenProblem): string {
  switch (problem) {
    case "tampered":
      return "changed, moved, or put back from an older version";
    case "unknown_key":
      return "sealed with a data key that is not here";
    case "malformed":
      return "not a sealed value";
    default:
      return assertNever(problem);
  }
}
