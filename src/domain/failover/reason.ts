/**
 * Why an attempt was judged, or an account passed over: stable codes and what they tell a person.
 * Decision records, the CLI and the dashboard print these; a code is never reused for another meaning.
 */
export const REASONS = {
  served: "The account answered",
  client_error: "The request itself was refused; another account would refuse it too",
  rate_limited: "The provider limits this account until a stated time",
  throttled: "The provider limits this account and did not say until when; it is probed again shortly",
  plan_limit: "The plan of this account is used up until its window resets",
  payment_required: "The provider asks for payment; the account is parked",
  spend_limit: "The account reached its spend limit; it is parked until it regains access",
  credential_dead: "The provider refuses this credential; replace it",
  needs_reauth: "The provider no longer accepts this login; its owner must log in again",
  login_renewed: "The provider refused the token, which was renewed at once; the request is sent again",
  login_pending: "The provider refused the token, and its token endpoint gives no new one just now",
  forbidden: "The provider forbids this model class to the account",
  model_missing: "The provider does not offer this model to the account",
  overloaded: "The provider is overloaded; that is not the account's fault",
  upstream_error: "The upstream failed; that is not the account's fault",
  unexpected_status: "The upstream answered with a status that no API call may have",
  connect_failed: "No connection to the upstream could be made",
  connect_timeout: "The upstream did not accept the connection in time",
  headers_timeout: "The upstream did not begin its answer in time",
  idle_timeout: "The upstream fell silent before it answered",
  total_timeout: "The upstream did not finish in time",
  connection_reset: "The upstream closed the connection before it answered",
  protocol_violation: "The upstream sent what is not acceptable HTTP",
  address_refused: "The upstream's address may not be called",
  paused: "An operator paused the account",
  probing: "One request is testing whether the limit is over",
  origin_circuit_open: "The upstream failed several times in a row and rests for a while",
  already_tried: "The account was already tried for this request",
  no_room: "What is left of its limits is taken by requests under way",
  slow: "Its first tokens come much later than those of other accounts",
  half_open: "Its limit may be over, which one request must test first",
  near_limit: "The provider warns that the account is near a limit",
  abandoned: "Nobody waited for the answer any more: the client left, or the gateway stopped",
} as const;

export type ReasonCode = keyof typeof REASONS;

export function describeReason(code: ReasonCode): string {
  return REASONS[code];
}
