import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What is unusual about a certificate. Without it: an EC key, valid for years, for any use. */
export type CertificateOptions = {
  /** In openssl's spelling: "DNS:a.example,URI:spiffe://x/y". Default: none. */
  readonly names?: string;
  /** YYYYMMDDHHMMSSZ. */
  readonly startsAt?: string;
  readonly endsAt?: string;
  /** Further lines of the extension section, e.g. "extendedKeyUsage=clientAuth". */
  readonly extensions?: readonly string[];
  /** Of `openssl req -newkey`. Default: an EC key on P-256. */
  readonly key?: readonly string[];
  /** Signed by the certificate of this name instead of the root. */
  readonly issuer?: string;
  /** Default sha256. */
  readonly digest?: string;
};

/** A pair of PEM files, and what is in them. */
export type Pair = { readonly certFile: string; readonly keyFile: string; readonly cert: string; readonly key: string };

/** An authority of a test's own, in a folder of its own, made by the machine's openssl. */
export interface CertificateAuthority extends Disposable {
  readonly folder: string;
  readonly rootFile: string;
  readonly root: string;
  issue(name: string, options?: CertificateOptions): Pair;
  /** One more root, which nobody trusts yet. */
  otherRoot(name: string): Pair;
  revoke(name: string): void;
  /** A list of what is revoked now; gives the path. */
  crl(name: string, dates?: { readonly from: string; readonly until: string }): string;
  /** Any sub-command, in the folder. */
  openssl(...words: string[]): string;
}

const EC_KEY = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
const AUTHORITY = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"];

export function createCertificateAuthority(): CertificateAuthority {
  const folder = mkdtempSync(join(tmpdir(), "bccf-certificates-"));
  const at = (file: string) => join(folder, file);
  const openssl = (...words: string[]): string => {
    const done = Bun.spawnSync(["openssl", ...words], { cwd: folder, stderr: "pipe" });
    if (done.exitCode !== 0) throw new Error(`Cannot run openssl ${words[0]}: ${done.stderr.toString()}`);
    return done.stdout.toString();
  };
  const pairOf = (name: string): Pair => {
    chmodSync(at(`${name}.key`), 0o600);
    const [certFile, keyFile] = [at(`${name}.pem`), at(`${name}.key`)];
    return { certFile, keyFile, cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
  };
  const rootOf = (name: string): Pair => {
    const request = ["req", "-x509", "-newkey", ...EC_KEY, "-nodes", "-days", "3", "-subj", `/O=${name}/CN=${name}`];
    const extensions = AUTHORITY.flatMap((line) => ["-addext", line]);
    openssl(...request, "-keyout", `${name}.key`, "-out", `${name}.pem`, ...extensions);
    return pairOf(name);
  };
  const config = (lines: readonly string[]) => {
    const database =
      "[d]\nnew_certs_dir=.\ndatabase=index.txt\nserial=serial\ncrlnumber=crlnumber\ndefault_crl_days=2\n";
    const policy = "default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n";
    writeFileSync(at("ca.cnf"), `[ca]\ndefault_ca=d\n${database}${policy}[x]\n${lines.join("\n")}\n`);
    return ["ca", "-batch", "-config", "ca.cnf"];
  };
  const signedBy = (issuer: string) => ["-cert", `${issuer}.pem`, "-keyfile", `${issuer}.key`];
  writeFileSync(at("index.txt"), "");
  writeFileSync(at("serial"), "1000\n");
  writeFileSync(at("crlnumber"), "01\n");
  const { certFile: rootFile, cert: root } = rootOf("ca");

  return {
    folder,
    rootFile,
    root,
    openssl,
    otherRoot: rootOf,
    issue(name, options = {}) {
      const { names, extensions = [], key = EC_KEY, issuer = "ca", digest = "sha256" } = options;
      openssl(
        "req",
        "-newkey",
        ...key,
        "-nodes",
        "-keyout",
        `${name}.key`,
        "-out",
        `${name}.csr`,
        "-subj",
        `/CN=${name}`,
      );
      const lines = names === undefined ? extensions : [`subjectAltName=${names}`, ...extensions];
      const dates = [
        "-startdate",
        options.startsAt ?? "20200101000000Z",
        "-enddate",
        options.endsAt ?? "20990101000000Z",
      ];
      const out = ["-in", `${name}.csr`, "-out", `${name}.pem`, "-notext", "-md", digest];
      // `openssl ca` is the only sub-command of OpenSSL 3.0 that takes dates.
      openssl(
        ...config(lines),
        ...signedBy(issuer),
        ...dates,
        ...out,
        ...(lines.length > 0 ? ["-extensions", "x"] : []),
      );
      return pairOf(name);
    },
    revoke: (name) => void openssl(...config([]), ...signedBy("ca"), "-revoke", `${name}.pem`),
    crl(name, dates) {
      const span = dates === undefined ? [] : ["-crl_lastupdate", dates.from, "-crl_nextupdate", dates.until];
      openssl(...config([]), ...signedBy("ca"), "-gencrl", "-out", `${name}.crl`, ...span);
      return at(`${name}.crl`);
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
