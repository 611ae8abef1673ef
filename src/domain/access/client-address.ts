import { err, ok, type Result } from "../../kernel/result.ts";
import { type IpAddress, type IpNetwork, isInNetwork, parsePeerAddress } from "./ip-address.ts";

/** Null: no address is known. bad_forwarded: a trusted proxy passed on what cannot be read, so that nobody can say who calls. */
export type ClientAddress = Result<IpAddress | null, "bad_forwarded">;

/** A longer chain of proxies is no chain that anybody set up. */
const MAX_HOPS = 16;
/** More than sixteen of the longest hops need. */
const MAX_CHAIN_LENGTH = 1_024;

const BAD: ClientAddress = err("bad_forwarded");
const V4_WITH_PORT = /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/;
const BRACKETED = /^\[([0-9A-Fa-f:.]{2,45}(?:%[0-9A-Za-z._~-]{1,32})?)\](?::\d{1,5})?$/;
const ZONE = /%[0-9A-Za-z._~-]{1,32}$/;

/** Is `address` in one of these ranges? An address that is not known is in none. */
export function isInAny(address: IpAddress | null, networks: readonly IpNetwork[]): boolean {
  return address !== null && networks.some((network) => isInNetwork(address, network));
}

/**
 * Who calls through a proxy that is trusted: X-Forwarded-For from right to left without the hops that are trusted too.
 * What stands further left is the client's own word and only has to be readable. `lines`: the values of the field, one
 * for each line of the head; several must be equal.
 */
export function forwardedClient(
  proxy: IpAddress,
  lines: readonly string[],
  trusted: readonly IpNetwork[],
): ClientAddress {
  const [line] = lines;
  if (line === undefined) return ok(proxy);
  if (lines.some((other) => other !== line) || line.length > MAX_CHAIN_LENGTH) return BAD;
  const texts = line.split(",");
  if (texts.length > MAX_HOPS) return BAD;
  let client: IpAddress | null = null;
  let isFound = false;
  for (const text of texts.reverse()) {
    const hop = parseHop(text.replace(/^[ \t]+|[ \t]+$/g, ""));
    if (hop === null) return BAD;
    if (isFound) continue;
    client = hop;
    isFound = !isInAny(hop, trusted);
  }
  return ok(client);
}

/** An address, with a port or a zone as some proxies write it. */
function parseHop(text: string): IpAddress | null {
  const inside = V4_WITH_PORT.exec(text)?.[1] ?? BRACKETED.exec(text)?.[1] ?? text;
  return parsePeerAddress(inside.replace(ZONE, ""));
}
