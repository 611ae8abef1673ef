import type { EpochMs } from "../../kernel/time.ts";
import type { ConversationKey } from "../affinity/conversation.ts";
import type { Home, HomeBook } from "../affinity/home-book.ts";
import { isCacheAlive } from "../affinity/move.ts";
import type { Question } from "./choice.ts";
import type { Entry, Roster } from "./roster.ts";
import type { View } from "./standing.ts";

/** Where a conversation lives, or is a guest while it is away from home. */
export type Lodging = { readonly home: Home; readonly entry: Entry };

/** Null too when the account is gone. */
export function lodgingOf(
  book: HomeBook,
  roster: Roster,
  on: { readonly conversation: ConversationKey | null; readonly nowMs: EpochMs },
): Lodging | null {
  const home = on.conversation === null ? null : book.find(on.conversation, on.nowMs);
  const entry = home === null ? null : roster.find(home.accountId);
  return home === null || entry === null ? null : { home, entry };
}

/**
 * What the request takes where its prefix is cached: a read from the cache does not count (protocol P27). A subagent has
 * the conversation's id but a prompt of its own, and so has whatever is shorter than what is cached: they count whole.
 */
export function warmth(
  { demand, isSubagent }: Pick<Question, "demand" | "isSubagent">,
  { home, entry }: Lodging,
): NonNullable<View["warm"]> {
  const isCold = isSubagent || demand.inputTokens < home.prefixTokens;
  const inputTokens = isCold ? demand.inputTokens : demand.inputTokens - home.prefixTokens;
  return { cache: entry.cache, demand: { inputTokens, outputTokens: demand.outputTokens } };
}

/** Of home and guest the one whose cache this account shares and that is alive. */
export function warmAt(
  question: Pick<Question, "demand" | "isSubagent" | "nowMs">,
  lodgings: readonly (Lodging | null)[],
  entry: Entry,
): View["warm"] {
  for (const lodging of lodgings) {
    if (lodging !== null && lodging.entry.cache === entry.cache && isCacheAlive(lodging.home, question.nowMs)) {
      return warmth(question, lodging);
    }
  }
  return null;
}
