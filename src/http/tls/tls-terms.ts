import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { TLSOptions } from "bun";
import { err, ok, type Result } from "../../kernel/result.ts";
import type { EpochMs } from "../../kernel/time.ts";
import type { TlsPaths, TlsProblem, TlsTexts } from "./tls-files.ts";

export const TLS_VERSIONS = ["1.2", "1.3"] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

/** What a handshake is made with. A connection keeps the terms that it began with. */
export type TlsTerms = {
  readonly options: TLSOptions;
  /** The certificate and its chain, PEM. */
  readonly chain: string;
  /** A client must have a certificate of the clients' authority. */
  readonly asksCertificate: boolean;
  /** Of the certificate, RFC 3339; for the log. */
  readonly validUntil: string;
  /** SHA-256 of the certificate, hex in capitals with colons, as browsers and openssl show it. */
  readonly fingerprint: string;
};

/** Forward secrecy and AEAD only. Those of TLS 1.3 are always the runtime's three, which are all of that kind. */
const CIPHERS = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
].join(":");

/** SSL_OP_CIPHER_SERVER_PREFERENCE of BoringSSL: our order of ciphers, not the client's. */
const OUR_ORDER = 0x0040_0000;
/** SSL_OP_NO_TLSv1_2 of BoringSSL; the runtime's own `minVersion` does not take a name (Bun 1.4.5, 2026-11-24). */
const NO_TLS_1_2 = 0x0800_0000;
/** RFC 7301: each name after its length. */
const ALPN = Buffer.from("\u0008http/1.1", "latin1");
const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/gu;
const MIN_RSA_BITS = 2048;

export type TermsInput = {
  readonly paths: TlsPaths;
  readonly texts: TlsTexts;
  readonly minVersion: TlsVersion;
  readonly nowMs: EpochMs;
  /** Session tickets of terms with another salt open nothing here. */
  readonly salt: string;
};

/** Checks all that would otherwise fail in the first handshake: the pair, the dates, that the runtime takes each file. */
export function tlsTerms({ paths, texts, minVersion, nowMs, salt }: TermsInput): Result<TlsTerms, TlsProblem> {
  const chain = certificatesOf(paths.certFile, texts.cert);
  if (!chain.ok) return chain;
  const [leaf] = chain.value;
  if (leaf === undefined) return problem(paths.certFile, "it holds no certificate", "put the chain there in PEM form");
  const unfit = leafProblem({ paths, texts, nowMs }, leaf);
  if (unfit !== null) return err(unfit);
  if (texts.clientCa !== null && paths.clientCaFile !== null) {
    const authorities = authoritiesProblem(paths.clientCaFile, texts.clientCa);
    if (authorities !== null) return err(authorities);
  }
  const asksCertificate = texts.clientCa !== null;
  const options: TLSOptions = {
    // The runtime keeps one context, and its ticket keys, for equal options. Text outside the blocks means nothing else.
    cert: salted(texts.cert, salt),
    key: texts.key,
    ciphers: CIPHERS,
    ALPNProtocols: ALPN,
    secureOptions: minVersion === "1.3" ? OUR_ORDER | NO_TLS_1_2 : OUR_ORDER,
    ...(asksCertificate ? { requestCert: true, rejectUnauthorized: true, ca: texts.clientCa ?? "" } : {}),
    ...(texts.crl === null ? {} : { crl: texts.crl }),
  };
  const refused = contextProblem(paths, options);
  if (refused !== null) return err(refused);
  const validUntil = new Date(leaf.validTo).toISOString();
  return ok({ options, chain: texts.cert, asksCertificate, validUntil, fingerprint: leaf.fingerprint256 });
}

/** The same terms with new keys for session tickets. */
export function withNewTickets(terms: TlsTerms, salt: string): TlsTerms {
  return { ...terms, options: { ...terms.options, cert: salted(terms.chain, salt) } };
}

function salted(chain: string, salt: string): string {
  return `${chain}\n${salt}\n`;
}

type PairInput = Pick<TermsInput, "paths" | "texts" | "nowMs">;

function leafProblem({ paths, texts, nowMs }: PairInput, leaf: X509Certificate): TlsProblem | null {
  const refuse = (file: string, fact: string, fix: string) => ({ file, fact, fix });
  let isPair: boolean;
  try {
    isPair = leaf.checkPrivateKey(createPrivateKey(texts.key));
  } catch {
    const fix = "give the key as an unencrypted PEM file: openssl pkey -in KEY -out NEW";
    return refuse(paths.keyFile, "it holds no private key that can be read (encrypted ones cannot)", fix);
  }
  if (!isPair) {
    return refuse(
      paths.keyFile,
      `it is not the key of the certificate in ${paths.certFile}`,
      "name the files of one pair",
    );
  }
  const from = Date.parse(leaf.validFrom);
  const until = Date.parse(leaf.validTo);
  if (nowMs >= until) {
    return refuse(paths.certFile, `it expired at ${new Date(until).toISOString()}`, "renew the certificate");
  }
  if (nowMs < from) {
    const fix = "wait, or look at this machine's clock";
    return refuse(paths.certFile, `it is valid from ${new Date(from).toISOString()} on`, fix);
  }
  const details = leaf.publicKey.asymmetricKeyDetails;
  if (leaf.publicKey.asymmetricKeyType === "rsa" && (details?.modulusLength ?? 0) < MIN_RSA_BITS) {
    return refuse(paths.certFile, `its RSA key has fewer than ${MIN_RSA_BITS} bits`, "use an EC P-256 or RSA 2048 key");
  }
  return null;
}

function authoritiesProblem(file: string, text: string): TlsProblem | null {
  const found = certificatesOf(file, text);
  if (!found.ok) return found.error;
  if (found.value.length > 0 && found.value.every((certificate) => certificate.ca)) return null;
  const fact = "it does not hold certificates of authorities, and those alone";
  return { file, fact, fix: "put there the authority that issues your clients' certificates, in PEM form" };
}

function certificatesOf(file: string, text: string): Result<readonly X509Certificate[], TlsProblem> {
  try {
    return ok((text.match(PEM_BLOCK) ?? []).map((block) => new X509Certificate(block)));
  } catch {
    return problem(file, "it holds a block that is no certificate", "put the certificates there in PEM form");
  }
}

/** What the runtime says when it makes a context of them: the last word, and the only one about a CRL. */
function contextProblem(paths: TlsPaths, { cert, key, ca, crl, ciphers }: TLSOptions): TlsProblem | null {
  const pair = { cert, key, ciphers };
  const fix = "put it there in PEM form";
  if (!isAccepted(pair)) return { file: paths.certFile, fact: "TLS does not accept this pair", fix };
  if (!isAccepted({ ...pair, ca })) return { file: paths.clientCaFile ?? "", fact: "TLS does not accept it", fix };
  if (isAccepted({ ...pair, ca, crl })) return null;
  return { file: paths.crlFile ?? "", fact: "it is no list of revoked certificates in PEM form", fix };
}

function isAccepted(options: object): boolean {
  try {
    createSecureContext(options);
    return true;
  } catch {
    return false;
  }
}

function problem(file: string, fact: string, fix: string): { readonly ok: false; readonly error: TlsProblem } {
  return err({ file, fact, fix });
}
