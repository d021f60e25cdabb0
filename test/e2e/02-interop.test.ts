import assert from "node:assert/strict";
import { assertSucceeded } from "./harness/assert-outcome.ts";
import { type Bench, googleVariables, testWithDirectSops } from "./harness/bench.ts";
import { KEY } from "./harness/config.ts";
import { sopsPath } from "./harness/sops-binary.ts";

const PLAIN = "password: interop\n";

/** The key service that comes with sops, on a unix socket. */
async function startStockKeyService(bench: Bench): Promise<{ readonly address: string }> {
  const socket = bench.path("stock.sock");
  const child = bench.start(
    sopsPath(),
    ["keyservice", "--verbose", "--network", "unix", "--address", socket],
    googleVariables(bench.emulator),
  );
  await child.waitFor("stderr", /Listening on/);
  return { address: `unix://${socket}` };
}

type Way = "sops-keyd" | "sops alone" | "sops keyservice";

/** Sops, asking for its data keys one of three ways. */
async function openWay(bench: Bench, way: Way): Promise<(args: readonly string[]) => ReturnType<Bench["sops"]>> {
  switch (way) {
    case "sops-keyd": {
      const keyd = await bench.serve();
      return (args) => bench.sops(keyd, args);
    }
    case "sops alone":
      return (args) => bench.sops(undefined, args, googleVariables(bench.emulator));
    case "sops keyservice": {
      const stock = await startStockKeyService(bench);
      return (args) => bench.sops(stock, args);
    }
  }
}

const PAIRS: readonly (readonly [maker: Way, opener: Way])[] = [
  ["sops-keyd", "sops alone"],
  ["sops-keyd", "sops keyservice"],
  ["sops alone", "sops-keyd"],
  ["sops keyservice", "sops-keyd"],
];

for (const [maker, opener] of PAIRS) {
  testWithDirectSops(`a file made through ${maker} is opened through ${opener}`, async (bench) => {
    const make = await openWay(bench, maker);
    bench.write("secret.yaml", PLAIN);
    assertSucceeded(await make(["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
    bench.emulator.admin.resetRequests();
    const open = await openWay(bench, opener);
    assert.equal(assertSucceeded(await open(["decrypt", "secret.yaml"])).stdout, PLAIN);
    const { counts } = bench.emulator.admin.requests();
    assert.equal(counts["kms.decrypt"], 1);
  });
}

testWithDirectSops("a file made through sops-keyd holds what stock sops would have written", async (bench) => {
  const shapes: unknown[] = [];
  for (const way of ["sops-keyd", "sops alone"] as const) {
    const make = await openWay(bench, way);
    bench.write("secret.json", '{"password": "interop"}');
    assertSucceeded(await make(["encrypt", "--gcp-kms", KEY, "-i", "secret.json"]));
    shapes.push(shapeOf(JSON.parse(bench.read("secret.json").toString("utf8"))));
  }
  assert.deepEqual(shapes[0], shapes[1]);
});

/** The same document with its values left out but for the length of the encrypted data key, which is no accident. */
function shapeOf(document: { sops: { gcp_kms: readonly { enc: string; resource_id: string }[]; version: string } }) {
  const { gcp_kms, version } = document.sops;
  const keys = gcp_kms.map(({ enc, ...rest }) => ({
    fields: Object.keys(rest).toSorted(),
    key: rest.resource_id,
    bytes: Buffer.from(enc, "base64").length,
  }));
  return { top: Object.keys(document), metadata: Object.keys(document.sops), keys, version };
}
