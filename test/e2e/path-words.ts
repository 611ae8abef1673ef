/** What scanners try first: the heads of the common wordlists for directories, APIs and debug pages. */
export const PATH_WORDS: readonly string[] = `
.env .git .git/HEAD .htaccess .well-known .well-known/security.txt _debug _internal _status access account accounts actions
actuator actuator/env actuator/health actuator/heapdump admin administrator alerts api api-docs apikeys app archive assets
audit auth authorize backup backups billing bin build cache callback cgi-bin client clients cluster config configuration
console core cron csp-report dashboard data database db debug debug/pprof default delete demo deploy dev diagnostics docs
doctor download dump dumps edit env error errors event events export favicon.ico feed file files flags fonts git graphql
graphiql groups health healthcheck healthz heap heapdump help home hooks host hosts images img import index index.html info
inspect install integrations internal invite items jobs json js keys keystore lib license list live livez load local log
login logins logout logs mail manage management master me members memory messages meta metadata metrics mfa migrate models
monitor network new node notify oauth oidc old openapi openapi.json operator options orgs owner panel password path payloads
permissions phpinfo.php ping plugins policy portal pprof private process profile prometheus provider providers proxy public
query queue rate readme ready readyz recover recovery refresh register release reload replay report requests reset resources
restart restore robots.txt role roles root route routes rpc run saml script search secret secrets security self server
server-status service services session sessions settings setup shell shutdown signin signup sitemap.xml sso stage stat static
stats status stop storage strategy stream streams swagger swagger.json swagger-ui sync system tasks team temp terminal test
tests tmp token tokens tools totp trace tracing traffic ui update upgrade upload uploads usage user users v1 v2 v3 var vars
vault version view web webhook webhooks websocket wp-admin wp-login.php ws www xmlrpc.php`
  .trim()
  .split(/\s+/);
