/** What a user of the real sops reads, and what becomes of the file. */
import assert from "node:assert/strict";
import { assertSucceeded, unwrapped } from "../e2e/harness/assert-outcome.ts";
import { type Bench, reload, testWithSops } from "../e2e/harness/bench.ts";
import { type ConfigDocument, KEY, SHOP_KEYS } from "../e2e/harness/config.ts";
import { createCertificate } from "../fakes/certificates.ts";
import { type NamedFault, nameOf } from "./harness/withstand.ts";

const PLAIN = "password: hidden\n";
const DAY_MS = 86_400_000;

type Changes = Partial<ConfigDocument>;

interface SopsFault extends NamedFault {
  readonly reads: readonly RegExp[];
  /** @returns what is other in the config than where all is well */
  readonly arrange: (bench: Bench) => Changes | Promise<Changes>;
}

function shopBy(kms: object): Changes {
  return { rules: [{ name: "shop", match: SHOP_KEYS, tokenSource: "shop", kms }] };
}

const FAULTS: readonly SopsFault[] = [
  {
    fault: "expired certificate",
    promise: "sops shows which, and no file is changed",
    sees: "CERT_HAS_EXPIRED, and what to check",
    reads: [
      /code = Unavailable desc = Cloud KMS at 127\.0\.0\.1:\d+ could not be reached: CERT_HAS_EXPIRED/,
      /to do: check/,
    ],
    async arrange(bench) {
      const notAfter = new Date(Date.now() - DAY_MS);
      const tls = createCertificate({ name: "Cloud KMS", address: "127.0.0.1", notAfter });
      const { tlsUrl } = await bench.startEmulator({ tls });
      return shopBy({ endpoint: tlsUrl, caFile: bench.write("ca.pem", tls.certificate) });
    },
  },
  {
    fault: "HTML page where an answer should be",
    promise: "sops shows that it was none, and no file is changed",
    sees: "that the answer was damaged, and that nothing was handed out",
    reads: [
      /code = DataLoss desc = the answer of Cloud KMS was damaged on its way/,
      /nothing was handed out/,
      /to do: try/,
    ],
    arrange: ({ emulator }) => faulty(emulator, { kind: "html" }),
  },
  {
    fault: "empty answer",
    promise: "sops gets no empty data key, and no file is changed",
    sees: "that nothing was handed out",
    reads: [/code = DataLoss desc = /, /nothing was handed out/, /key: projects\/shop/],
    arrange: ({ emulator }) => faulty(emulator, { kind: "empty" }),
  },
  {
    fault: "hang",
    promise: "sops ends with the rule's deadline, and no file is changed",
    sees: "how long was waited, and for whom",
    reads: [/code = (DeadlineExceeded|Unavailable) desc = .*(longer than|did not answer within)/, /rule: shop/],
    arrange: ({ emulator }) => ({
      ...faulty(emulator, { kind: "hang" }),
      ...shopBy({ deadline: "1s", attemptTimeout: "400ms" }),
    }),
  },
];

function faulty({ admin }: Bench["emulator"], effect: { readonly kind: "html" | "empty" | "hang" }): Changes {
  for (const endpoint of ["kms.encrypt", "kms.decrypt"] as const) admin.addFault({ ...effect, endpoint });
  return {};
}

for (const fault of FAULTS) {
  const { reads, arrange } = fault;
  testWithSops(nameOf(fault, "sops"), async (bench) => {
    const keyd = await bench.serve();
    for (const name of ["secret.yaml", "plain.yaml"]) bench.write(name, PLAIN);
    assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
    const secret = bench.read("secret.yaml");
    bench.writeConfig(await arrange(bench));
    await reload(keyd);
    for (const args of [
      ["decrypt", "-i", "secret.yaml"],
      ["encrypt", "--gcp-kms", KEY, "-i", "plain.yaml"],
    ]) {
      const outcome = await bench.sops(keyd, args);
      assert.notEqual(outcome.code, 0);
      for (const words of reads) assert.match(unwrapped(outcome), words);
    }
    assert.deepEqual(bench.read("secret.yaml"), secret);
    assert.equal(bench.read("plain.yaml").toString(), PLAIN);
    bench.emulator.admin.clearFaults();
    bench.writeConfig();
    await reload(keyd);
    assert.equal(assertSucceeded(await bench.sops(keyd, ["decrypt", "secret.yaml"])).stdout, PLAIN);
  });
}
