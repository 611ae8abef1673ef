import type { Brand } from "../../kernel/brand.ts";

/** The public part of a client key (10 base62 characters): shown in lists and logs, proves nothing. */
export type ClientKeyId = Brand<string, "ClientKeyId">;

export function clientKeyId(value: string): ClientKeyId {
  return value as ClientKeyId;
}
