import type { EndpointDispatcher } from "./endpoint-pool.ts";

/** One that is made when the first request comes; those that come meanwhile wait for it. */
export function createLazyDispatcher(create: () => Promise<EndpointDispatcher>): EndpointDispatcher {
  let creation: Promise<EndpointDispatcher> | undefined;
  let created: EndpointDispatcher | undefined;
  const load = async () => {
    created = await create();
    return created;
  };
  return {
    dispatch(options, handler) {
      if (created !== undefined) return created.dispatch(options, handler);
      creation ??= load();
      const dispatched = creation.then((dispatcher) => dispatcher.dispatch(options, handler));
      dispatched.catch((error: Error) => handler.onResponseError?.(undefined as never, error));
      return true;
    },
    async destroy() {
      await (await creation)?.destroy();
    },
  };
}
