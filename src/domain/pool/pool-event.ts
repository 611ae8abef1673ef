import type { EpochMs } from "../../kernel/time.ts";
import { type Account, type AccountId, type LimitGroup, limitGroupOf, type ModelClass } from "../account/account.ts";
import type { LimitFacts } from "../ratelimit/limit-facts.ts";
import type { Block } from "./block.ts";

/** Whom an attempt was about. */
export type PoolSubject = {
  readonly accountId: AccountId;
  readonly limitGroup: LimitGroup;
  /** The upstream: the account's base URL. */
  readonly origin: string;
  readonly model: string | null;
  readonly modelClass: ModelClass;
};

type Learned<Type extends string> = { readonly type: Type; readonly on: PoolSubject; readonly atMs: EpochMs };
/** `cause` as in `Block`. */
type Caused = { readonly cause: string };

/**
 * What the pool learns. `on` is the attempt's subject, `atMs` when it was learned.
 *
 * probe_started: a request leaves; if a limit or a circuit is half open, this is its one probe.
 * probe_lost: that request ended without an outcome, because its client left; the next one may test.
 * served: a successful answer. refused: any other answer of a living upstream; its cause follows in an event of its own.
 * benched: limited until then, in this model class or in every class of the group. throttled: limited, nobody knows
 * until when. parked: the account (not its group) rests until then. credential_refused: until an operator acts.
 * forbidden: 403 for that model class. model_missing: 404 for that model. origin_failed: not the account's fault.
 * organization_learned: an answer named the owner of the limits; what is known of `from` belongs to `to`.
 * reset_account: an operator resumed the account or changed its credential; forgets all that is held against it.
 */
export type PoolEvent =
  | Learned<"probe_started">
  | Learned<"probe_lost">
  | (Learned<"served"> & { readonly limits: LimitFacts })
  | (Learned<"refused"> & { readonly limits: LimitFacts })
  | (Learned<"benched"> & Block & { readonly scope: "class" | "group" })
  /** `random` is 0..1, for the jitter of the back-off. */
  | (Learned<"throttled"> & Caused & { readonly random: number })
  | (Learned<"parked"> & Block)
  | (Learned<"credential_refused"> & Caused & { readonly reason: "credential_dead" | "needs_reauth" })
  | (Learned<"forbidden"> & Caused)
  | (Learned<"model_missing"> & Caused & { readonly model: string })
  | (Learned<"origin_failed"> & Caused)
  | {
      readonly type: "organization_learned";
      readonly accountId: AccountId;
      readonly from: LimitGroup;
      readonly to: LimitGroup;
      readonly organization: string;
    }
  | { readonly type: "reset_account"; readonly accountId: AccountId; readonly limitGroup: LimitGroup };

export function subjectOf(account: Account, model: string | null, modelClass: ModelClass): PoolSubject {
  return {
    accountId: account.id,
    limitGroup: limitGroupOf(account),
    origin: account.baseUrl,
    model,
    modelClass,
  };
}

/** For a request whose client left before there was an outcome; `onStart` is what the pool learned when it left. */
export function probesLost(onStart: readonly PoolEvent[]): readonly PoolEvent[] {
  return onStart.flatMap((event): readonly PoolEvent[] =>
    event.type === "probe_started" ? [{ ...event, type: "probe_lost" }] : [],
  );
}

/** For `account resume` and a changed credential. A limit group that it shares is cleared too: the operator's word counts. */
export function resetAccount(account: Account): PoolEvent {
  return { type: "reset_account", accountId: account.id, limitGroup: limitGroupOf(account) };
}
