import { status } from "@grpc/grpc-js";
import type { MethodDefinition, PackageDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { loadReflectedFiles } from "./reflected-files.ts";
import type { ReflectionStream } from "./reflection.ts";

interface ReflectionRequest {
  readonly fileContainingSymbol?: string;
}

interface ReflectionResponse {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] } | null;
}

/** What the library uses of a stream. */
interface UsedStream {
  on(event: string, listener: (request: ReflectionRequest) => void): unknown;
  write(response: ReflectionResponse): unknown;
  end(): unknown;
}

/** One version of the protocol: its encoding, and the library's answers. */
interface Version {
  readonly method: MethodDefinition<ReflectionRequest, ReflectionResponse>;
  answer(stream: UsedStream): void;
}

const DEFINITION: PackageDefinition = loadReflectedFiles();
const VERSIONS: ReadonlyMap<string, Version> = readVersions();

function readVersions(): ReadonlyMap<string, Version> {
  const versions = new Map<string, Version>();
  new ReflectionService(DEFINITION).addToServer({
    addService(methods, implementation) {
      const method = methods["ServerReflectionInfo"] as Version["method"];
      versions.set(method.path, { method, answer: implementation["ServerReflectionInfo"] as Version["answer"] });
    },
  });
  return versions;
}

/**
 * Answers what comes on `stream` until it ends.
 *
 * @param path of the method that was called
 */
export function answerReflection(path: string, stream: ReflectionStream): void {
  const version = VERSIONS.get(path);
  if (version === undefined) throw new Error(`@grpc/reflection has no ${path}`);
  version.answer(decoded(stream, version.method));
}

/**
 * The library keeps the symbols of a file that has no `package` as `.Name`, and lists and expects them so, which no
 * client does; SOPS' protocol has no package. So their names are translated on the way in and out.
 */
function decoded(stream: ReflectionStream, method: Version["method"]): UsedStream {
  return {
    on(event, listener) {
      if (event !== "data") return stream.on(event, listener);
      return stream.on("data", (bytes: Buffer) => {
        const request = decodeRequest(bytes, method);
        if (request !== undefined) listener(dotted(request));
        else stream.emit("error", { code: status.INVALID_ARGUMENT, details: "this is no reflection request" });
      });
    },
    write(response) {
      if (stream.write(method.responseSerialize(undotted(response)))) return;
      // Who asks faster than it reads waits.
      stream.pause();
      stream.once("drain", () => stream.resume());
    },
    end: () => stream.end(),
  };
}

function decodeRequest(bytes: Buffer, method: Version["method"]): ReflectionRequest | undefined {
  try {
    return method.requestDeserialize(bytes);
  } catch {
    return undefined;
  }
}

function dotted(request: ReflectionRequest): ReflectionRequest {
  const symbol = request.fileContainingSymbol ?? "";
  const [outermost = ""] = symbol.split(".");
  return Object.hasOwn(DEFINITION, outermost) ? { ...request, fileContainingSymbol: `.${symbol}` } : request;
}

function undotted(response: ReflectionResponse): ReflectionResponse {
  const listed = response.listServicesResponse;
  if (!listed) return response;
  const service = listed.service.map(({ name }) => ({ name: name.replace(/^\./, "") }));
  return { ...response, listServicesResponse: { ...listed, service } };
}
