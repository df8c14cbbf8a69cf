import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { bearerTransport, sessionTransport } from '../../src/index.js'
import { Authenticator } from '../demo/authenticator.js'
import { backends } from '../helpers/backends.js'
import { limitsOff } from '../helpers/build.js'
import { openUsers } from '../helpers/hostile.js'
import { Mailbox } from '../helpers/mailbox.js'
import { mfaOptions } from '../helpers/mfa.js'
import { buildOAuth, codeOf, fields } from '../helpers/oauth.js'
import { contract, required, type Step } from './contract.js'
import { differencesTable } from './table.js'

/** A browser over real HTTP: it keeps cookies, and sends the CSRF token that it was given. */
class Browser {
  readonly cookies = new Map<string, string>()
  csrf: string | null = null

  constructor(readonly url: string) {}

  async send({ method, path, form, multipart, json, headers, csrf }: Step['request']) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const data = multipart && new FormData()
    for (const [name, value] of Object.entries(multipart ?? {})) data?.set(name, value)
    const response = await fetch(this.url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(cookie && { cookie }),
        ...(csrf !== false && this.csrf !== null && { 'x-csrf-token': this.csrf }),
        ...(json && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(json && { body: JSON.stringify(json) }),
      ...(form && { body: new URLSearchParams(form) }),
      ...(data && { body: data }),
    })
    const set: string[] = []
    const cleared: string[] = []
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';')
      const at = pair.indexOf('=')
      const name = pair.slice(0, at)
      if (/Max-Age=0\b/.test(line)) {
        cleared.push(name)
        this.cookies.delete(name)
      } else {
        set.push(name)
        this.cookies.set(name, pair.slice(at + 1))
      }
    }
    const text = await response.text()
    // biome-ignore lint/suspicious/noExplicitAny: of any form
    let body: any = null
    try {
      body = JSON.parse(text)
    } catch {}
    if (typeof body?.csrf_token === 'string') this.csrf = body.csrf_token
    return { response, body, set, cleared }
  }
}

/** The columns of the second factor. */
const factorFields = ['totpSecretEncrypted', 'totpConfirmedAt', 'totpLastStep', 'mfaRecoveryCodes']

/** A nested member, such as `setup.secret`. */
// biome-ignore lint/suspicious/noExplicitAny: of any form
const at = (body: any, path: string) => path.split('.').reduce((part, name) => part?.[name], body)

/** A parameter of a redirect, in its query or its fragment. */
function parameterOf(location: string | null, name: string): string | null {
  const { searchParams, hash } = new URL(location ?? '', 'http://app.example.com')
  return searchParams.get(name) ?? new URLSearchParams(hash.slice(1)).get(name)
}

for (const backend of backends) {
  test(`${backend.name}: responses match what a front end written for CRUDAuth expects`, async (t) => {
    const mail = new Mailbox()
    const { app } = await buildOAuth(t, {
      auth: {
        ...backend.options(),
        users: openUsers({ fields: [...fields, ...factorFields] }).store,
        mfa: { ...mfaOptions, required: ({ username }) => username === required },
        rateLimits: limitsOff,
        transports: [
          sessionTransport({ managementRoutes: true }),
          bearerTransport({ refresh: 'body' }),
        ],
        email: mail.options(),
      },
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
    const browsers = new Map<string, Browser>()
    const values = new Map<string, string>()
    const authenticators = new Map<string, Authenticator>()

    const sources: Record<string, (key: string) => Promise<string | null | undefined>> = {
      async mail(kind) {
        await app.crudAuth.delivery.settled()
        const link = mail.messages.filter((one) => one.kind === kind).at(-1)?.context.link
        return link && new URL(link).searchParams.get('token')
      },
      async totp(name) {
        const secret = String(values.get(name))
        const authenticator = authenticators.get(secret) ?? new Authenticator(secret)
        authenticators.set(secret, authenticator)
        return authenticator.code()
      },
      provider: async (name) =>
        codeOf({
          nonce: values.get('nonce'),
          sub: name,
          email: `${name}@example.com`,
          email_verified: true,
        }),
    }

    /** Puts in what earlier steps have captured, and tokens of mails. */
    const filled = async <T>(part: T): Promise<T> => {
      let text = JSON.stringify(part)
      for (const [whole, name = ''] of text.matchAll(/\{([a-z0-9:_]+)\}/g)) {
        const [source = '', key = ''] = name.split(':')
        const value = name.includes(':') ? await sources[source]?.(key) : values.get(name)
        assert.ok(value, `${whole} has no value`)
        text = text.replace(whole, value)
      }
      return JSON.parse(text) as T
    }

    for (const { name, as, request, expect, capture = {} } of contract) {
      const browser = browsers.get(as) ?? new Browser(url)
      browsers.set(as, browser)
      const { response, body, set, cleared } = await browser.send(await filled(request))
      assert.equal(response.status, expect.status, `${name}: ${JSON.stringify(body)}`)
      const shown = Array.isArray(body) ? body[0] : body
      for (const key of expect.keys ?? [])
        assert.notEqual(at(shown, key), undefined, `${name}: no member ${key}`)
      for (const [key, value] of Object.entries(expect.body ?? {}))
        assert.deepEqual(shown[key], value, `${name}: ${key}`)
      for (const [key, other] of Object.entries(expect.unlike ?? {}))
        assert.notEqual(at(shown, key), values.get(other), `${name}: ${key}`)
      for (const cookie of expect.cookies ?? [])
        assert.ok(set.includes(cookie), `${name}: ${cookie}`)
      for (const cookie of expect.cleared ?? [])
        assert.ok(cleared.includes(cookie), `${name}: ${cookie} stays`)
      for (const [header, value] of Object.entries(expect.headers ?? {})) {
        const given = response.headers.get(header) ?? ''
        if (typeof value === 'string') assert.equal(given, value, name)
        else assert.match(given, value, name)
      }
      for (const [member, as] of Object.entries(capture)) {
        const other = Array.isArray(body) ? body.find(({ current }) => !current) : null
        const value = member.startsWith('other.')
          ? at({ other }, member)
          : member.startsWith('location:')
            ? parameterOf(response.headers.get('location'), member.slice(9))
            : at(body, member)
        values.set(as, String(value))
      }
    }
  })
}

test('migration guide: its table of differences matches this contract', () => {
  const guide = readFileSync(
    new URL('../../docs/guides/migrate-crudauth.md', import.meta.url),
    'utf8',
  )
  assert.ok(guide.includes(differencesTable()), `the guide lacks:\n${differencesTable()}`)
})
