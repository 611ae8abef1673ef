import type { Brand } from "../../kernel/brand.ts";

/** A person of the admin plane: a UUIDv7 in lower case. It stays when the name changes, and is never given again. */
export type UserId = Brand<string, "UserId">;

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Null when the text is no UUIDv7 in its canonical spelling (RFC 9562 section 5.7). */
export function parseUserId(text: string): UserId | null {
  return UUID_V7.test(text) ? (text as UserId) : null;
}
