import { isInAny } from "../domain/access/client-address.ts";
import type { IpNetwork } from "../domain/access/ip-address.ts";
import type { Answer, Call } from "../gateway/call.ts";
import { type Refusal, refusalAnswer } from "../gateway/refusal.ts";
import { isAdminPath } from "./routes/admin-path.ts";

/** An empty list is no list: everybody may. */
export type AddressRules = {
  readonly allowFrom: readonly IpNetwork[];
  /** Of the admin plane, beside `allowFrom`. */
  readonly adminAllowFrom: readonly IpNetwork[];
};

const BAD_FORWARDED: Refusal = {
  code: "GW_BAD_FORWARDED",
  message:
    "Cannot tell who sent the request: its X-Forwarded-For must be one line of at most 16 IP addresses, separated by commas",
};

const OTHER_ADDRESS: Refusal = {
  code: "GW_ADDRESS",
  message: "Cannot serve the request: its address is not in the list that may use this gateway",
};

/** Whoever calls from where nobody may is sent away before a body is read, a key is looked at or a path is served. */
export function createAddressGate({ allowFrom, adminAllowFrom }: AddressRules): (call: Call) => Answer | null {
  // hot path
  return (call) => {
    const { client } = call;
    if (!client.ok) return closing(BAD_FORWARDED, call);
    if (allowFrom.length > 0 && !isInAny(client.value, allowFrom)) return closing(OTHER_ADDRESS, call);
    const isShut = adminAllowFrom.length > 0 && isAdminPath(call.path) && !isInAny(client.value, adminAllowFrom);
    return isShut ? closing(OTHER_ADDRESS, call) : null;
  };
}

function closing(refusal: Refusal, call: Call): Answer {
  return { ...refusalAnswer(refusal, call.id), mustClose: true };
}
