# The server in an image of its own: bundled, production dependencies only, not root, no shell needed at run time.
#   docker build -t sops-keyd --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" .
#   docker run --read-only -v "$PWD/config.yaml:/etc/sops-keyd/config.yaml:ro" -v sockets:/run/sops-keyd sops-keyd
ARG NODE_IMAGE=node:26-slim

# --workspaces=false: the workspace holds the Node.js that a checkout is developed with, 200 MB that the base brings.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN ["npm", "ci", "--omit=dev", "--workspaces=false", "--ignore-scripts"]

FROM ${NODE_IMAGE} AS build
WORKDIR /build
# What the final stage gets by COPY, since it runs nothing: the directories that its user owns.
RUN ["node", "-e", "fs.mkdirSync('run')"]
COPY package.json package-lock.json .npmrc ./
RUN ["npm", "ci", "--workspaces=false", "--ignore-scripts"]
COPY tsconfig.json tsconfig.build.json ./
COPY bin bin
COPY scripts scripts
COPY src src
RUN ["npm", "run", "build"]
# What V8 compiled, so that a container with a read-only file system starts with it as well.
RUN ["node", "scripts/warm-compile-cache.ts"]

FROM ${NODE_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sops-keyd" \
      org.opencontainers.image.description="A SOPS key service for Google Cloud KMS: each key with an identity of its own" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
WORKDIR /usr/lib/sops-keyd
COPY --from=dependencies /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY --from=build /build/compile-cache compile-cache
COPY package.json LICENSE ./
COPY proto proto
COPY schema schema
COPY --from=build --chown=65532:65532 /build/run /run/sops-keyd
# For an audit log and a stateDirectory: a new volume takes over the owner of what it covers.
COPY --from=build --chown=65532:65532 /build/run /var/log/sops-keyd
COPY --from=build --chown=65532:65532 /build/run /var/lib/sops-keyd
ENV NODE_ENV=production
# Without a config, and without flags, it listens on /run/sops-keyd/sops-keyd.sock.
ENV XDG_RUNTIME_DIR=/run
# By number, so that Kubernetes' runAsNonRoot can tell that it is not root.
USER 65532:65532
# The limits of memory are those of bin/sops-keyd, and what V8 compiled is good under them alone.
ENTRYPOINT ["node", "--min-semi-space-size=4", "--max-semi-space-size=4", "--heap-growing-percent=30", \
  "/usr/lib/sops-keyd/dist/main.js"]
CMD ["serve"]
# Asks the first listener of the config that the server found, or the socket above.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["node", "--min-semi-space-size=4", "--max-semi-space-size=4", "--heap-growing-percent=30", \
    "/usr/lib/sops-keyd/dist/main.js", "health"]
