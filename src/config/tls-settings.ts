import { CERTIFICATE_NAME } from "../domain/access/certificate-name.ts";
import { PIN_SET } from "../domain/trust/pin-set.ts";
import { list, networks, oneOf, switchable, text } from "./setting.ts";

/** Absolute, because a service does not start where its operator stood. */
const PEM_FILE = {
  fallback: "none",
  pattern: /^(?:none|\/[^\0\r\n]{1,1023})$/u,
  shape: "an absolute path, or none",
} as const;

/** What clients meet. */
export const TLS_SETTINGS = {
  certFile: text({
    ...PEM_FILE,
    env: "SSL_CERT_PATH",
    help: "certificate and its chain, PEM; with keyFile: HTTPS only",
  }),
  keyFile: text({ ...PEM_FILE, env: "SSL_KEY_PATH", help: "its private key, PEM, not encrypted, mode 0600 or 0400" }),
  minVersion: oneOf({ words: ["1.2", "1.3"], fallback: "1.2", help: "oldest version of TLS that clients may speak" }),
  clientCaFile: text({ ...PEM_FILE, help: "authorities, PEM: a client needs a certificate of one of them" }),
  crlFile: text({ ...PEM_FILE, help: "revoked client certificates, PEM; without a list in force nobody comes in" }),
  clientNames: list({
    pattern: CERTIFICATE_NAME,
    shape: "a list of names like DNS:agent.example or URI:spiffe://example/agent",
    help: "client certificates that may come in, by their subject alternative name; none: all of the authority",
  }),
} as const;

/** Where the gateway may go, and whom it believes there. */
export const UPSTREAM_SETTINGS = {
  allowPrivate: switchable({
    env: "BETTER_CCFLARE_ALLOW_PRIVATE_UPSTREAMS",
    fallback: false,
    help: "lets a base URL be http or point at a private address",
  }),
  allowPrivateNetworks: networks({
    isNarrow: true,
    help: "private networks that a base URL may point into, with http or https and any port",
  }),
  allowedIssuers: list({
    pattern: /^[\p{L}\p{M}\p{N}\p{S} .&'()"/:;!?_-]{1,128}$/u,
    shape: "a list of organizations as certificates name them, like Google Trust Services",
    help: "issuers of upstream certificates that are accepted; none: every issuer that the public authorities cover",
  }),
  pins: list({
    pattern: PIN_SET,
    shape: "a list of entries like: api.example.com report 2027-06-30 sha256/KEY= sha256/OTHERKEY=",
    help: "keys that must be in the chain of a host's certificate, for report or enforce, until a day",
  }),
} as const;
