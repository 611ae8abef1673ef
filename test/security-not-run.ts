/** Cases of the security test plan that no test shows, or shows in part, and why. A case that gets its test leaves this list. */
export const NOT_RUN: Readonly<Record<string, string>> = {
  "T-4.18": "no single sign-on is built (OIDC is another issue)",
  "T-9.12": "passkeys are not built",
  "T-9.13": "passkeys are not built",
  "T-9.14": "passkeys are not built",
  "T-9.15": "passkeys are not built",
  "T-9.16": "passkeys are not built",
  "T-9.17": "passkeys are not built",
  "T-9.18": "passkeys are not built",
  "T-9.20": "passkeys are not built; that an admin resets nobody's second factor is tested in T-7.03",
  "T-10.25": "payload storage is not built: there are no stored segments",
  "T-10.26":
    "there are no tenants in this version; the place of an organization is reserved in the additional data of every envelope, and equal texts give different envelopes (T-10.03)",
  "T-10.27": "there is no read-only replica mode: one process holds one SQLite directory",
  "T-11.05": "there are no replicas in this version: a data key is active in the one process as soon as it is stored",
  "T-11.16": "import of JSON is not built: `import` reads the old project's SQLite database alone (T-11.15)",
  "T-12.21": "needs PostgreSQL, which this version does not use",
  "T-15.09":
    "the audit webhook stands in the configuration file; no route changes it, so there is no rate of changes to limit",
  "T-23.12": "There is no OpenTelemetry export yet; nothing sends attributes anywhere",
  "T-25.13": "there is no connection to PostgreSQL or Redis yet",
  "T-25.14": "there is no connection to PostgreSQL yet",
  "T-25.15": "there is no LDAP",
  "T-29.08":
    "webhook HMAC: there is no webhook in this version, so there is no signature to measure; recovery code and setup secret are measured",
};
