import type { CrudAuthOptions } from '../../core/option-types.js'
import { isRedisUrl } from '../../core/options.js'
import type { PasskeyStore } from '../../ports/passkey-store.js'
import { openRedis } from '../../state/redis/client.js'
import type { Registration } from './registrations.js'
import { nameOf, type Report } from './report.js'
import { isAtLeast } from './versions.js'
import { within } from './within.js'

const waitMs = 5000
const oldestRedis = '6.2'

/** Reads what Redis says about itself. The connection is one of our own, unless the app passes its client. */
async function askRedis(redis: NonNullable<CrudAuthOptions['redis']>): Promise<string> {
  const { client, owned, close } = openRedis(redis, { timeoutMs: waitMs })
  let failure: unknown
  const keep = (error: unknown) => {
    failure ??= error
  }
  client.on('error', keep)
  try {
    return await within(waitMs, 'Redis', async () => {
      if (owned) await client.connect()
      return (client as { info(): Promise<string> }).info()
    })
  } catch (error) {
    throw failure ?? error
  } finally {
    client.off('error', keep)
    // A socket that fails while it closes is no longer of interest.
    if (owned) client.on('error', () => {})
    await close()
  }
}

async function checkRedis(report: Report, redis: NonNullable<CrudAuthOptions['redis']>) {
  const info = await askRedis(redis).catch((error) => {
    report.add(
      'fix',
      `Redis doesn't answer (${nameOf(error)}). Check "redis": its address, password and TLS, and that it runs.`,
    )
    return null
  })
  if (info === null) return
  const value = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1]
  const version = value('redis_version') ?? '?'
  if (version !== '?' && !isAtLeast(version, oldestRedis))
    report.add('fix', `Redis ${version} is too old; use Redis ${oldestRedis} or later.`)
  else report.add('ok', `Redis ${version} answers.`)
  const policy = value('maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction' && value('maxmemory') !== '0')
    report.add(
      'warn',
      `Redis evicts keys when its memory is full (maxmemory-policy ${policy}), and an evicted counter is a forgotten lock. Set it to noeviction.`,
    )
}

async function checkState(report: Report, { verify }: NonNullable<CrudAuthOptions['state']>) {
  if (typeof verify !== 'function') return
  await within(waitMs, 'The state store', () => verify()).then(
    () => report.add('ok', 'The tables or stores of "state" answer.'),
    (error: { code?: unknown; message?: unknown }) =>
      report.add(
        'fix',
        error?.code === 'CRUDAUTH_CONFIG'
          ? String(error.message)
          : `The stores of "state" don't answer (${nameOf(error)}).`,
      ),
  )
}

async function checkUsers(report: Report, users: CrudAuthOptions['users'] | undefined) {
  const field = users?.fields?.unique?.[0]
  if (typeof users?.findBy !== 'function' || typeof field !== 'string') return
  await within(waitMs, 'The user store', () =>
    users.findBy(field, 'nobody@fastify-crudauth.invalid'),
  ).then(
    () => report.add('ok', 'The user store answers.'),
    (error: { code?: unknown; message?: unknown }) =>
      report.add(
        'fix',
        error?.code === 'CRUDAUTH_CONFIG'
          ? String(error.message)
          : `The user store doesn't answer (${nameOf(error)}). If its table is named above, fix that first. Otherwise check the connection of your users database.`,
      ),
  )
}

/** Compares the table of passkeys with the store, or asks a store without a table. */
async function checkPasskeys(report: Report, store: Partial<PasskeyStore>) {
  const { verifySchema, findByCredentialId } = store
  if (typeof verifySchema !== 'function' && typeof findByCredentialId !== 'function') return
  await within(waitMs, 'The passkey store', async () => {
    if (verifySchema) return verifySchema()
    await findByCredentialId?.('fastify-crudauth')
    return []
  }).then(
    (findings) => {
      for (const { level, message } of findings)
        report.add(level === 'error' ? 'fix' : 'warn', message)
      if (findings.length === 0) report.add('ok', 'The passkey store answers.')
    },
    (error) =>
      report.add(
        'fix',
        `The passkey store doesn't answer (${nameOf(error)}). Check the connection of its database.`,
      ),
  )
}

/** Asks the services that a registration uses. */
export async function checkServices(report: Report, { options }: Registration): Promise<void> {
  const { redis, state, users } = options
  // The plugin has refused another text already.
  if (typeof redis === 'string' ? isRedisUrl(redis) : redis !== undefined)
    await checkRedis(report, redis as NonNullable<typeof redis>)
  if (typeof state === 'object' && state !== null) await checkState(report, state)
  await checkUsers(report, users)
  // The plugin has refused anything else already.
  const store: Partial<PasskeyStore> | undefined = options.passkeys?.store
  if (store) await checkPasskeys(report, store)
}
