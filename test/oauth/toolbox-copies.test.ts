import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { Mailbox } from '../helpers/mailbox.js'
import { Browser, browserOf, buildOAuth, landsOn, linkPlaces } from '../helpers/oauth.js'

for (const backend of backends) {
  for (const place of linkPlaces) {
    const name = `${backend.name}, ${place.name}`

    test(`${name}: crudAuth.oauth: link, list and unlink take a copy of the user`, async (t) => {
      const { app } = await buildOAuth(t, {
        auth: backend.options(),
        oauth: { accounts: place.accounts()?.store },
      })
      await browserOf(app, 'ann')
      const { oauth, users } = app.crudAuth
      const { hashedPassword: _, ...copy } = (await users.findById(1)) as Record<string, unknown>
      const linked = await oauth.link(copy, 'acme', {
        id: 'ann-1',
        email: null,
        emailVerified: false,
        raw: {},
      })
      assert.ok(typeof linked === 'object', String(linked))
      assert.deepEqual(
        (await oauth.accounts(copy)).map(({ provider }) => provider),
        ['acme'],
      )
      await oauth.unlink(copy, 'acme')
      assert.deepEqual(await oauth.accounts(copy), [])
    })

    test(`${name}: crudAuth.recovery.revertEmailChange removes a link by the token of its message`, async (t) => {
      const mail = new Mailbox()
      const { app } = await buildOAuth(t, {
        auth: { ...backend.options(), email: mail.options() },
        oauth: { accounts: place.accounts()?.store },
      })
      const owner = await browserOf(app, 'ann')
      const verification = await mail.token('ann@example.com', 'verify_email')
      answers(await owner.post('/email/verify-confirm', { token: verification }), 200)
      const thief = new Browser(app)
      answers(await thief.login('ann'), 200)
      landsOn(await thief.link({ sub: 'evil' }), '/start')
      const token = await mail.token('ann@example.com', 'provider_linked')
      const request = { headers: {}, ip: '192.0.2.1', log: app.log } as unknown as FastifyRequest
      await app.crudAuth.recovery.revertEmailChange(request, token)
      assert.equal(await thief.me(), null)
      const user = (await app.crudAuth.users.findById(1)) as Record<string, unknown>
      assert.deepEqual(await app.crudAuth.oauth.accounts(user), [])
      await assert.rejects(app.crudAuth.recovery.revertEmailChange(request, token), {
        code: 'CRUDAUTH_TOKEN_INVALID_OR_USED',
      })
    })
  }
}
