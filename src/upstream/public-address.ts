/** An address as numbers: 4 bytes for IPv4, 8 groups of 16 bits for IPv6. */
export type IpAddress = { readonly family: 4 | 6; readonly parts: readonly number[] };

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
const MAPPED_V4: Range = [[0, 0, 0, 0, 0, 0xffff, 0, 0], 96];

/** Canonical text only: dotted decimal without leading zeros, or RFC 4291 text. A zone id, brackets or octal give null. */
export function parseIpAddress(text: string): IpAddress | null {
  return text.includes(":") ? parseV6(text) : parseV4(text);
}

/** Is `text` an address that is global unicast, so that no private or special network can be behind it? */
export function isPublicAddress(text: string): boolean {
  const address = parseIpAddress(text);
  if (address === null) return false;
  if (address.family === 4) return !REFUSED_V4.some((range) => isWithin(address.parts, range, 8));
  if (isWithin(address.parts, MAPPED_V4, 16)) {
    const embedded = embeddedV4(address.parts);
    return !REFUSED_V4.some((range) => isWithin(embedded, range, 8));
  }
  return isWithin(address.parts, GLOBAL_V6, 16) && !REFUSED_V6.some((range) => isWithin(address.parts, range, 16));
}

/** The same address in whatever spelling: an IPv4-mapped IPv6 address equals its IPv4 address. */
export function isSameAddress(left: string, right: string): boolean {
  const a = canonicalParts(left);
  const b = canonicalParts(right);
  return a !== null && b !== null && a.length === b.length && a.every((part, index) => part === b[index]);
}

function canonicalParts(text: string): readonly number[] | null {
  const address = parseIpAddress(text);
  if (address === null) return null;
  return address.family === 6 && isWithin(address.parts, MAPPED_V4, 16) ? embeddedV4(address.parts) : address.parts;
}

function embeddedV4(groups: readonly number[]): readonly number[] {
  const high = groups[6] ?? 0;
  const low = groups[7] ?? 0;
  return [high >> 8, high & 0xff, low >> 8, low & 0xff];
}

function isWithin(parts: readonly number[], [base, prefixBits]: Range, bitsPerPart: 8 | 16): boolean {
  let bitsLeft = prefixBits;
  for (let index = 0; bitsLeft > 0; index += 1) {
    const shift = Math.max(0, bitsPerPart - bitsLeft);
    if ((parts[index] ?? 0) >> shift !== (base[index] ?? 0) >> shift) return false;
    bitsLeft -= bitsPerPart;
  }
  return true;
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
