import { type ClientAddress, isInAny } from "../../domain/access/client-address.ts";
import { type IpAddress, type IpNetwork, parsePeerAddress } from "../../domain/access/ip-address.ts";
import { ok } from "../../kernel/result.ts";

/** Who is at the other end of a connection. */
export type Peer = {
  /** The socket's own address. */
  readonly direct: ClientAddress;
  /** Set when the peer is a proxy whose X-Forwarded-For counts. */
  readonly proxy: { readonly address: IpAddress; readonly trusted: readonly IpNetwork[] } | null;
};

/** Once for each connection. `remoteAddress`: as the runtime names it, an IPv4 peer of an IPv6 socket as a mapped address. */
export function peerOf(remoteAddress: string | undefined, trusted: readonly IpNetwork[]): Peer {
  const address = remoteAddress === undefined ? null : parsePeerAddress(remoteAddress);
  const isProxy = address !== null && isInAny(address, trusted);
  return { direct: ok(address), proxy: isProxy ? { address, trusted } : null };
}
