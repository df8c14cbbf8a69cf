import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import {
  bearerTransport,
  memoryUsers,
  sessionTransport,
  type UserId,
  type UserStore,
  type UserValues,
} from '../../src/index.js'
import { answers } from './answers.js'
import type { Backend } from './backends.js'
import { type BuildOptions, build, password } from './build.js'
import { Client } from './client.js'
import { Mailbox, settle } from './mailbox.js'

export const next = 'another good phrase'
export const transports = [
  sessionTransport({ managementRoutes: true }),
  bearerTransport({ refresh: 'body' }),
]
/** Fields of a user model with a phone number and an email address. */
export const withPhone = [
  ...['email', 'username', 'hashedPassword', 'isActive', 'tokenVersion', 'emailVerified'],
  ...['phone', 'phoneVerified'],
]
export const addressOf = (name: string) => `${name}@example.com`

/** Users that a test can delete and create again with the same id. */
export function mortalUsers(inner: UserStore = memoryUsers()) {
  let live = inner
  const store: UserStore = {
    fields: inner.fields,
    findById: (id) => live.findById(id),
    findBy: (field, value) => live.findBy(field, value),
    create: (values) => live.create(values),
    update: (id, values) => live.update(id, values),
    compareAndSet: (id, expected, values) => live.compareAndSet(id, expected, values),
  }
  return {
    store,
    /** Deletes all users and creates this one. */
    async remake(values: UserValues) {
      live = memoryUsers()
      await live.create(values)
    },
  }
}

export type Row = Record<string, unknown>

/** An app with sessions and bearer tokens. The test can read its mail and its users. */
export async function mailApp(
  t: TestContext,
  backend: Backend,
  { auth, ...more }: BuildOptions = {},
) {
  const mail = new Mailbox()
  const users = (auth?.users as UserStore | undefined) ?? memoryUsers()
  const app = await build(t, {
    ...more,
    auth: {
      ...backend.options(),
      transports,
      email: mail.options(),
      lockout: false,
      ...auth,
      users,
    },
  })
  const row = async (name: string) => (await users.findBy('username', name)) as Row

  /** Requests a change of address. Returns the token sent to the new address. */
  const askChange = async (client: Client, to: string, secret = password): Promise<string> => {
    const before = mail.to(to, 'change_email').length
    answers(await client.post('/email/change-request', { new_email: to, password: secret }), 202)
    return mail.token(to, 'change_email', before + 1)
  }

  return {
    app,
    mail,
    users,
    row,
    /** A client that is not signed in. */
    anyone: new Client(app),
    set: async (name: string, values: UserValues) =>
      assert.ok(await users.update((await row(name)).id as UserId, values)),
    /** Registers a user and, by default, verifies the address. Returns a signed-in client. */
    async join(name: string, { verified = true } = {}): Promise<Client> {
      const client = new Client(app)
      answers(await client.register(name), 202)
      const token = await mail.token(addressOf(name), 'verify_email')
      if (verified) answers(await client.post('/email/verify-confirm', { token }), 200)
      answers(await client.login(name), 200)
      return client
    },
    /** Requests a verification or a password reset. Returns the token in the message. */
    async ask(path: 'verify' | 'reset', name: string): Promise<string> {
      const [url, kind] =
        path === 'verify'
          ? ['/email/verify-request', 'verify_email']
          : ['/password/reset-request', 'reset_password']
      const before = mail.to(addressOf(name), kind).length
      answers(await new Client(app).post(url, { email: addressOf(name) }), 202)
      return mail.token(addressOf(name), kind, before + 1)
    },
    askChange,
    /** Changes the address of an account. Returns the token that reverts the change. */
    async move(client: Client, from: string, to: string, secret = password): Promise<string> {
      const before = mail.to(from, 'email_changed').length
      const token = await askChange(client, to, secret)
      answers(await client.post('/email/change-confirm', { token }), 200)
      return mail.token(from, 'email_changed', before + 1)
    },
    /** Asserts that `run` sends no message. */
    async sendsNothing(run: () => Promise<unknown>) {
      const before = mail.messages.length
      await run()
      await settle()
      assert.deepEqual(
        mail.messages.slice(before).map(({ kind, to }) => `${kind} to ${to}`),
        [],
      )
    },
  }
}

export type MailApp = Awaited<ReturnType<typeof mailApp>>

/** Signs in and returns an access token and its refresh token. */
export async function tokensOf(app: MailApp['app'], name: string, secret = password) {
  const { access_token, refresh_token } = answers(
    await new Client(app).form('/token', { username: name, password: secret }),
    200,
  )
  return { access: access_token as string, refresh: refresh_token as string }
}

/** Response statuses for a session, an access token and a refresh token: 200 while it is valid. */
export async function standing(
  app: MailApp['app'],
  client: Client,
  tokens: { access: string; refresh: string },
) {
  const me = await client.get('/me')
  const bearer = await app.inject({
    url: '/me',
    headers: { authorization: `Bearer ${tokens.access}` },
  })
  const refreshed = await new Client(app).post('/refresh', { refresh_token: tokens.refresh })
  return [me.statusCode, bearer.statusCode, refreshed.statusCode]
}
