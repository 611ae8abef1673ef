import type { Role } from "../../domain/access/role.ts";

/** People. Retention: until they are removed. */
export type UsersTable = {
  /** UUIDv7. */
  id: string;
  name: string;
  canonical_name: string;
  role: Role;
  /** PHC string; the pepper is not in the database. */
  password_hash: string;
  password_until_ms: number | null;
  /** 0 or 1. */
  is_password_short: number;
  /** 0 or 1. */
  must_change_password: number;
  /** Envelope of the keyring, bound to table, column and id. */
  totp_seed: Uint8Array | null;
  totp_last_step: number | null;
  disabled_at_ms: number | null;
  locked_out_at_ms: number | null;
  created_at_ms: number;
  last_login_at_ms: number | null;
};

/** Retention: until used or replaced. */
export type RecoveryCodesTable = { user_id: string; mac: Uint8Array };

/** Retention: 8 hours at most, 30 minutes without use. */
export type UserSessionsTable = {
  /** SHA-256 of the cookie. */
  hash: Uint8Array;
  id: string;
  user_id: string;
  device_hash: Uint8Array;
  ip: string | null;
  created_at_ms: number;
  factor_at_ms: number;
  last_used_at_ms: number;
  absolute_until_ms: number;
};

/** Retention: 5 minutes, as soon as the next login begins. */
export type PreSessionsTable = {
  hash: Uint8Array;
  user_id: string;
  device_hash: Uint8Array | null;
  expires_at_ms: number;
};

/** Retention: the newest 10 of each user. */
export type LoginDevicesTable = { hash: Uint8Array; user_id: string; last_used_at_ms: number };

/** Retention: one row per user and one per device, as long as those are there. */
export type LoginThrottlesTable = {
  user_id: string;
  /** Empty for all that come without a known device. */
  device_hash: Uint8Array;
  failures: number;
  consecutive: number;
  window_start_ms: number;
  locked_until_ms: number;
};

/** Retention: until their owner is removed. */
export type AdminTokensTable = {
  /** The public id, 10 base62 characters. */
  id: string;
  owner_id: string;
  name: string;
  mac: Uint8Array;
  pepper_version: number;
  created_at_ms: number;
  expires_at_ms: number;
  revoked_at_ms: number | null;
  last_used_at_ms: number | null;
};

/** At most one row. Retention: 30 minutes, or until it is used. */
export type SetupSecretsTable = { id: string; mac: Uint8Array; pepper_version: number; expires_at_ms: number };

export type PeopleSchema = {
  users: UsersTable;
  recovery_codes: RecoveryCodesTable;
  user_sessions: UserSessionsTable;
  pre_sessions: PreSessionsTable;
  login_devices: LoginDevicesTable;
  login_throttles: LoginThrottlesTable;
  admin_tokens: AdminTokensTable;
  setup_secrets: SetupSecretsTable;
};
