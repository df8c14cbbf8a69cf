import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import type * as Argon from '@node-rs/argon2'

// Wraps the real library, to record each verification, before other modules import it by name.
const argon = createRequire(import.meta.url)('@node-rs/argon2') as {
  -readonly [K in keyof typeof Argon]: (typeof Argon)[K]
}
const done: string[] = []
const { verify } = argon
argon.verify = async (stored, ...rest) => {
  const fits = await verify(stored, ...rest)
  done.push(String(stored).split('$')[3] ?? '')
  return fits
}
const { password } = await import('../helpers/build.js')
const { Client } = await import('../helpers/client.js')
const { refuses } = await import('../helpers/refuses.js')
const { memoryUsers } = await import('../../src/index.js')
const { askToken, bearerApp } = await import('../helpers/bearer.js')

test('POST /token: user enumeration: every failure costs one password verification', async (t) => {
  const users = memoryUsers()
  const app = await bearerApp(t, null, {}, { users, lockout: false })
  for (const name of ['ann', 'gone', 'oauth']) await new Client(app).register(name)
  await users.update(2, { isActive: false })
  await users.update(3, { hashedPassword: app.crudAuth.passwords.unusable() })
  for (const [name, guess] of [
    ['ann', 'wrong password'],
    ['nobody', password],
    ['gone', password],
    ['gone', 'wrong password'],
    ['oauth', password],
    ['ann', ''],
    ['ann', 'x'],
  ] as const) {
    done.length = 0
    refuses(await askToken(app, name, { password: guess }), 'CRUDAUTH_BAD_CREDENTIALS')
    assert.deepEqual(done, ['m=64,t=1,p=1'], `${name}, "${guess}"`)
  }
})
