import { afterAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { createCertificateAuthority } from "../../sim/certificate-authority.ts";
import { startGateway } from "../e2e/gateway-process.ts";

// What strangers' tools say of the listener. Debian: apt-get install testssl.sh sslscan.

const authority = createCertificateAuthority();
afterAll(() => authority[Symbol.dispose]());

type Finding = { readonly id: string; readonly severity: string; readonly finding: string };

/** Of the certificate of a test, or of what a browser's page would want: no matter of the protocol. */
const NOT_OURS =
  /^(cert_|HSTS|HPKP|security_headers|cookie|DNS_|OCSP|intermediate_cert|overall_grade|grade_cap|engine_|scanTime)/;

test.each([
  { name: "EC", key: ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] },
  { name: "RSA", key: ["rsa:2048"] },
])(
  "T-25.01 testssl.sh and sslscan find nothing against the listener with an $name key",
  async ({ name, key }) => {
    const pair = authority.issue(`localhost-${name}`, { names: "DNS:localhost,IP:127.0.0.1", key });
    const gateway = await startGateway({ env: { SSL_CERT_PATH: pair.certFile, SSL_KEY_PATH: pair.keyFile } });
    const target = gateway.url.replace("https://", "");
    try {
      const file = join(authority.folder, `${name}.json`);
      rmSync(file, { force: true });
      const words = ["--quiet", "--warnings", "batch", "--color", "0", "--ip", "127.0.0.1", "--jsonfile", file];
      const scan = Bun.spawn(["testssl", ...words, "--add-ca", authority.rootFile, target], { stdout: "ignore" });
      await scan.exited;
      const findings = (await Bun.file(file).json()) as readonly Finding[];
      const bad = findings.filter(
        ({ id, severity }) => /^(LOW|MEDIUM|HIGH|CRITICAL)$/.test(severity) && !NOT_OURS.test(id),
      );
      expect(findings.length).toBeGreaterThan(100);
      expect(bad.map(({ id, severity, finding }) => `${id} ${severity} ${finding}`)).toEqual([]);
      // Its own look for Heartbleed gives up when the connection is reset; testssl.sh has looked.
      const sslscan = Bun.spawn(["sslscan", "--no-colour", "--no-heartbleed", target], { stdout: "pipe" });
      const seen = await new Response(sslscan.stdout).text();
      expect(seen).toMatch(/TLSv1\.2 +enabled[\s\S]*TLSv1\.3 +enabled/);
      expect(seen).toMatch(/SSLv2 +disabled[\s\S]*SSLv3 +disabled[\s\S]*TLSv1\.0 +disabled[\s\S]*TLSv1\.1 +disabled/);
      const accepted = [...seen.matchAll(/^(?:Preferred|Accepted) +\S+ +\S+ bits +(\S+)/gm)].map(
        ([, cipher]) => cipher,
      );
      expect(accepted.length).toBeGreaterThanOrEqual(6);
      expect(accepted.filter((cipher) => !/^(ECDHE-.*(GCM|POLY1305)|TLS_(AES|CHACHA20)_)/.test(cipher ?? ""))).toEqual(
        [],
      );
    } finally {
      await gateway.stop();
    }
  },
  600_000,
);
