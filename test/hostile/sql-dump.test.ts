import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { sql } from 'kysely'
import { bearerTransport, sessionTransport } from '../../src/index.js'
import { kyselyState } from '../../src/state/kysely/index.js'
import { answers } from '../helpers/answers.js'
import { password, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp } from '../helpers/email.js'
import { csrfCookie, deviceCookie, sessionCookie } from '../helpers/hostile.js'
import { settle } from '../helpers/mailbox.js'
import { sqlPlaces } from '../helpers/sql-places.js'
import { createTables } from '../helpers/state.js'
import { newTables } from '../helpers/tables.js'

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url')

for (const place of sqlPlaces) {
  test(`${place.name} dump: contains no password, hash, cookie, token or address`, {
    skip: place.skip,
  }, async (t) => {
    const db = place.opener(t)()
    const tables = newTables()
    await createTables(db, place.dialect, tables)
    const state = kyselyState(db, { tables, purgeSeconds: 0 })
    const made = await mailApp(
      t,
      { name: place.name, options: () => ({ state, timeouts: { stateMs: 10_000 } }) },
      {
        auth: {
          lockout: {},
          transports: [sessionTransport(), bearerTransport({ refresh: 'body' })],
        },
      },
    )
    const client = await made.join('ann')
    const remembered = new Client(made.app)
    await remembered.login('ann', password, { remember_me: '1' })
    const tokens = answers(
      await made.anyone.post('/token', { username: 'ann', password }),
      200,
    ) as { access_token: string; refresh_token: string }
    await made.ask('reset', 'ann')
    await made.askChange(client, 'second@example.com')
    await made.join('bob', { verified: false })
    for (let i = 0; i < 7; i += 1)
      await new Client(made.app, '', { remoteAddress: '192.0.2.77' }).login(
        `nobody${i % 2}`,
        'a guessed password',
      )
    await client.post('/csrf/refresh')
    await settle()

    const texts: string[] = []
    for (const name of Object.values(tables)) {
      const { rows } = await sql<Record<string, unknown>>`select * from ${sql.table(name)}`.execute(
        db,
      )
      assert.ok(rows.length >= 5, `${name} has ${rows.length} rows`)
      for (const row of rows) texts.push(...Object.values(row).map(String))
    }
    const dump = texts.join('\n')
    const hash = String((await made.row('ann')).hashedPassword)
    const mailed = made.mail.messages.flatMap(
      ({ context }) => new URL(context.link).searchParams.get('token') ?? [],
    )
    assert.ok(mailed.length >= 4)
    const cookies = [client, remembered].flatMap((each) =>
      [sessionCookie, csrfCookie, deviceCookie].map((name) => each.cookies.get(name) ?? ''),
    )
    const secrets = [
      ...cookies,
      ...cookies.flatMap((cookie) => cookie.split('.')),
      ...mailed,
      ...mailed.map(sha256),
      ...tokens.refresh_token.split('.'),
      tokens.access_token,
      client.csrf ?? '',
      password,
      'a guessed password',
      hash,
      hash.split('$').at(-1) ?? '',
      secret,
      addressOf('ann'),
      addressOf('bob'),
      'example.com',
      'nobody0',
      '192.0.2.77',
      '127.0.0.1',
      sha256(password),
      sha256('nobody0'),
      sha256(addressOf('ann')),
      createHmac('sha256', secret).update('nobody0').digest('base64url'),
    ]
    for (const text of secrets) {
      assert.ok(text.length > 5, text)
      assert.ok(!dump.includes(text), `${text} is stored`)
    }
    // What identifies a session is there, so the scan would find what it looks for.
    assert.ok(dump.includes(sha256((client.cookies.get(sessionCookie) ?? '').split('.')[0] ?? '')))
  })
}
