import type { Server, ServerDuplexStream } from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";

interface ReflectionRequest {
  readonly fileContainingSymbol?: string;
}

interface ReflectionResponse {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] } | null;
}

type ReflectionStream = ServerDuplexStream<ReflectionRequest, ReflectionResponse>;
/** What the library uses of a stream. */
type UsedStream = Pick<ReflectionStream, "on" | "write" | "end">;

/**
 * Serves reflection, so that grpcurl and the like work without the proto file.
 *
 * The library keeps the symbols of a file that has no `package` as `.Name`, and lists and expects them so, which no
 * client does; SOPS' protocol has no package. So their names are translated on the way in and out.
 */
export function addReflection(server: Server, definition: PackageDefinition): void {
  const service = new ReflectionService(definition);
  service.addToServer({
    addService(methods, implementation) {
      const reflect = implementation["ServerReflectionInfo"] as (stream: UsedStream) => void;
      server.addService(methods, {
        ServerReflectionInfo: (stream: ReflectionStream) => reflect(translate(stream, definition)),
      });
    },
  });
}

function translate(stream: ReflectionStream, definition: PackageDefinition): UsedStream {
  return {
    on(event: string, listener: (request: ReflectionRequest) => void) {
      const heard = event === "data" ? (request: ReflectionRequest) => listener(dotted(request, definition)) : listener;
      return stream.on(event, heard);
    },
    write: (response: ReflectionResponse) => stream.write(undotted(response)),
    end: () => stream.end(),
  } as UsedStream;
}

function dotted(request: ReflectionRequest, definition: PackageDefinition): ReflectionRequest {
  const symbol = request.fileContainingSymbol ?? "";
  const [outermost = ""] = symbol.split(".");
  return Object.hasOwn(definition, outermost) ? { ...request, fileContainingSymbol: `.${symbol}` } : request;
}

function undotted(response: ReflectionResponse): ReflectionResponse {
  const listed = response.listServicesResponse;
  if (!listed) return response;
  const service = listed.service.map(({ name }) => ({ name: name.replace(/^\./, "") }));
  return { ...response, listServicesResponse: { ...listed, service } };
}
