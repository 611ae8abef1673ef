/** Cases of the security test plan that no test shows, or shows in part, and why. A case that gets its test leaves this list. */
export const NOT_RUN: Readonly<Record<string, string>> = {
  "T-2.16":
    "keys of the old project are imported by name alone; their scrypt hashes are not carried over, so there is nothing to upgrade at a first use (docs/guide/import.md)",
  "T-3.03":
    "56,258 entries, not 100,000: no larger list has a licence that allows to ship it (docs/adr/0014-passwords.md)",
  "T-3.07":
    "the data plane's p99 beside logins was not measured, and 20 parallel logins take up to 400 MiB for a moment instead of 300",
  "T-4.11": "no event stream of the admin plane exists yet",
  "T-4.18": "no single sign-on is built (OIDC is another issue)",
  "T-6.07": "the dashboard does not exist yet",
  "T-6.08": "the dashboard does not exist yet",
  "T-6.09": "no CSV export exists yet",
  "T-7.09": "client keys are restricted by scope, model and network; there are no pools of accounts to bind a key to",
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
  "T-26.24": "the configuration is read once at the start; another list takes a restart",
  "T-26.26": "there are no replicas in this version",
  "T-29.08": "the gateway signs webhooks and checks none, so there is no comparison of a webhook HMAC to measure",
};
