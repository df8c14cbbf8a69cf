import { pathToFileURL } from 'node:url'

// Prints the milliseconds of the imports and of `app.ready()`, without and with the plugin.
// Run each measurement in a new process.
const root = pathToFileURL(`${process.argv[2]}/`)

async function timed(task) {
  const start = performance.now()
  const result = await task()
  return [result, performance.now() - start]
}

const [{ default: Fastify }, fastifyMs] = await timed(
  () => import(new URL('src/fastify-only.js', root).href),
)
const [{ crudAuth, memoryUsers }, packageMs] = await timed(
  () => import(new URL('src/index.js', root).href),
)

/** A typical app: a route with schemas, which makes Fastify load its compilers. */
function build() {
  const app = Fastify()
  const schema = {
    body: { type: 'object', properties: { name: { type: 'string' } } },
    response: { 200: { type: 'object', properties: { name: { type: 'string' } } } },
  }
  app.post('/', { schema }, async (request) => request.body)
  return app
}

// A first app as warm-up: it loads and compiles code that all later apps share.
await build().ready()
const [, bareReadyMs] = await timed(() => build().ready())
const secret = 'benchmarks-only-Zq8Vt2Lw9Xr4Kd7Bn1Hc5Ym3Pf6Gs0Jk'
const app = build()
const [, readyMs] = await timed(async () => {
  await app.register(crudAuth, { secret, users: memoryUsers() })
  await app.ready()
})
await app.close()
process.stdout.write(JSON.stringify({ fastifyMs, packageMs, bareReadyMs, readyMs }))
