import type { HeaderField } from "./ports.ts";

/** Every feature that browsers can switch off this way, off (W3C Permissions Policy registry, 2026-11). */
const FEATURES_OFF = [
  "accelerometer",
  "autoplay",
  "camera",
  "display-capture",
  "encrypted-media",
  "fullscreen",
  "geolocation",
  "gyroscope",
  "magnetometer",
  "microphone",
  "midi",
  "payment",
  "picture-in-picture",
  "publickey-credentials-get",
  "screen-wake-lock",
  "usb",
  "web-share",
  "xr-spatial-tracking",
]
  .map((feature) => `${feature}=()`)
  .join(", ");

/**
 * What a browser is told with every answer that the process gives by itself: nothing of it is a page, nothing may be
 * run, framed or read by another one. Answers of upstream are passed on without them. X-XSS-Protection is left out on
 * purpose: OWASP advises against it.
 */
export const OWN_HEADERS: readonly HeaderField[] = [
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'; sandbox"],
  ["cross-origin-opener-policy", "same-origin"],
  ["cross-origin-resource-policy", "same-origin"],
  ["permissions-policy", FEATURES_OFF],
  ["referrer-policy", "no-referrer"],
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
];

export const JSON_TYPE: HeaderField = ["content-type", "application/json; charset=utf-8"];
