import type { Brand } from "../../kernel/brand.ts";
import type { ClientKeyId } from "../access/client-key-id.ts";
import type { ModelClass } from "../account/account.ts";
import { createMixHash, mixDigest, mixText } from "../request/mix-hash.ts";

/** Names one conversation of one client key with one model class. At most 200 characters. */
export type ConversationKey = Brand<string, "ConversationKey">;

/** `source` says what told conversations apart. */
export type Conversation = { readonly key: ConversationKey; readonly source: "session_id" | "user_id" | "prefix" };

export type ConversationFacts = {
  readonly clientKeyId: ClientKeyId;
  readonly modelClass: ModelClass;
  /** `x-claude-code-session-id`. */
  readonly sessionId: string | null;
  /** `metadata.user_id`: of Claude Code it names the session too. */
  readonly userId: string | null;
  /** Asked for only when neither id is there: it reads the body. */
  readonly prefixHash: () => string | null;
};

/** A longer part is hashed. Three of them with two marks and the source stay below 200 characters. */
const MAX_PART_CHARACTERS = 64;

/**
 * The conversation that a request belongs to; null when nothing tells. The client key is part of the key, so that no
 * client can move or learn another's home; the model class is, because limits and caches are per model.
 */
export function conversationOf(facts: ConversationFacts): Conversation | null {
  const { sessionId, userId } = facts;
  if (sessionId !== null && sessionId !== "") {
    return { key: keyOf(facts, "s", sessionId), source: "session_id" };
  }
  if (userId !== null && userId !== "") {
    return { key: keyOf(facts, "u", userId), source: "user_id" };
  }
  const hash = facts.prefixHash();
  return hash === null ? null : { key: keyOf(facts, "p", hash), source: "prefix" };
}

function keyOf(facts: ConversationFacts, mark: "s" | "u" | "p", id: string): ConversationKey {
  return `${part(facts.clientKeyId)}/${part(facts.modelClass)}/${mark}:${part(id)}` as ConversationKey;
}

function part(text: string): string {
  if (text.length <= MAX_PART_CHARACTERS) return text;
  const hash = createMixHash();
  mixText(hash, text);
  return `#${mixDigest(hash)}`;
}
