import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as smtp from '../../src/email-senders/smtp.js'
import { resolveBearer } from '../../src/features/bearer/options.js'
import { resolvePasskeys } from '../../src/features/passkeys/options.js'
import * as main from '../../src/index.js'
import {
  bearerTransport,
  type CrudAuthOptions,
  currentUser,
  memoryPasskeys,
  memoryUsers,
  sessionTransport,
} from '../../src/index.js'
import * as kysely from '../../src/user-stores/kysely/index.js'
import { resolvedOptions } from '../helpers/options.js'
import { page, pages, tableRows } from './documents.js'

const valid = { secret: 'k3J9x0Qm2Zr8Lw5Vt1Bn7Hc4Yd6Pf0Gs', users: memoryUsers() }
const nobodys = 'noSuchOption'

/** What a group of options says that it takes, when it meets one that it does not know; null when it takes anything. */
function membersOf(set: (value: object) => unknown): string[] | null {
  try {
    set({ [nobodys]: 1 })
  } catch (error) {
    const list = new RegExp(`has no option "${nobodys}"; it takes (.*)$`).exec(
      (error as Error).message,
    )?.[1]
    return list?.split(', ') ?? null
  }
  return null
}

/** Every option below a group, by its path: `passwords`, `passwords.cost`, `passwords.cost.memoryKiB`. */
function pathsBelow(prefix: string, set: (value: object) => unknown): string[] {
  return (membersOf(set) ?? []).flatMap((name) => {
    const path = prefix === '' ? name : `${prefix}.${name}`
    if (path === 'secret' || path === 'users' || path === 'redis') return [path]
    return [path, ...pathsBelow(path, (value) => set({ [name]: value }))]
  })
}

const resolve = (options: object) => resolvedOptions({ ...valid, ...options } as CrudAuthOptions)
const pluginPaths = pathsBelow('', resolve)
const sessionPaths = pathsBelow('sessionTransport', (value) =>
  resolve({ transports: [sessionTransport(value)] }),
)
const bearerPaths = pathsBelow('bearerTransport', (value) =>
  resolve({ transports: [bearerTransport(value)] }),
)
const gatePaths = pathsBelow('currentUser', (value) => currentUser(value))
const limitPaths = Object.keys(resolve({}).rateLimits).map((action) => `rateLimits.${action}`)

/** Options in the first column of the configuration page, to what its third says of their default. */
const rows = new Map(
  tableRows(page('docs/configuration.md')).flatMap(([name = '', , value = '']) => {
    const option = /^`([\w.]+)`$/.exec(name)?.[1]
    return option === undefined ? [] : [[option, value] as const]
  }),
)
const isOfGroup = (name: string) =>
  /^(?:sessionTransport|bearerTransport)\./.test(name) ||
  pluginPaths.some((path) => path.split('.')[0] === name.split('.')[0])

test('docs/configuration.md: the error messages list every option', () => {
  for (const path of [
    'secret',
    'passwords.cost.memoryKiB',
    'cookies.names.csrf',
    'hooks.onAfterSudo',
  ]) {
    assert.ok(pluginPaths.includes(path), path)
  }
  assert.ok(sessionPaths.includes('sessionTransport.cookies.names.device'))
  assert.ok(bearerPaths.includes('bearerTransport.statelessUser'))
})

test('docs/configuration.md: has a row for every option and no other', () => {
  // Hooks have a page of their own; the cookies of a transport are those of the plugin.
  const isWhole = (name: string) => /^(hooks\.|(session|bearer)Transport\.cookies\.)/.test(name)
  const documented = [...pluginPaths, ...sessionPaths, ...bearerPaths, ...limitPaths].filter(
    (name) => !isWhole(name),
  )
  assert.deepEqual(
    documented.filter((name) => !rows.has(name)),
    [],
    'missing',
  )
  const named = [...rows.keys()].filter((name) => name.includes('.') && isOfGroup(name))
  assert.deepEqual(
    named.filter((name) => !documented.includes(name)),
    [],
    'no such option',
  )
})

test('docs: the defaults of bearerTransport() match the code', () => {
  const bearer = resolveBearer(bearerTransport().options, undefined, '')
  const actual = {
    accessSeconds: bearer.accessSeconds,
    clockToleranceSeconds: bearer.toleranceMs / 1000,
    refreshDays: bearer.refreshMs / 86_400_000,
    refresh: bearer.refresh,
    rotateRefresh: bearer.rotate,
    reuseGraceSeconds: bearer.graceMs / 1000,
    defaultScopes: JSON.stringify(bearer.defaultScopes),
    jwks: bearer.jwks,
    statelessUser: bearer.statelessUser,
  }
  for (const [name, value] of Object.entries(actual))
    assert.equal(rows.get(`bearerTransport.${name}`), `\`${value}\``, name)
  for (const name of ['issuer', 'audience', 'keys'] as const) {
    assert.equal(bearer[name], undefined)
    assert.equal(rows.get(`bearerTransport.${name}`), 'none', name)
  }
  assert.deepEqual(bearer.grantableScopes, bearer.defaultScopes)
  assert.equal(bearer.cookies.policy.path, '/', 'without a prefix')
})

