import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { ServerEvent } from "../../../src/server/events.ts";
import { readTlsFiles, type TlsMaterial, validateTls } from "../../../src/server/tls-material.ts";
import { createTlsReload } from "../../../src/server/tls-reload.ts";
import { createCertificate } from "../../fakes/certificates.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { createTlsFolder, serverCertificate, startTlsServer, type TlsFolder } from "../../fakes/tls-set-up.ts";

const KEY = { gcpKmsKey: { resourceId: "projects/p" } };
const TEN_SECONDS_MS = 10_000;
const DAY_MS = 86_400_000;

async function setUp(t: TestContext, prepare: (folder: TlsFolder) => void = () => {}) {
  const folder = createTlsFolder(t);
  prepare(folder);
  const clock = createFakeClock({ startMs: Date.now() });
  const [taken, events]: [TlsMaterial[], ServerEvent[]] = [[], []];
  const first = validateTls(await readTlsFiles(folder.tls), folder.tls, clock.nowMs());
  const reload = createTlsReload({
    config: folder.tls,
    listener: "tcp://127.0.0.1:5443",
    clock,
    report: (event) => events.push(event),
    first,
    take: (next) => taken.push(next),
  });
  t.after(() => reload.stop());
  return { folder, clock, reload, taken, events };
}

const kinds = (events: readonly ServerEvent[]) => events.map(({ kind }) => kind);

test("files that have not changed are left alone", async (t) => {
  const { reload, taken, events } = await setUp(t);
  await reload.check();
  assert.deepEqual([taken, events], [[], []]);
});

test("a new pair is taken once, and told with its end", async (t) => {
  const { folder, reload, taken, events } = await setUp(t);
  folder.write(serverCertificate(folder.ca));
  await reload.check();
  await reload.check();
  assert.equal(taken.length, 1);
  assert.deepEqual(kinds(events), ["certificate_taken"]);
});

test("it is looked for by itself every ten seconds", async (t) => {
  const { folder, clock, reload, taken } = await setUp(t);
  folder.write(serverCertificate(folder.ca));
  clock.advance(TEN_SECONDS_MS);
  await reload.check();
  assert.equal(taken.length, 1);
});

test("a swap of the links of a mounted secret is noticed", async (t) => {
  const { folder, reload, taken } = await setUp(t, ({ path, tls, ca }) => mountAsSecret(path, tls, ca));
  writeVersion(folder.path, "second", folder.ca);
  symlinkSync("second", join(folder.path, "..data_tmp"));
  renameSync(join(folder.path, "..data_tmp"), join(folder.path, "..data"));
  await reload.check();
  assert.equal(taken.length, 1);
});

/** As the kubelet does: files are links by way of `..data`, which is a link to a directory of one version. */
function mountAsSecret(path: string, tls: TlsFolder["tls"], ca: TlsFolder["ca"]): void {
  writeVersion(path, "first", ca);
  symlinkSync("first", join(path, "..data"));
  for (const [file, name] of [
    [tls.certificate, "tls.crt"],
    [tls.privateKey, "tls.key"],
  ] as const) {
    rmSync(file);
    symlinkSync(join("..data", name), file);
  }
}

function writeVersion(path: string, version: string, ca: TlsFolder["ca"]): void {
  const pair = serverCertificate(ca);
  mkdirSync(join(path, version));
  writeFileSync(join(path, version, "tls.crt"), pair.certificate);
  writeFileSync(join(path, version, "tls.key"), pair.privateKey);
}

