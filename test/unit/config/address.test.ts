import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalAddress, isLoopbackHost, parseListenAddress, renderAddress } from "../../../src/config/address.ts";
import { parseEndpoint, regionOfEndpoint } from "../../../src/config/endpoint.ts";

for (const text of [
  "unix:///run/s.sock",
  "tcp://127.0.0.1:5000",
  "tcp://[::1]:5000",
  "tcp://localhost:0",
  "tcp://0.0.0.0:65535",
]) {
  test(`${text} is an address and rendered as it was written`, () => {
    const address = parseListenAddress(text);
    assert.ok(typeof address !== "string", String(address));
    assert.equal(renderAddress(address), text);
  });
}

const noAddresses = [
  "",
  "/run/s.sock",
  "unix:/run/s.sock",
  "unix://run/s.sock",
  "unix:///",
  "unix:///run/",
  "unix:///a%20b",
  "unix:///a?b",
  "unix:///a#b",
  "unix:///a b",
  "unix:///a\0b",
  `unix:///${"a".repeat(103)}`,
  `unix:///${"é".repeat(52)}`,
  "tcp://:5000",
  "tcp://127.0.0.1",
  "tcp://127.0.0.1:",
  "tcp://127.0.0.1:65536",
  "tcp://127.0.0.1:5000/",
  "tcp://127.1:5000",
  "tcp://0x7f000001:5000",
  "tcp://::1:5000",
  "tcp://[::1%lo]:5000",
  "tcp://[127.0.0.1]:5000",
  "tcp://example.com:5000",
  "tcp://user@127.0.0.1:5000",
  "TCP://127.0.0.1:5000",
  "https://127.0.0.1:5000",
];

for (const text of noAddresses) {
  test(`${JSON.stringify(text.slice(0, 40))} is no address`, () => {
    assert.match(String(parseListenAddress(text)), /^expected /);
  });
}

test("loopback is 127.0.0.0/8, ::1, either written as IPv6, and localhost", () => {
  const hosts = ["127.0.0.1", "127.255.0.3", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost"];
  assert.deepEqual(
    hosts.map(isLoopbackHost),
    hosts.map(() => true),
  );
});

test("nothing else is loopback", () => {
  const hosts = [
    "0.0.0.0",
    "::",
    "128.0.0.1",
    "10.0.0.1",
    "::2",
    "::ffff:10.0.0.1",
    "localhost.example.com",
    "LOCALHOST",
    "",
  ];
  assert.deepEqual(
    hosts.map(isLoopbackHost),
    hosts.map(() => false),
  );
});

test("one address has one canonical text", () => {
  const canonical = (text: string) => {
    const address = parseListenAddress(text);
    return typeof address === "string" ? assert.fail(address) : canonicalAddress(address);
  };
  assert.equal(canonical("tcp://[0:0:0::1]:5"), canonical("tcp://[::1]:5"));
  assert.equal(canonical("tcp://[::A]:5"), canonical("tcp://[::a]:5"));
  assert.equal(canonical("unix:///run//s"), canonical("unix:///run/s"));
  assert.notEqual(canonical("tcp://[::1]:5"), canonical("tcp://[::1]:6"));
});

const endpoints: readonly (readonly [text: string, url: string])[] = [
  ["https://cloudkms.googleapis.com", "https://cloudkms.googleapis.com"],
  ["https://cloudkms.googleapis.com/", "https://cloudkms.googleapis.com"],
  ["https://KMS.example.com:443/a/../b/", "https://kms.example.com/b"],
  ["http://127.0.0.1:8085", "http://127.0.0.1:8085"],
  ["http://[::1]:8085/", "http://[::1]:8085"],
  ["http://localhost:8085", "http://localhost:8085"],
];

for (const [text, url] of endpoints) {
  test(`${text} is an endpoint`, () => {
    const endpoint = parseEndpoint(text);
    assert.equal(typeof endpoint === "string" ? endpoint : endpoint.url, url);
  });
}

const noEndpoints = [
  "",
  "cloudkms.googleapis.com",
  "//cloudkms.googleapis.com",
  "http://cloudkms.googleapis.com",
  "http://10.0.0.1",
  "http://localhost.example.com",
  "http://127.0.0.1.example.com",
  "ftp://127.0.0.1",
  "file:///etc/passwd",
  "javascript:alert(1)",
  "https://user@kms.example.com",
  "https://user:password@kms.example.com",
  "https://kms.example.com?",
  "https://kms.example.com#",
  "https://kms.example.com/?a=b",
  "https://",
];

for (const text of noEndpoints) {
  test(`${JSON.stringify(text)} is no endpoint`, () => assert.match(String(parseEndpoint(text)), /^expected /));
}

test("the region of a regional endpoint is known, and no other has one", () => {
  const regionOf = (text: string) => {
    const endpoint = parseEndpoint(text);
    return typeof endpoint === "string" ? assert.fail(endpoint) : regionOfEndpoint(endpoint);
  };
  assert.equal(regionOf("https://cloudkms.europe-west1.rep.googleapis.com"), "europe-west1");
  assert.equal(regionOf("https://cloudkms.googleapis.com"), undefined);
  assert.equal(regionOf("https://kms.example.com/cloudkms.x.rep.googleapis.com"), undefined);
});
