// The same for CommonJS, which gets the ES modules by require().
const assert = require('node:assert/strict')
const promised = require('./names.json')

for (const entry of process.argv.slice(2)) {
  const exported = require(entry)
  for (const name of promised[entry])
    assert.ok(name in exported, `${entry} does not export ${name}`)
  assert.ok(require.resolve(`${entry.split('/')[0]}/package.json`))
}

async function boot() {
  const { default: crudAuth, memoryUsers } = require('fastify-crudauth')
  const app = require('fastify')()
  app.register(crudAuth, { secret: 's3cret-of-thirty-two-bytes-or-more', users: memoryUsers() })
  await app.ready()
  assert.equal((await app.inject('/me')).statusCode, 401)
  await app.close()
}

boot()
