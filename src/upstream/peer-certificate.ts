import { X509Certificate } from "node:crypto";

/** A certificate as the socket gives it: with its issuer, up to a root, which is its own. */
export type PeerCertificate = {
  readonly raw?: Uint8Array;
  readonly issuer?: { readonly O?: unknown; readonly CN?: unknown };
  readonly issuerCertificate?: PeerCertificate;
};

/** More links than any honest chain has. */
const MAX_LINKS = 10;
const MIN_RSA_BITS = 2048;

/**
 * The leaf and those above it. A server may send any certificate it likes beside its own, so each counts only when it
 * really signed the one below. Empty when nothing can be seen.
 */
export function signedChain(leaf: PeerCertificate | undefined): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  let link = leaf;
  while (link?.raw !== undefined && chain.length < MAX_LINKS) {
    const certificate = new X509Certificate(link.raw);
    const below = chain.at(-1);
    if (below !== undefined && !below.verify(certificate.publicKey)) break;
    chain.push(certificate);
    link = link.issuerCertificate === link ? undefined : link.issuerCertificate;
  }
  return chain;
}

/**
 * What the runtime's check lets pass and we do not: a name in the common name alone (RFC 9525 section 2), a signature
 * with SHA-1 or MD5, an RSA key under 2048 bits (Bun 1.4.5 takes all three, 2026-11-24). A root's signature of itself
 * proves nothing, so it does not count. Null: nothing is wrong.
 */
export function certificateFault(chain: readonly X509Certificate[]): string | null {
  const [leaf] = chain;
  if (leaf === undefined) return "its certificate cannot be seen";
  if (leaf.subjectAltName === undefined) return "its certificate has no subject alternative name";
  for (const certificate of chain) {
    const isRoot = certificate.subject === certificate.issuer;
    if (!isRoot && /sha-?1\b|md5/iu.test(certificate.signatureAlgorithm ?? "")) {
      return "its certificate is signed with a hash that can be forged";
    }
    const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey;
    if (asymmetricKeyType === "rsa" && (asymmetricKeyDetails?.modulusLength ?? 0) < MIN_RSA_BITS) {
      return `its certificate has an RSA key of fewer than ${MIN_RSA_BITS} bits`;
    }
  }
  return null;
}
