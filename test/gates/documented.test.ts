import assert from 'node:assert/strict'
import { test } from 'node:test'
import swagger from '@fastify/swagger'
import { Validator } from '@seriousme/openapi-schema-validator'
import Fastify from 'fastify'
import crudAuth, { memoryUsers } from '../../src/index.js'
import { cheap, secret } from '../helpers/build.js'

interface Operation {
  readonly security?: object[]
  readonly responses: Record<string, object>
}

for (const openapi of ['3.0.3', '3.1.0']) {
  test(`OpenAPI ${openapi}: gates add their error responses and keep 200 if the route documents none`, async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    await app.register(swagger, { openapi: { openapi } })
    await app.register(crudAuth, { secret, users: memoryUsers(), passwords: { cost: cheap } })
    const summary = 'Without answers'
    const answer = { 204: { description: 'Nothing to say', type: 'null' } }
    app.get('/bare', { onRequest: app.currentUser() }, async () => 'in')
    app.get('/summed', { onRequest: app.currentUser(), schema: { summary } }, async () => 'in')
    app.get('/sudo', { preHandler: app.requireSudo }, async () => 'in')
    app.get(
      '/told',
      { onRequest: app.currentUser(), schema: { response: answer } },
      async () => 'in',
    )
    app.get('/optional', { onRequest: app.currentUser({ optional: true }) }, async () => 'in')
    app.post(
      '/optional',
      { onRequest: app.currentUser({ optional: true }), schema: { summary } },
      async () => 'in',
    )
    await app.ready()

    const document = app.swagger() as unknown as {
      paths: Record<string, Record<string, Operation>>
    }
    const statuses = (path: string, method = 'get') =>
      Object.keys(document.paths[path]?.[method]?.responses ?? {})
    assert.deepEqual(statuses('/bare'), ['200', '401'])
    assert.deepEqual(statuses('/summed'), ['200', '401'])
    assert.deepEqual(statuses('/sudo'), ['200', '401', '403'])
    assert.deepEqual(statuses('/told'), ['204', '401'])
    assert.deepEqual(statuses('/optional'), ['200'])
    assert.deepEqual(statuses('/optional', 'post'), ['200', '403'])
    assert.deepEqual(document.paths['/optional']?.get?.security, [{ session: [] }, {}])
    const { valid, errors } = await new Validator().validate(structuredClone(document) as never)
    assert.ok(valid, JSON.stringify(errors))
  })
}