test('docs/configuration.md: the defaults match the code', () => {
  const resolved = resolve({})
  let compared = 0
  for (const [name, value] of rows) {
    const actual = name
      .split('.')
      .reduce<unknown>((group, key) => (group as Record<string, unknown> | null)?.[key], resolved)
    // The number of cores of this machine says nothing about others.
    if (
      name === 'passwords.maxConcurrent' ||
      !['number', 'string', 'boolean'].includes(typeof actual) ||
      actual === ''
    )
      continue
    assert.equal(value, `\`${actual}\``, name)
    compared++
  }
  const { session } = resolved
  assert.ok(session)
  const { lifetime } = session
  const ofSession = {
    maxSessionsPerUser: session.maxSessionsPerUser,
    csrf: session.csrf,
    managementRoutes: session.managementRoutes,
    idleSeconds: lifetime.idleMs / 1000,
    rememberMeDays: lifetime.rememberMs / 86_400_000,
    absoluteDays: lifetime.absoluteMs / 86_400_000,
  }
  for (const [name, actual] of Object.entries(ofSession))
    assert.equal(rows.get(`sessionTransport.${name}`), `\`${actual}\``, name)
  for (const [action, limit] of Object.entries(resolved.rateLimits)) {
    assert.ok(limit && typeof limit === 'object')
    const documented = `${limit.max} per ${limit.windowSeconds} s`
    assert.equal(rows.get(`rateLimits.${action}`), documented, action)
  }
  assert.equal(rows.get('cookies.secure'), `\`${session.cookies.policy.secure}\``)
  assert.equal(rows.get('cookies.sameSite'), `\`${session.cookies.policy.sameSite}\``)
  assert.equal(rows.get('cookies.path'), `\`${session.cookies.policy.path}\``)
  for (const [key, name] of Object.entries(session.cookies.names))
    assert.equal(rows.get(`cookies.names.${key}`), `\`${name}\``)
  assert.ok(compared >= 20, `only ${compared} defaults were compared`)
})

test('docs: the defaults of email and delivery match the code', () => {
  const { delivery } = resolve({
    email: { sender: { send() {} }, frontendUrl: 'https://app.example.com' },
  })
  assert.ok(delivery?.email)
  const { email, lifetimes, limits, drainMs } = delivery
  const actual: Record<string, unknown> = {
    'delivery.maxQueued': limits.maxQueued,
    'delivery.concurrency': limits.concurrency,
    'delivery.attempts': limits.attempts,
    'delivery.firstRetrySeconds': limits.firstRetryMs / 1000,
    'delivery.attemptSeconds': limits.attemptTimeoutMs / 1000,
    'delivery.drainSeconds': drainMs / 1000,
  }
  for (const [name, value] of Object.entries(lifetimes)) actual[`email.${name}`] = value
  for (const [name, value] of Object.entries(email.paths)) actual[`email.paths.${name}`] = value
  for (const [name, value] of Object.entries(actual))
    assert.equal(rows.get(name), `\`${value}\``, name)
})

test('docs: the defaults of passkeys match the code', () => {
  const options = { rpName: 'Example', store: memoryPasskeys() }
  const settings = resolvePasskeys(options, [new URL('https://app.example.com')])
  assert.ok(settings)
  const { userVerification, attestation, maxPerUser, challengeSeconds } = settings
  const actual = { userVerification, attestation, maxPerUser, challengeSeconds }
  for (const [name, value] of Object.entries(actual))
    assert.equal(rows.get(`passkeys.${name}`), `\`${value}\``, name)
})

test('docs/email.md has a row for every kind of message', () => {
  const { text } = page('docs/email.md')
  const kinds = [
    'verify_email',
    'reset_password',
    'change_email',
    'email_changed',
    'password_changed',
    'existing_account',
    'provider_linked',
    'provider_unlinked',
    'mfa_enabled',
    'mfa_disabled',
    'recovery_code_used',
    'passkey_added',
    'passkey_removed',
  ]
  for (const kind of kinds) assert.ok(text.includes(`| \`${kind}\` |`), kind)
})

test('docs: every hook is documented', () => {
  const text = page('docs/events.md').text
  for (const path of pluginPaths)
    if (path.startsWith('hooks.')) assert.ok(text.includes(`\`${path.slice(6)}\``), path)
})

test('docs: every gate option is documented', () => {
  for (const path of gatePaths) assert.ok(rows.has(path.replace('currentUser.', '')), path)
})

test('docs: every exported value is mentioned', () => {
  const text = pages.map((document) => document.text).join('\n')
  const names = [...Object.keys(main), ...Object.keys(kysely), ...Object.keys(smtp)].filter(
    (name) => name !== 'default',
  )
  assert.deepEqual(
    names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text)),
    [],
  )
})
