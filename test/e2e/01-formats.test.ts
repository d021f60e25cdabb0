import assert from "node:assert/strict";
import { assertSucceeded } from "./harness/assert-outcome.ts";
import { type Bench, type Keyd, testWithSops } from "./harness/bench.ts";
import { KEY, SECOND_KEY } from "./harness/config.ts";

interface Format {
  readonly name: string;
  readonly file: string;
  readonly plain: string | Buffer;
}

/** As sops writes each format itself, so that what comes back can be compared byte for byte. */
const FORMATS: readonly Format[] = [
  {
    name: "YAML",
    file: "secret.yaml",
    plain: "password: before\nnested:\n    list:\n        - 1\n        - two\n",
  },
  { name: "JSON", file: "secret.json", plain: '{\n\t"password": "before",\n\t"port": 5432\n}\n' },
  { name: "dotenv", file: "secret.env", plain: "PASSWORD=before\nPORT=5432\n" },
  { name: "INI", file: "secret.ini", plain: "[database]\npassword = before\nport     = 5432\n" },
  {
    name: "binary",
    file: "secret.bin",
    plain: Buffer.from([0x62, 0x65, 0x66, 0x6f, 0x72, 0x65, 0x0a, 0x00, 0xff, 0x80]),
  },
];

for (const { name, file, plain } of FORMATS) {
  for (const network of ["unix", "tcp"] as const) {
    testWithSops(
      `${name}: a file is encrypted, decrypted, edited, re-keyed and rotated over ${network}`,
      async (bench) => {
        const keyd = await serveOn(bench, network);
        bench.write(file, plain);
        assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", file]));
        assert.ok(!bench.read(file).includes("before"));
        await assertDecrypts(bench, keyd, file, Buffer.from(plain));

        const edited = Buffer.from(Buffer.from(plain).toString("latin1").replace("before", "behind"), "latin1");
        const editor = bench.write(
          "editor",
          '#!/bin/sh\nLC_ALL=C sed s/before/behind/ "$1" >edited && cat edited >"$1"\n',
          0o700,
        );
        assertSucceeded(await bench.sops(keyd, ["edit", file], { EDITOR: editor }));
        await assertDecrypts(bench, keyd, file, edited);

        bench.write(".sops.yaml", `creation_rules:\n  - gcp_kms: ${KEY},${SECOND_KEY}\n`);
        assertSucceeded(await bench.sops(keyd, ["updatekeys", "--yes", file]));
        assert.ok(bench.read(file).includes(SECOND_KEY));

        const before = bench.read(file);
        assertSucceeded(await bench.sops(keyd, ["rotate", "-i", file]));
        assert.notDeepEqual(bench.read(file), before);
        await assertDecrypts(bench, keyd, file, edited);
      },
    );
  }
}

testWithSops("a file of two Shamir key groups needs a share from each, and both come from here", async (bench) => {
  const keyd = await bench.serve();
  bench.write(
    ".sops.yaml",
    `creation_rules:
  - shamir_threshold: 2
    key_groups:
      - gcp_kms: [{ resource_id: ${KEY} }]
      - gcp_kms: [{ resource_id: ${SECOND_KEY} }]
`,
  );
  bench.write("shared.yaml", "password: shared\n");
  assertSucceeded(await bench.sops(keyd, ["encrypt", "-i", "shared.yaml"]));
  bench.emulator.admin.resetRequests();
  await assertDecrypts(bench, keyd, "shared.yaml", Buffer.from("password: shared\n"));
  const resources = bench.emulator.admin.requests().requests.map(({ resource }) => resource);
  assert.deepEqual(resources.toSorted(), [KEY, SECOND_KEY].toSorted());

  bench.emulator.admin.setAccess(SECOND_KEY, []);
  const refused = await bench.sops(keyd, ["decrypt", "shared.yaml"]);
  assert.notEqual(refused.code, 0);
  assert.ok(!refused.stdout.includes("shared"), refused.stdout);
});

function serveOn(bench: Bench, network: "unix" | "tcp"): Promise<Keyd> {
  const changes = network === "tcp" ? { listeners: [{ address: "tcp://127.0.0.1:0" }] } : {};
  return bench.serve(bench.writeConfig(changes));
}

async function assertDecrypts(bench: Bench, keyd: Keyd, file: string, plain: Buffer): Promise<void> {
  assertSucceeded(await bench.sops(keyd, ["decrypt", "--output", "decrypted", file]));
  assert.deepEqual(bench.read("decrypted"), plain);
}
