import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { addressOf, mailApp, next } from '../helpers/email.js'
import { tokenOf } from '../helpers/mailbox.js'

const place = '/notes/5?tab=a%20b&x=y#end'
const refused = [
  '//evil.example',
  '/\\evil.example',
  '/.//evil.example',
  'https://evil.example/',
  'javascript:alert(1)',
  '/\t/evil.example',
  '/a\r\nX: y',
  '/a\0',
  'welcome',
  '',
]

for (const backend of backends) {
  describe(`redirect_to, ${backend.name}`, () => {
    test('is carried in the link and returned by the confirmation', async (t) => {
      const { anyone, join, mail } = await mailApp(t, backend)
      const client = await join('ann', { verified: false })
      const rounds = [
        {
          request: '/email/verify-request',
          body: { email: addressOf('ann') },
          to: addressOf('ann'),
          kind: 'verify_email',
          confirm: '/email/verify-confirm',
        },
        {
          request: '/email/change-request',
          body: { new_email: 'new@example.com', password },
          to: 'new@example.com',
          kind: 'change_email',
          confirm: '/email/change-confirm',
        },
        {
          request: '/password/reset-request',
          body: { email: 'new@example.com' },
          to: 'new@example.com',
          kind: 'reset_password',
          confirm: '/password/reset-confirm',
        },
      ]
      for (const { request, body, to, kind, confirm } of rounds) {
        const before = mail.to(to, kind).length
        answers(await client.post(request, { ...body, redirect_to: place }), 202)
        const message = await mail.next(to, kind, before + 1)
        const link = new URL(message.context.link)
        assert.equal(link.origin, 'https://app.example.com')
        assert.deepEqual([...link.searchParams.keys()], ['token', 'redirect_to'])
        assert.equal(link.searchParams.get('redirect_to'), place)
        const token = tokenOf(message)
        const response = await anyone.post(confirm, {
          token,
          ...(kind === 'reset_password' && { new_password: next }),
        })
        assert.equal(answers(response, 200).redirect_to, place, kind)
        assert.equal(response.headers.location, undefined)
      }
    })

    test('is ignored in the body of a confirmation', async (t) => {
      const { anyone, join, ask } = await mailApp(t, backend)
      await join('ann', { verified: false })
      const token = await ask('verify', 'ann')
      const body = answers(
        await anyone.post('/email/verify-confirm', { token, redirect_to: '/elsewhere' }),
        200,
      )
      assert.deepEqual(Object.keys(body), ['detail'])
    })

    test('is dropped unless it is a path of the same origin (open redirect)', async (t) => {
      const { anyone, join, mail } = await mailApp(t, backend, {
        auth: { rateLimits: { password_reset_request: false, recipient: false } },
      })
      await join('ann')
      for (const [sent, redirect_to] of [...refused, null].entries()) {
        const known = await anyone.post('/password/reset-request', {
          email: addressOf('ann'),
          redirect_to,
        })
        const unknown = await anyone.post('/password/reset-request', {
          email: addressOf('nobody'),
          redirect_to,
        })
        assert.equal(known.statusCode, 202, String(redirect_to))
        assert.equal(known.body, unknown.body)
        const { context } = await mail.next(addressOf('ann'), 'reset_password', sent + 1)
        assert.equal(new URL(context.link).searchParams.get('redirect_to'), null)
      }
      for (const redirect_to of [1, ['/a'], {}, true, '/'.padEnd(2050, 'a')]) {
        refusesOwn(
          await anyone.post('/password/reset-request', { email: addressOf('ann'), redirect_to }),
          'FST_ERR_VALIDATION',
        )
      }
    })

    test('is escaped in the HTML and absent from the subject', async (t) => {
      const { anyone, join, mail } = await mailApp(t, backend)
      await join('ann')
      const redirect_to = '/<script>alert(1)</script>?"onload="x\'&amp;'
      answers(
        await anyone.post('/password/reset-request', { email: addressOf('ann'), redirect_to }),
        202,
      )
      const { subject, html } = await mail.next(addressOf('ann'), 'reset_password')
      assert.ok(!subject.includes('script'))
      assert.ok(html && !html.includes('<script') && !html.includes('"onload'))
    })
  })
}
