import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { status } from "@grpc/grpc-js";
import {
  type CertificateRequest,
  createCertificate,
  SERVER_PURPOSE,
  type TestCertificate,
} from "../../fakes/certificates.ts";
import { startTlsServer, type TlsServer } from "../../fakes/tls-set-up.ts";

const KEY = { gcpKmsKey: { resourceId: "projects/p" } };
const ID = "spiffe://example.com/ns/a/sa/flux";
const HOUR_MS = 3_600_000;

function call(server: TlsServer, client?: TestCertificate): Promise<Buffer> {
  return server.connect(client).decrypt(KEY, Buffer.from("c"));
}

/** A certificate of the CA that the server trusts. */
function issue(server: TlsServer, request: Partial<CertificateRequest>): TestCertificate {
  return createCertificate({ name: "client", issuer: server.ca, ...request });
}

function refusedWith(words: RegExp) {
  return (thrown: unknown) => {
    const { code, details } = thrown as { code: status; details: string };
    assert.equal(status[code], "UNAUTHENTICATED", details);
    assert.match(details, words);
    return true;
  };
}

async function proofOf(t: TestContext, request: Partial<CertificateRequest>) {
  const server = await startTlsServer(t);
  await call(server, issue(server, request));
  const proof = server.calls[0]?.caller.proofs[1];
  return proof?.kind === "certificate" ? proof : assert.fail("no certificate was taken for a proof");
}

test("the only URI of a good certificate is its holder's SPIFFE id", async (t) => {
  const { spiffeId, dnsNames, publicKeySha256 } = await proofOf(t, { uris: [ID], dnsNames: ["Build.Example.com"] });
  assert.equal(spiffeId, ID);
  assert.deepEqual(dnsNames, ["build.example.com"]);
  assert.match(publicKeySha256, /^[A-Za-z0-9+/]{43}=$/);
});

const noSpiffeId: readonly (readonly [what: string, request: Partial<CertificateRequest>])[] = [
  ["two URIs", { uris: [ID, "spiffe://example.com/other"] }],
  ["two URIs of which one is no SPIFFE id", { uris: [ID, "https://example.com"] }],
  ["the same URI twice", { uris: [ID, ID] }],
  ["a URI that is no SPIFFE id", { uris: ["https://example.com/ns"] }],
  ["the id of a whole trust domain", { uris: ["spiffe://example.com"] }],
  ["a SPIFFE id with a query", { uris: [`${ID}?x`] }],
  ["a SPIFFE id of a CA", { uris: [ID], authority: true }],
  ["no URI", { dnsNames: ["a.example.com"] }],
  ["a DNS name that reads like a URI", { dnsNames: [`x, URI:${ID}`] }],
  ["a common name that is a SPIFFE id", { name: ID }],
];
for (const [what, request] of noSpiffeId) {
  test(`a certificate with ${what} proves no SPIFFE id`, async (t) => {
    assert.equal((await proofOf(t, request)).spiffeId, undefined);
  });
}

test("a client without a certificate is told that one is needed, and its call is on record", async (t) => {
  const server = await startTlsServer(t);
  await assert.rejects(
    call(server),
    refusedWith(/asks for a client certificate, and none was shown\nto do: connect with/),
  );
  assert.equal(server.calls[0]?.refusal?.code, "caller_unauthenticated");
  assert.equal(server.calls[0]?.caller.proofs.length, 1);
});

const bad: readonly (readonly [what: string, request: Partial<CertificateRequest>, words: RegExp])[] = [
  [
    "that has expired",
    { notAfter: new Date(Date.now() - 1_000), uris: [ID] },
    /certificate expired at 20.*\nto do: renew/,
  ],
  [
    "that is not valid yet",
    { notBefore: new Date(Date.now() + HOUR_MS), notAfter: new Date(Date.now() + 2 * HOUR_MS) },
    /is not valid before 20.*\nto do: check the clocks/,
  ],
  ["for servers alone", { purposes: [SERVER_PURPOSE] }, /is not meant for clients\nto do: .*clientAuth/],
  [
    "of another CA",
    { issuer: createCertificate({ name: "other CA", authority: true }), uris: [ID] },
    /was not issued by a CA of this listener, but by CN=other CA\nto do: /,
  ],
  [
    "of a CA that only has the name of ours",
    { issuer: createCertificate({ name: "test CA", authority: true }) },
    /was not issued by a CA of this listener/,
  ],
];
for (const [what, request, words] of bad) {
  for (const clientCertificate of ["required", "optional"] as const) {
    test(`a certificate ${what} is refused in words where one is ${clientCertificate}, and proves nothing`, async (t) => {
      const server = await startTlsServer(t, { clientCertificate });
      await assert.rejects(call(server, issue(server, request)), refusedWith(words));
      assert.deepEqual(server.calls[0]?.caller.proofs, [{ kind: "listener", caller: undefined }]);
    });
  }
}

test("a certificate that its holder signed is refused, and taken where it is itself in the file of CAs", async (t) => {
  const own = createCertificate({ name: "own", uris: [ID] });
  const server = await startTlsServer(t);
  await assert.rejects(call(server, own), refusedWith(/was not issued by a CA of this listener/));
  server.writeClientCa(server.ca, own);
  await server.server.renewCertificates();
  await call(server, own);
  assert.equal(server.calls.at(-1)?.refusal, undefined);
});

test("where a certificate is optional, a client without one comes in and proves nothing", async (t) => {
  const server = await startTlsServer(t, { clientCertificate: "optional" });
  await call(server);
  await call(server, issue(server, { uris: [ID] }));
  assert.deepEqual(
    server.calls.map(({ caller, refusal }) => [caller.proofs.map(({ kind }) => kind), refusal]),
    [
      [["listener"], undefined],
      [["listener", "certificate"], undefined],
    ],
  );
});

test("where clients are not asked for a certificate, one proves nothing", async (t) => {
  const server = await startTlsServer(t, { clientCertificate: "none" });
  await call(server, issue(server, { uris: [ID] }));
  assert.deepEqual(server.calls[0]?.caller.proofs, [{ kind: "listener", caller: undefined }]);
});

test("two clients at once are not taken for one another", async (t) => {
  const server = await startTlsServer(t);
  const ids = [1, 2, 3, 4].map((n) => `spiffe://example.com/client/${n}`);
  const clients = ids.map((id) => server.connect(issue(server, { uris: [id] })));
  for (let round = 0; round < 5; round++) {
    await Promise.all(
      clients.map((client, n) => client.decrypt({ gcpKmsKey: { resourceId: String(n) } }, Buffer.from("c"))),
    );
  }
  const seen = new Map<string, Set<unknown>>();
  assert.equal(server.calls.length, 20);
  for (const { caller } of server.calls) {
    const proof = caller.proofs[1];
    const id = proof?.kind === "certificate" ? proof.spiffeId : undefined;
    seen.set(String(id), (seen.get(String(id)) ?? new Set()).add(caller.listener));
  }
  assert.deepEqual([...seen.keys()].toSorted(), ids);
});
