import { createHash, type X509Certificate } from "node:crypto";
import { judgePins, type PinSet } from "../domain/trust/pin-set.ts";
import type { EpochMs } from "../kernel/time.ts";
import type { PeerCertificate } from "./peer-certificate.ts";

/** What was seen of an upstream's certificate, which the public or given authorities had accepted before. */
export type TrustEvent =
  | { readonly type: "issuer"; readonly host: string; readonly issuer: string }
  | { readonly type: "issuer_not_allowed"; readonly host: string; readonly issuer: string }
  | { readonly type: "no_pin"; readonly host: string; readonly isRefused: boolean };

export type PeerTrustOptions = {
  /** At most one for each host. */
  readonly pins: readonly PinSet[];
  /** Organizations (else common names) of issuers. Empty: any issuer. */
  readonly allowedIssuers: readonly string[];
  readonly nowMs: () => EpochMs;
  /** For every new connection: cheap, and must not throw. */
  readonly onEvent: (event: TrustEvent) => void;
};

/** Null: a request may be sent. Else the fact that forbids it. */
export type PeerTrust = (
  host: string,
  leaf: PeerCertificate | undefined,
  chain: readonly X509Certificate[],
) => string | null;

/**
 * What is asked beyond a valid certificate, once for each new connection and before the first byte of a request. Both
 * are opt-in: a pin of a host that rotates its keys by itself is an outage with a date.
 */
export function createPeerTrust({ pins, allowedIssuers, nowMs, onEvent }: PeerTrustOptions): PeerTrust {
  const byHost = new Map(pins.map((set) => [set.host, set]));
  return (host, leaf, chain) => {
    const issuer = issuerOf(leaf);
    if (allowedIssuers.length > 0 && !allowedIssuers.includes(issuer)) {
      onEvent({ type: "issuer_not_allowed", host, issuer });
      return "the issuer of its certificate is not in upstream.allowedIssuers";
    }
    const set = byHost.get(host);
    const verdict = set === undefined ? "matches" : judgePins(set, chain.map(pinOf), nowMs());
    if (verdict !== "matches") onEvent({ type: "no_pin", host, isRefused: verdict === "refuse" });
    if (verdict === "refuse") return "its certificate matches no pin of upstream.pins";
    onEvent({ type: "issuer", host, issuer });
    return null;
  };
}

function issuerOf(leaf: PeerCertificate | undefined): string {
  const issuer = leaf?.issuer;
  const name = issuer?.O ?? issuer?.CN ?? "";
  return (typeof name === "string" ? name : String(name)).slice(0, 128);
}

function pinOf(certificate: X509Certificate): string {
  return createHash("sha256")
    .update(certificate.publicKey.export({ type: "spki", format: "der" }))
    .digest("base64");
}
