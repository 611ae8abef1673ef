/** Stable codes of the control plane. `http/admin/statuses.ts` gives each its HTTP status. */
export type RefusalCode =
  | "account_not_found"
  | "base_url_refused"
  | "credential_invalid"
  | "credential_personal"
  | "expiry_out_of_range"
  | "key_already_revoked"
  | "key_not_found"
  | "label_invalid"
  | "master_key_refused"
  | "client_id_invalid"
  | "endpoint_refused"
  | "login_not_open"
  | "login_refused"
  | "login_unknown"
  | "name_invalid"
  | "name_taken"
  | "priority_out_of_range"
  | "redirect_uri_invalid"
  | "request_not_found"
  | "retention_too_short"
  | "scope_invalid"
  | "strategy_fixed"
  | "strategy_unknown"
  | "too_many_data_keys"
  | "terms_not_accepted"
  | "weight_out_of_range"
  | "attempts_exhausted"
  | "busy"
  | "code_refused"
  | "credentials_refused"
  | "enrolment_required"
  | "factor_missing"
  | "factor_present"
  | "factor_required"
  | "forbidden"
  | "last_owner"
  | "password_refused"
  | "session_not_found"
  | "setup_done"
  | "setup_refused"
  | "step_up_required"
  | "token_not_found"
  | "too_many_tokens"
  | "too_many_users"
  | "user_not_found";

/** Why the control plane did not do what it was asked. `field` names the request's field at fault. */
export type Refusal = { readonly code: RefusalCode; readonly message: string; readonly field: string | null };

export function refusal(code: RefusalCode, message: string, field: string | null = null): Refusal {
  return { code, message, field };
}
