# The API, the worker and every command of Conclave. See docs/running.md.
#
# Of the same version as the `node` package of package.json, on which everything is tested. To hold it to its bytes as
# well: --build-arg NODE=node:24.21.0-trixie-slim@sha256:…
ARG NODE=node:24.21.0-trixie-slim

FROM ${NODE} AS build
WORKDIR /conclave
COPY .npmrc package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build

# Without the embedded PostgreSQL, which is among the optional packages: a container has DATABASE_URL.
FROM ${NODE} AS dependencies
WORKDIR /conclave
COPY .npmrc package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional

FROM ${NODE}
LABEL org.opencontainers.image.title="Conclave" \
      org.opencontainers.image.description="A messaging backend whose every conversation has its own versioned RSA keys" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=4000
WORKDIR /conclave
# Whatever the umask of who has cloned the repository.
COPY --chmod=444 package.json LICENSE ./
COPY --from=dependencies /conclave/node_modules node_modules/
COPY --from=build /conclave/dist dist/
# Nothing here belongs to it. A number, so that Kubernetes can tell that it is not root.
USER 10001:10001
EXPOSE 4000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# No shell around it: the process is sent the signals itself.
ENTRYPOINT ["node", "--enable-source-maps"]
CMD ["dist/src/main.js"]
