import { err, ok, type Result } from "../../kernel/result.ts";

/** An address as numbers: 4 bytes for IPv4, 8 groups of 16 bits for IPv6. */
export type IpAddress = { readonly family: 4 | 6; readonly parts: readonly number[] };

/** An address range as its owner wrote it ("10.0.0.0/8"), and as it is compared. */
export type IpNetwork = { readonly text: string; readonly base: IpAddress; readonly prefixBits: number };

const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0xffff];
const DIGITS = /^(?:0|[1-9][0-9]{0,2})$/;

/** Canonical text only: dotted decimal without leading zeros, or RFC 4291 text. A zone id, brackets or octal give null. */
export function parseIpAddress(text: string): IpAddress | null {
  return text.includes(":") ? parseV6(text) : parseV4(text);
}

/** The address as it is compared: an IPv4-mapped IPv6 address is its IPv4 address. */
export function plainAddress(address: IpAddress): IpAddress {
  const { family, parts } = address;
  if (family === 4 || !MAPPED_PREFIX.every((group, index) => parts[index] === group)) return address;
  const high = parts[6] ?? 0;
  const low = parts[7] ?? 0;
  return { family: 4, parts: [high >> 8, high & 0xff, low >> 8, low & 0xff] };
}

/** What a socket or a trusted proxy calls its peer: the zone of a link-local address does not count. */
export function parsePeerAddress(text: string): IpAddress | null {
  const zoneAt = text.indexOf("%");
  const address = parseIpAddress(zoneAt < 0 ? text : text.slice(0, zoneAt));
  return address === null ? null : plainAddress(address);
}

/**
 * "address/prefix", or an address alone for itself. no_network: neither of them. host_bits: bits behind the prefix are
 * set, so that its writer meant another range than it would be.
 */
export function parseIpNetwork(text: string): Result<IpNetwork, "no_network" | "host_bits"> {
  const slashAt = text.indexOf("/");
  const address = parseIpAddress(slashAt < 0 ? text : text.slice(0, slashAt));
  if (address === null) return err("no_network");
  const allBits = address.family === 4 ? 32 : 128;
  const prefixText = slashAt < 0 ? String(allBits) : text.slice(slashAt + 1);
  const prefixBits = Number(prefixText);
  if (!DIGITS.test(prefixText) || prefixBits > allBits) return err("no_network");
  if (hasHostBits(address, prefixBits)) return err("host_bits");
  const base = plainAddress(address);
  // A range of mapped addresses is the range of the IPv4 addresses in it. Its prefix has 96 bits or more, or bits behind it.
  return ok({ text, base, prefixBits: base.family === address.family ? prefixBits : prefixBits - 96 });
}

/** One spelling for each address: dotted decimal, or RFC 5952. */
export function addressText({ family, parts }: IpAddress): string {
  if (family === 4) return parts.join(".");
  const { start, length } = longestZeros(parts);
  const hex = parts.map((part) => part.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

/** Equal for what counts as one client: an IPv4 address, or the /64 of an IPv6 address. Numbers, so that it costs no text. */
export function networkKey({ family, parts }: IpAddress): number | string {
  const [a = 0, b = 0, c = 0, d = 0] = parts;
  return family === 4 ? ((a * 256 + b) * 256 + c) * 256 + d : `${a}:${b}:${c}:${d}`;
}

/** The first of the longest runs. */
function longestZeros(parts: readonly number[]): { readonly start: number; readonly length: number } {
  let longest = { start: 0, length: 0 };
  let length = 0;
  for (const [index, part] of parts.entries()) {
    length = part === 0 ? length + 1 : 0;
    if (length > longest.length) longest = { start: index + 1 - length, length };
  }
  return longest;
}

/** `address` is a plain one. */
export function isInNetwork(address: IpAddress, { base, prefixBits }: IpNetwork): boolean {
  return address.family === base.family && hasPrefix(address, base.parts, prefixBits);
}

export function hasPrefix({ family, parts }: IpAddress, base: readonly number[], prefixBits: number): boolean {
  const bitsPerPart = family === 4 ? 8 : 16;
  let bitsLeft = prefixBits;
  for (let index = 0; bitsLeft > 0; index += 1) {
    const shift = Math.max(0, bitsPerPart - bitsLeft);
    if ((parts[index] ?? 0) >> shift !== (base[index] ?? 0) >> shift) return false;
    bitsLeft -= bitsPerPart;
  }
  return true;
}

function hasHostBits({ family, parts }: IpAddress, prefixBits: number): boolean {
  const bitsPerPart = family === 4 ? 8 : 16;
  return parts.some((part, index) => {
    const kept = Math.max(0, Math.min(bitsPerPart, prefixBits - index * bitsPerPart));
    return (part & ((1 << (bitsPerPart - kept)) - 1)) !== 0;
  });
}

function parseV4(text: string): IpAddress | null {
  const octets = text.split(".");
  if (octets.length !== 4 || !octets.every((octet) => /^(0|[1-9][0-9]{0,2})$/.test(octet))) return null;
  const parts = octets.map(Number);
  return parts.every((part) => part <= 255) ? { family: 4, parts } : null;
}

function parseV6(text: string): IpAddress | null {
  if (text.length > 45) return null;
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const left = parseGroups(halves[0] ?? "");
  const right = halves.length === 2 ? parseGroups(halves[1] ?? "") : [];
  if (left === null || right === null) return null;
  const missing = 8 - left.length - right.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  // A dotted quad is only legal at the very end of the whole address.
  if (halves.length === 2 && (halves[0] ?? "").includes(".")) return null;
  return { family: 6, parts: [...left, ...new Array<number>(missing).fill(0), ...right] };
}

function parseGroups(text: string): number[] | null {
  if (text === "") return [];
  const groups: number[] = [];
  const words = text.split(":");
  for (const [index, word] of words.entries()) {
    if (word.includes(".")) {
      const quad = index === words.length - 1 ? parseV4(word) : null;
      if (quad === null) return null;
      const [a = 0, b = 0, c = 0, d = 0] = quad.parts;
      groups.push((a << 8) | b, (c << 8) | d);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(word)) {
      groups.push(Number.parseInt(word, 16));
    } else {
      return null;
    }
  }
  return groups;
}
