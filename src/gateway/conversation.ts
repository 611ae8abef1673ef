import type { ClientKeyId } from "../domain/access/client-key-id.ts";
import type { ModelClass } from "../domain/account/account.ts";
import { type Conversation, conversationOf } from "../domain/affinity/conversation.ts";
import type { HomeBook } from "../domain/affinity/home-book.ts";
import { expectedDemand } from "../domain/pool/expected-demand.ts";
import type { Demand } from "../domain/pool/reservation-book.ts";
import { prefixHashOf } from "../domain/request/prefix-hash.ts";
import type { RequestFacts } from "../domain/request/request-facts.ts";
import type { EpochMs } from "../kernel/time.ts";
import type { Call } from "./call.ts";

export type Talk = {
  readonly call: Pick<Call, "header" | "path">;
  readonly keyId: ClientKeyId;
  readonly facts: RequestFacts;
  readonly modelClass: ModelClass;
  readonly body: Uint8Array | null;
};

/** Which conversation a request belongs to. Claude Code names it in a header, so that the body is read for others alone. */
// hot path
export function conversationFor({ call, keyId, facts, modelClass, body }: Talk): Conversation | null {
  const sessionId = call.header("x-claude-code-session-id") || null;
  return conversationOf({
    clientKeyId: keyId,
    modelClass,
    sessionId,
    userId: sessionId === null ? facts.userId : null,
    // A file or a batch has no prefix that a cache would know.
    prefixHash: () => (body === null || facts.model === null ? null : prefixHashOf(body)),
  });
}

/** Sent once after a compaction: what the home has in its cache will not be read again (protocol.md P10). */
export function forgetCompacted(
  call: Pick<Call, "header">,
  conversation: Conversation,
  books: { readonly homes: HomeBook; readonly nowMs: EpochMs },
): void {
  if (call.header("x-claude-code-context-compacted") === null) {
    return;
  }
  const home = books.homes.find(conversation.key, books.nowMs);
  if (home !== null) {
    books.homes.set(conversation.key, { ...home, prefixTokens: 0 });
  }
}

/** English and code have about four characters to a token. */
const BYTES_PER_TOKEN = 4;
const NO_TOKENS: Demand = { inputTokens: 0, outputTokens: 0 };

/** What a request may take from the token windows. Token counts and files take none. */
export function demandOf(path: string, body: Uint8Array | null, facts: RequestFacts): Demand {
  return path !== "/v1/messages" || body === null
    ? NO_TOKENS
    : expectedDemand(Math.ceil(body.length / BYTES_PER_TOKEN), facts.maxTokens);
}
