import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../scripts/source-graph.js'
import { createKeyring } from '../../src/crypto/keys.js'
import { runCli } from '../helpers/cli.js'

test('secret: prints 48 random bytes that the plugin accepts, and nothing else', async () => {
  const [first, second] = await Promise.all([runCli(['secret']), runCli(['secret'])])
  assert.equal(first.code, 0)
  assert.equal(first.stderr, '')
  assert.match(first.stdout, /^[A-Za-z0-9+/]{64}\n$/)
  assert.notEqual(first.stdout, second.stdout)
  createKeyring(first.stdout.trim())
})

test('--help: describes every command', async () => {
  const { code, stdout } = await runCli(['--help'])
  assert.equal(code, 0)
  for (const command of ['secret', 'schema', 'doctor']) {
    assert.match(stdout, new RegExp(`^ {2}${command} `, 'm'))
    const own = await runCli([command, '--help'])
    assert.equal(own.code, 0)
    assert.match(own.stdout, new RegExp(`^Usage: fastify-crudauth ${command}`))
  }
})

test('--version: prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  assert.deepEqual(await runCli(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
})

const schema = ['schema', '--dialect', 'postgres', '--format', 'sql']
const mistakes: [args: string[], expected: RegExp][] = [
  [[], /command is missing; use one of secret, schema, doctor/],
  [['shcema'], /Unknown command "shcema"; the commands are secret, schema, doctor/],
  [['--verbose'], /Unknown option "--verbose"/],
  [['secret', '--length', '3'], /Unknown option "--length"; "fastify-crudauth secret --help"/],
  [['secret', 'please'], /"secret" takes no arguments/],
  [['schema', '--format', 'sql'], /"--dialect" is missing; it must be postgres, mysql or sqlite/],
  [['schema', '--dialect', 'mariadb', '--format', 'sql'], /mysql is also for MariaDB/],
  [['schema', '--dialect', 'postgres'], /"--format" is missing; .*sql, kysely, drizzle or prisma/],
  [['schema', '--dialect'], /Option "--dialect" needs a value/],
  [[...schema, '--no-users=yes'], /Option "--no-users" takes no value/],
  [[...schema, '--features', 'mfa,otp'], /takes mfa, oauth-accounts, passkeys, state.*got "otp"/],
  [[...schema, '--features', 'mfa', 'state'], /Unexpected "state"; separate features with commas/],
  [[...schema, '--table', 'auth.users'], /"--table" must be the name of a table/],
  [[...schema, '--table', "users'; drop table x"], /"--table" must be the name of a table/],
  [[...schema, '--table', 'passkeys'], /"passkeys" has another use/],
  [[...schema, '--table', 'crudauth_store'], /"crudauth_store" has another use/],
  [[...schema, '--no-users'], /"--no-users" without "--features" leaves nothing to print/],
  [['doctor'], /Name the file of your app/],
  [['doctor', './there-is-no-app.js'], /There is no file ".*there-is-no-app\.js"/],
  [['doctor', './package.json', './README.md'], /takes one file/],
  [['doctor', './package.json', '--url', 'example.com'], /"--url" must be like https:/],
]
for (const [args, expected] of mistakes)
  test(`"${args.join(' ')}" ends with exit code 2 and says what to write`, async () => {
    const { code, stdout, stderr } = await runCli(args)
    assert.equal(code, 2, stderr)
    assert.equal(stdout, '')
    assert.match(stderr, expected)
    assert.equal(stderr.trimEnd().split('\n').length, 1)
  })
