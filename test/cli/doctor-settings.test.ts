import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { createReport } from '../../src/cli/doctor/report.js'
import { runCli } from '../helpers/cli.js'
import { appWith, examineApp, saveApp } from './apps.js'

const weak = [
  'a secret with minimum length of 32 characters',
  'change-me-change-me-9fQx2LrV0mZc7TnYwKd4',
  'my-dev-9fQx2LrV0mZc7TnYwKd4HsBj8PgUe1',
  'correct horse battery staple and more words',
  'Qz7Lp2Xw9KQz7Lp2Xw9KQz7Lp2Xw9KQz7Lp2Xw9K',
]
for (const secret of weak)
  test(`doctor: the secret "${secret}" is weak, and isn't printed`, async (t) => {
    const { code, stdout, all } = await examineApp(
      t,
      appWith(
        `secret: process.env.APP_SECRET, users: memoryUsers(), registration: { [process.env.APP_SECRET]: true }`,
      ),
      { env: { APP_SECRET: secret } },
    )
    assert.equal(code, 1, all)
    assert.match(stdout, /✖ "secret" (?:is|looks|repeats)/)
    // The message of the unknown option repeats it.
    assert.match(stdout, /✖ .*registration/)
    assert.ok(!all.includes(secret), stdout)
  })

test('doctor: cookies that do not fit the routes or the environment must be fixed', async (t) => {
  const options = 'secret, users: memoryUsers(), prefix: "/auth"'
  const app = appWith(`${options}, cookies: { secure: false, path: '/api' }`)
  const production = await examineApp(t, app, { env: { NODE_ENV: 'production' } })
  assert.equal(production.code, 1, production.all)
  assert.match(production.stdout, /✖ "cookies\.secure" is off/)
  assert.match(production.stdout, /✖ "cookies\.path" is "\/api", but the routes are under "\/auth"/)
  const session = `transports: [sessionTransport({ cookies: { secure: false, path: '/auth' } })]`
  const development = await examineApp(t, appWith(`${options}, ${session}`))
  assert.equal(development.code, 0, development.all)
  assert.match(development.stdout, /! "cookies\.secure" is off/)
})

test('doctor: packages below their security floors must be fixed', async (t) => {
  const path = saveApp(t, appWith())
  const install = (name: string, version: string) => {
    const folder = join(dirname(path), 'node_modules', name)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version }))
  }
  install('nodemailer', '7.0.13')
  install('@simplewebauthn/server', '13.0.0')
  install('drizzle-orm', '0.45.1')
  const { code, stdout } = await runCli(['doctor', path])
  assert.equal(code, 1)
  assert.match(stdout, /✖ nodemailer 7\.0\.13 has known vulnerabilities; update it to 8\.0\.5/)
  assert.match(stdout, /✖ drizzle-orm 0\.45\.1/)
  assert.ok(!stdout.includes('simplewebauthn'))
})

for (const [url, password] of [
  ['postgres://app:S3cretPassX@db.example.com/app', 'S3cretPassX'],
  ['postgres://app:p@ss/w0rdlong@db.example.com/app', 'p@ss/w0rdlong'],
  ['redis://:ab/cdEFgh12@redis.example.com:6379', 'ab/cdEFgh12'],
  ['mysql://app:p%40ssw0rd99@db.example.com/app', 'p@ssw0rd99'],
] as const)
  test(`doctor: neither ${url} nor its password is printed`, () => {
    const report = createReport({ DATABASE: url })
    report.add('fix', `cannot connect to ${url}`)
    report.add('fix', `cannot log in with "${password}"`)
    const text = report.text('title')
    assert.match(text, /cannot connect to \[DATABASE\]\n/)
    assert.match(text, /cannot log in with "\[DATABASE\]"/)
  })