const badPairs: readonly (readonly [what: string, change: (folder: TlsFolder) => void, problem: RegExp])[] = [
  [
    "a key that is another's",
    ({ write, ca }) => write({ ...serverCertificate(ca), privateKey: serverCertificate(ca).privateKey }),
    /tls\.key: is not the key of the first certificate in .*tls\.crt$/,
  ],
  [
    "an expired certificate",
    ({ write, ca }) => write(createCertificate({ name: "s", issuer: ca, notAfter: new Date(Date.now() - DAY_MS) })),
    /tls\.crt: expired at 20.*; renew it$/,
  ],
  [
    "a certificate of tomorrow",
    ({ write, ca }) =>
      write(
        createCertificate({
          name: "s",
          issuer: ca,
          notBefore: new Date(Date.now() + DAY_MS),
          notAfter: new Date(Date.now() + 2 * DAY_MS),
        }),
      ),
    /tls\.crt: is not valid before 20/,
  ],
  [
    "half a certificate",
    ({ write, ca }) => {
      const { certificate, privateKey } = serverCertificate(ca);
      write({ certificate: certificate.slice(0, 200), privateKey });
    },
    /tls\.crt: holds no certificate in PEM/,
  ],
  [
    "a certificate of noise",
    ({ write, ca }) => {
      const { certificate, privateKey } = serverCertificate(ca);
      write({ certificate: certificate.replace(/\n[A-Za-z0-9+/]{10}/, "\nAAAAAAAAAA"), privateKey });
    },
    /tls\.crt: holds a certificate that cannot be read$/,
  ],
  [
    "an encrypted key",
    ({ write, ca }) => {
      const { certificate, key } = serverCertificate(ca);
      const options = { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" } as const;
      write({ certificate, privateKey: key.export(options).toString() });
    },
    /tls\.key: is encrypted, and nobody is asked for a passphrase$/,
  ],
  ["no key", ({ tls }) => writeFileSync(tls.privateKey, ""), /tls\.key: holds no private key in PEM$/],
  ["a missing file", ({ tls }) => rmSync(tls.certificate), /tls\.crt: cannot be read: there is no such file$/],
  [
    "a directory in place of a file",
    ({ tls }) => {
      rmSync(tls.certificate);
      mkdirSync(tls.certificate);
    },
    /tls\.crt: is not a regular file$/,
  ],
  ["an empty file of CAs", ({ path }) => writeFileSync(join(path, "ca.crt"), ""), /ca\.crt: holds no certificate/],
];

for (const [what, change, expected] of badPairs) {
  test(`${what} is not taken, and told with the file`, async (t) => {
    const { folder, reload, taken, events } = await setUp(t);
    change(folder);
    await reload.check();
    assert.deepEqual(taken, []);
    const [event] = events;
    assert.ok(event?.kind === "certificate_rejected");
    assert.match(event.problem, expected);
    assert.doesNotMatch(event.problem, /BEGIN|MI[A-Z]{2}/);
  });
}

test("a pair that stays bad is told of again every five minutes, and no more when it is mended", async (t) => {
  const { folder, clock, reload, taken, events } = await setUp(t);
  rmSync(folder.tls.certificate);
  for (let second = 0; second < 600; second += 60) {
    await reload.check();
    clock.advance(60_000);
  }
  await reload.check();
  assert.deepEqual(kinds(events), ["certificate_rejected", "certificate_rejected", "certificate_rejected"]);
  folder.write(serverCertificate(folder.ca));
  await reload.check();
  assert.deepEqual(kinds(events).slice(3), ["certificate_taken"]);
  assert.equal(taken.length, 1);
});

test("a certificate that nobody renews is told of, before it ends and after", async (t) => {
  const { clock, reload, events } = await setUp(t);
  clock.jumpWall(0.9 * DAY_MS);
  await reload.check();
  clock.jumpWall(0.2 * DAY_MS);
  await reload.check();
  assert.deepEqual(
    events.map((event) => event.kind === "certificate_ending" && event.expired),
    [false, true],
  );
});

test("open connections outlive a new pair, and new ones meet it", { timeout: 10_000 }, async (t) => {
  const server = await startTlsServer(t);
  const client = createCertificate({ name: "client", issuer: server.ca });
  const old = server.connect(client);
  await old.decrypt(KEY, Buffer.from("c"));
  const otherCa = createCertificate({ name: "other CA", authority: true });
  server.write(serverCertificate(otherCa));
  await server.server.renewCertificates();
  await old.decrypt(KEY, Buffer.from("c"));
  // This client trusts the old CA alone: that it fails shows that the new certificate is in use.
  await assert.rejects(server.connect(client).decrypt(KEY, Buffer.from("c")), /UNAVAILABLE/);
  assert.deepEqual(kinds(server.events).slice(0, 1), ["certificate_taken"]);
});

test("a CA that is taken out ends the connections that it vouched for, once their calls are answered", {
  timeout: 10_000,
}, async (t) => {
  const [arrived, reply] = [Promise.withResolvers<void>(), Promise.withResolvers<Buffer>()];
  let answer = (): Promise<Buffer> => Promise.resolve(Buffer.from("first"));
  const server = await startTlsServer(t, { answer: () => answer() });
  const client = server.connect(createCertificate({ name: "client", issuer: server.ca }));
  await client.decrypt(KEY, Buffer.from("c"));
  answer = () => {
    arrived.resolve();
    return reply.promise;
  };
  const inFlight = client.decrypt(KEY, Buffer.from("c"));
  await arrived.promise;
  server.writeClientCa(createCertificate({ name: "new CA", authority: true }));
  await server.server.renewCertificates();
  reply.resolve(Buffer.from("second"));
  assert.deepEqual(await inFlight, Buffer.from("second"));
  await assert.rejects(client.decrypt(KEY, Buffer.from("c")), /was not issued by a CA of this listener/);
});

test("a certificate that says no time is refused", async (t) => {
  const { folder, clock } = await setUp(t);
  const files = await readTlsFiles(folder.tls);
  const der = new X509Certificate(files.certificate).raw;
  // The end of its time: a GeneralizedTime of which the month is none.
  const end = der.indexOf(Buffer.from([0x18, 0x0f]), der.indexOf(Buffer.from([0x18, 0x0f])) + 2);
  der.write("99", end + 6, "latin1");
  const certificate = `-----BEGIN CERTIFICATE-----\n${der.toString("base64")}\n-----END CERTIFICATE-----\n`;
  assert.throws(
    () => validateTls({ ...files, certificate }, folder.tls, clock.nowMs()),
    /does not say from when until/,
  );
});
