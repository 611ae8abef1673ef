const TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** 1 for the bytes of a field name. @see RFC 9110 section 5.6.2 */
export const IS_TOKEN = tableOf((byte) => (TOKEN.includes(String.fromCharCode(byte)) ? 1 : 0));

/** Of field values: 1 for HTAB, SP and visible ASCII, 2 for obs-text, 0 for what may not stand there. @see RFC 9110 section 5.5 */
export const VALUE_CLASS = tableOf((byte) => {
  if (byte >= 0x80) return 2;
  return byte === 0x09 || (byte >= 0x20 && byte !== 0x7f) ? 1 : 0;
});

/** 1 for visible ASCII but "#" and "\": parsers differ on where a path with one of them ends. */
export const IS_TARGET = tableOf((byte) => (byte > 0x20 && byte < 0x7f && byte !== 0x23 && byte !== 0x5c ? 1 : 0));

/** 1 for the bytes of a host name or an IPv4 address. The underscore stands in names of container networks. */
export const IS_HOST = tableOf((byte) => (/[A-Za-z0-9._~-]/.test(String.fromCharCode(byte)) ? 1 : 0));

/** Lower case, and "_" as "-": what a CGI-like reader behind us would make of a name. */
export const FOLDED = tableOf((byte) => {
  if (byte === 0x5f) return 0x2d;
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
});

function tableOf(classOf: (byte: number) => number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => classOf(byte));
}
