import type { KeyService } from "../../control/keys.ts";
import { type KeyReachOf, reachOf } from "./visitor.ts";

/** Whose requests a visitor may see: with `stats.any` everybody's, else those of one's own client keys. */
export function keyReachOver(keys: Pick<KeyService, "list">): KeyReachOf {
  return async (visitor) => {
    const reach = reachOf(visitor, ["stats.any", "stats.own"]);
    if (reach === "any") return "any";
    return (await keys.list({ ownerId: reach })).map(({ record }) => record.id);
  };
}
