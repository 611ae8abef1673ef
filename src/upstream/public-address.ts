import { hasPrefix, type IpNetwork, isInNetwork, parseIpAddress, plainAddress } from "../domain/access/ip-address.ts";

/** What may be dialled beside public addresses. */
export type AddressPolicy = {
  /** Any address, over http too. */
  readonly allowPrivate: boolean;
  /** Private networks that may be dialled, over http too. Default: none. */
  readonly privateNetworks?: readonly IpNetwork[];
};

type Range = readonly [base: readonly number[], prefixBits: number];

// @see RFC 6890 and the IANA special-purpose registries, as security.md D21 lists them.
const REFUSED_V4: readonly Range[] = [
  [[0, 0, 0, 0], 8],
  [[10, 0, 0, 0], 8],
  [[100, 64, 0, 0], 10],
  [[127, 0, 0, 0], 8],
  [[169, 254, 0, 0], 16],
  [[172, 16, 0, 0], 12],
  [[192, 0, 0, 0], 24],
  [[192, 0, 2, 0], 24],
  [[192, 88, 99, 0], 24],
  [[192, 168, 0, 0], 16],
  [[198, 18, 0, 0], 15],
  [[198, 51, 100, 0], 24],
  [[203, 0, 113, 0], 24],
  [[224, 0, 0, 0], 3],
];

// Everything outside 2000::/3 is refused first: loopback, unique local, link local, site local, multicast, NAT64, discard.
const GLOBAL_V6: Range = [[0x2000, 0, 0, 0, 0, 0, 0, 0], 3];
const REFUSED_V6: readonly Range[] = [
  [[0x2001, 0, 0, 0, 0, 0, 0, 0], 23],
  [[0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32],
  [[0x2002, 0, 0, 0, 0, 0, 0, 0], 16],
  [[0x3fff, 0, 0, 0, 0, 0, 0, 0], 20],
];

/** Is `text` an address that is global unicast, so that no private or special network can be behind it? */
export function isPublicAddress(text: string): boolean {
  const parsed = parseIpAddress(text);
  if (parsed === null) return false;
  const address = plainAddress(parsed);
  const isIn = ([base, prefixBits]: Range) => hasPrefix(address, base, prefixBits);
  return address.family === 4 ? !REFUSED_V4.some(isIn) : isIn(GLOBAL_V6) && !REFUSED_V6.some(isIn);
}

/** Is `text` in one of the networks that the operator opened? */
export function isListedAddress(text: string, { privateNetworks = [] }: AddressPolicy): boolean {
  const parsed = parseIpAddress(text);
  return parsed !== null && privateNetworks.some((network) => isInNetwork(plainAddress(parsed), network));
}

/** Without TLS a public address is never dialled, whatever its name resolved to when it was saved. */
export function mayDial(address: string, isTls: boolean, policy: AddressPolicy): boolean {
  if (policy.allowPrivate) return parseIpAddress(address) !== null;
  return (isTls && isPublicAddress(address)) || isListedAddress(address, policy);
}

/** The same address in whatever spelling: an IPv4-mapped IPv6 address equals its IPv4 address. */
export function isSameAddress(left: string, right: string): boolean {
  const a = plainParts(left);
  const b = plainParts(right);
  return a !== null && b !== null && a.length === b.length && a.every((part, index) => part === b[index]);
}

function plainParts(text: string): readonly number[] | null {
  const address = parseIpAddress(text);
  return address === null ? null : plainAddress(address).parts;
}
