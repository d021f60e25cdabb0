// What an exec source runs in tests: asks an OAuth endpoint for a token with a login from the environment, and prints an
// answer in Google's format.
const [url = ""] = process.argv.slice(2);
const { CLIENT_ID: client_id = "", CLIENT_SECRET: client_secret = "", REFRESH_TOKEN: refresh_token = "" } = process.env;
const scope = process.env.SOPS_KEYD_TOKEN_SCOPE ?? "";
const body = new URLSearchParams({ grant_type: "refresh_token", client_id, client_secret, refresh_token, scope });
const response = await fetch(url, { method: "POST", body, redirect: "manual" });
const text = await response.text();
if (response.status >= 500) {
  process.stderr.write(`${text} ${refresh_token}`);
  process.exitCode = 1;
} else if (response.status !== 200) {
  process.stdout.write(
    JSON.stringify({ version: 1, success: false, code: `HTTP_${response.status}`, message: refresh_token }),
  );
} else {
  process.stdout.write(text);
}
