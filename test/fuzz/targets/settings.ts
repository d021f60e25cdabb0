import assert from "node:assert/strict";
import { canonicalAddress, parseListenAddress, renderAddress } from "../../../src/config/address.ts";
import { parseDuration, renderDuration } from "../../../src/config/duration.ts";
import { parseEndpoint } from "../../../src/config/endpoint.ts";
import { parseProxy, parseProxySetting } from "../../../src/config/proxy.ts";
import { parseSize, renderSize } from "../../../src/config/size.ts";
import { parseJwtPlace } from "../../../src/connect/find-jwt.ts";
import { parseServerUrl } from "../../../src/connect/server-url.ts";
import { CANARY, expectPublic, kindOf } from "../harness/expect.ts";
import type { Target } from "../harness/target.ts";

/** The short texts of the command line, the config and the environment: each is read as all that it could be meant as. */
export const settings: Target = {
  name: "settings",
  dictionary: [
    "tls://",
    "tcp://",
    "unix:///",
    "http://",
    "https://",
    "socks5://",
    "127.0.0.1",
    "[::1]",
    "::ffff:127.0.0.1",
    "localhost",
    "0.0.0.0",
    "example.com",
    ":443",
    ":0",
    ":65536",
    "/",
    "?",
    "#",
    "@",
    "user:",
    `${CANARY}@`,
    CANARY,
    "env:",
    "file:",
    "exec:",
    "github",
    "gitlab",
    "kubernetes",
    "none",
    "10",
    "s",
    "ms",
    "h",
    "m",
    "KiB",
    "MiB",
    "GiB",
    "%",
    "[",
    "]",
    " ",
    "..",
    "cloudkms.googleapis.com",
  ],
  maxBytes: 200,
  open: () => ({
    run(input) {
      const text = input.toString("utf8");
      return CHECKS.map((check) => check(text)).join(";");
    },
  }),
};

type Check = (text: string) => string;

const CHECKS: readonly Check[] = [
  (text) => {
    const address = parseListenAddress(text);
    if (typeof address === "string") return refused(address);
    assert.deepEqual(parseListenAddress(renderAddress(address)), address);
    const again = parseListenAddress(canonicalAddress(address));
    assert.ok(typeof again !== "string" && canonicalAddress(again) === canonicalAddress(address), "no canonical form");
    return address.kind;
  },
  (text) => {
    const server = parseServerUrl(text);
    if (typeof server === "string") return refused(server);
    assert.equal(server.url, text);
    if (server.kind === "tls") {
      assert.match(server.host, /^[0-9A-Za-z.:-]+$/);
      assert.ok(server.port > 0 && server.port < 65_536 && text.includes(server.host));
    } else
      assert.ok(server.target.startsWith("unix:///") || isLoopback(server.target), `clear text to ${server.target}`);
    return server.kind;
  },
  (text) => {
    const endpoint = parseEndpoint(text);
    if (typeof endpoint === "string") return refused(endpoint);
    const url = new URL(endpoint.url);
    assert.deepEqual(parseEndpoint(endpoint.url), endpoint);
    assert.ok(url.protocol === "https:" || isLoopback(url.host), `clear text to ${url.host}`);
    assert.equal(`${url.username}${url.password}${url.search}${url.hash}`, "");
    return url.protocol;
  },
  (text) => {
    const proxy = parseProxy(text);
    if (typeof proxy === "string") return refused(proxy);
    assert.equal(new URL(proxy.origin).origin, proxy.origin);
    expectPublic(JSON.stringify(proxy));
    assert.doesNotMatch(proxy.host, /[@/]/);
    return `proxy ${proxy.authorization === undefined}`;
  },
  (text) => {
    const setting = parseProxySetting(text);
    if (typeof setting === "string") return refused(setting);
    if (setting.kind === "url") assert.deepEqual(parseProxySetting(setting.url), setting);
    return setting.kind;
  },
  (text) => {
    const place = parseJwtPlace(text);
    if (typeof place === "string") return refused(place);
    if (place.kind === "env") assert.match(place.variable, /^\w{1,64}$/);
    return place.kind;
  },
  (text) => roundTrip(text, parseDuration(text), renderDuration, parseDuration),
  (text) => roundTrip(text, parseSize(text), renderSize, parseSize),
];

/** What is said of a text never holds any of it. */
function refused(message: string): string {
  expectPublic(message);
  return kindOf(message).slice(0, 40);
}

function roundTrip(
  text: string,
  value: number | undefined,
  render: (value: number) => string,
  parse: (text: string) => number | undefined,
): string {
  if (value === undefined) return "none";
  assert.ok(Number.isSafeInteger(value) && value >= 0);
  assert.match(text, /^[0-9]{1,9}[A-Za-z]{1,3}$/);
  assert.equal(value === 0 ? 0 : parse(render(value)), value);
  return "a number";
}

function isLoopback(authority: string): boolean {
  const host = authority
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "")
    .toLowerCase();
  return (
    /^127(?:\.\d{1,3}){3}$/.test(host) ||
    host === "localhost" ||
    /^[0:]*:0*1$/.test(host) ||
    /^[0:]*:ffff:(?:127\.|7f)/.test(host)
  );
}
