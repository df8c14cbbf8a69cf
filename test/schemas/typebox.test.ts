import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { FormatRegistry, Kind, type TSchema } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { Value } from '@sinclair/typebox/value'
import Fastify from 'fastify'
import * as schemas from '../../schemas/index.js'
import { answers } from '../helpers/answers.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

// TypeBox has no built-in formats.
FormatRegistry.Set('date-time', (text) => !Number.isNaN(Date.parse(text)))

const all = Object.entries(schemas) as [string, TSchema][]

/** The schema and every schema nested in it. */
function* within(schema: unknown): Generator<Record<PropertyKey, unknown>> {
  if (typeof schema !== 'object' || schema === null) return
  const node = schema as Record<PropertyKey, unknown>
  if ('type' in node || 'anyOf' in node || 'const' in node) yield node
  for (const [key, value] of Object.entries(node)) {
    if (key === 'properties')
      for (const member of Object.values(value as object)) yield* within(member)
    else if (typeof value === 'object') yield* within(value)
  }
}

test('schemas: every exported schema is TypeBox at all levels and compiles', () => {
  assert.ok(all.length > 20)
  for (const [name, schema] of all) {
    const nodes = [...within(schema)]
    assert.ok(nodes.length > 0, name)
    for (const node of nodes) assert.equal(typeof node[Kind], 'string', name)
    assert.ok(TypeCompiler.Compile(schema).Code().length > 0, name)
  }
})

test('schemas: responses of the routes match the exported schemas', async (t) => {
  const client = new Client(await build(t))
  const account = { email: 'ann@example.com', username: 'ann', password }
  const checked = (schema: TSchema, body: unknown) =>
    assert.ok(Value.Check(schema, body), JSON.stringify([...Value.Errors(schema, body)]))
  checked(schemas.Registered, answers(await client.post('/register', account), 201))
  const login = { username: 'ann', password }
  checked(schemas.Login, login)
  checked(schemas.LoggedIn, answers(await client.post('/login', login), 200))
  const me = answers(await client.get('/me'), 200)
  checked(schemas.Me, me)
  checked(schemas.SessionList, answers(await client.get('/sessions'), 200))
  checked(schemas.ErrorBody, answers(await client.post('/login', { ...login, password: 'x' }), 401))
  const refused = [
    { ...me, scopes: 'all' },
    { ...me, is_superuser: 'yes' },
    { ...me, user_id: null },
  ]
  for (const body of refused) assert.equal(TypeCompiler.Compile(schemas.Me).Check(body), false)
})

test('schemas: routes of the app can use them with the TypeBox type provider', async (t) => {
  const app = Fastify().withTypeProvider<TypeBoxTypeProvider>()
  t.after(() => app.close())
  app.post(
    '/own',
    { schema: { body: schemas.Login, response: { 200: schemas.Detail } } },
    // Compiles only if the type of the body is inferred.
    async ({ body }) => ({ detail: body.username.toUpperCase() }),
  )
  const post = (payload: object) => app.inject({ method: 'POST', url: '/own', payload })
  assert.deepEqual((await post({ username: 'ann', password })).json(), { detail: 'ANN' })
  assert.equal((await post({ username: 'ann' })).statusCode, 400)
})
