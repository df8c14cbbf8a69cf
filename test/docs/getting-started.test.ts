import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { sql } from 'kysely'
import { startSmtp } from '../../scripts/services/smtp.js'
import { openPostgres, serverOf } from '../helpers/databases.js'
import { sourcePaths } from './compile.js'
import { blocksOf, page, root } from './documents.js'

const guide = blocksOf(page('docs/getting-started.md'))
const postgres = serverOf('TEST_POSTGRES_URL')
const redisUrl = process.env.TEST_REDIS_URL ?? ''
const password = 'a quiet sea at noon'
const ada = { email: 'ada@example.com', username: 'ada', password }

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Saves a block as `server.mjs`, as the guide says, and starts it. */
async function startServer(t: TestContext, name: string, env: Record<string, string>) {
  let code = guide.find(({ marks }) => marks.name === name)?.code
  assert.ok(code, `the guide has the server "${name}"`)
  for (const [entry, [path = '']] of Object.entries(sourcePaths()))
    code = code.replaceAll(`'${entry}'`, `'${pathToFileURL(path)}'`)
  mkdirSync(join(root, '.tmp'), { recursive: true })
  const folder = mkdtempSync(join(root, '.tmp', 'example-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'server.mjs'), code)
  const port = await freePort()
  const child = spawn(process.execPath, ['--import', 'tsx', join(folder, 'server.mjs')], {
    cwd: root,
    env: { ...process.env, ...env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  const ended = once(child, 'exit')
  const stop = async () => {
    child.kill()
    await ended
  }
  t.after(stop)
  const url = `http://127.0.0.1:${port}`
  for (;;) {
    if (child.exitCode !== null) assert.fail(`the server ended:\n${output}`)
    if (await fetch(`${url}/dashboard`).catch(() => null)) return { url, stop }
    await sleep(50)
  }
}

const post = (url: string, body: object) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

const cookiesOf = (response: Response) =>
  response.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ')

test('getting started: sign-up, sign-in and the guarded route work on the first server', async (t) => {
  const { url } = await startServer(t, 'first-server', {})
  assert.equal((await post(`${url}/auth/register`, ada)).status, 201)
  const login = await post(`${url}/auth/login`, ada)
  assert.equal(login.status, 200)
  assert.equal((await fetch(`${url}/dashboard`)).status, 401)
  const dashboard = await fetch(`${url}/dashboard`, { headers: { cookie: cookiesOf(login) } })
  assert.deepEqual(await dashboard.json(), { hello: 'ada' })
})

test('getting started: the real server uses PostgreSQL, Redis and mail, and a restart keeps users signed in', {
  skip: postgres.skip || (redisUrl ? false : 'TEST_REDIS_URL is not set'),
}, async (t) => {
  const schema = `start_${randomBytes(6).toString('hex')}`
  const admin = openPostgres(postgres.url)
  t.after(async () => {
    await sql.raw(`drop schema ${schema} cascade`).execute(admin)
    await admin.destroy()
  })
  const table = guide.find(({ marks }) => marks.table === 'postgres')?.code ?? ''
  await sql.raw(`create schema ${schema}`).execute(admin)
  await sql.raw(table.replace('create table users', `create table ${schema}.users`)).execute(admin)
  const database = new URL(postgres.url)
  database.searchParams.set('options', `-c search_path=${schema}`)
  const smtp = await startSmtp({ plain: true })
  t.after(() => smtp.stop())

  const env = {
    AUTH_SECRET: randomBytes(48).toString('base64'),
    DATABASE_URL: database.href,
    REDIS_URL: redisUrl,
    SMTP_URL: smtp.url,
    FRONTEND_URL: 'http://localhost:3000',
    SMTP_INSECURE: '1',
  }
  const first = await startServer(t, 'getting-started', env)
  assert.equal((await post(`${first.url}/auth/register`, ada)).status, 202)
  const [mail] = await smtp.received(1)
  const token = /verify-email\?token=([\w-]+)/.exec(mail?.parsed.text ?? '')?.[1]
  assert.ok(token, 'the mail has a link')
  assert.match(await (await fetch(`${first.url}/verify-email`)).text(), /Confirm my address/)
  assert.equal((await post(`${first.url}/auth/email/verify-confirm`, { token })).status, 200)
  const login = await post(`${first.url}/auth/login`, ada)
  assert.equal(login.status, 200)
  await first.stop()

  const second = await startServer(t, 'getting-started', env)
  const headers = { cookie: cookiesOf(login) }
  assert.deepEqual(await (await fetch(`${second.url}/dashboard`, { headers })).json(), {
    hello: 'ada',
  })
  const me = await (await fetch(`${second.url}/auth/me`, { headers })).json()
  assert.equal((me as { email_verified: boolean }).email_verified, true)
})
