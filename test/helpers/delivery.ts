import { createDispatch } from '../../src/core/delivery/dispatch.js'
import type { QueueLimits } from '../../src/core/delivery/retry-queue.js'
import { createKeyring } from '../../src/crypto/keys.js'
import type { DeliveryIntent } from '../../src/ports/delivery-channel.js'

type DispatchOptions = Parameters<typeof createDispatch>[0]

/** What `onGivenUp` receives about a message. */
export type LostMessage = Parameters<NonNullable<DispatchOptions['onGivenUp']>>[0]

export const secret = 'k3J9x0Qm2Zr8Lw5Vt1Bn7Hc4Yd6Pf0Gs-test'
export const keys = createKeyring(secret)('delivery')

/** A long timeout per attempt and short delays between retries. */
export const limits: QueueLimits = {
  maxQueued: 100,
  concurrency: 4,
  attempts: 3,
  firstRetryMs: 1,
  maxRetryMs: 5,
  attemptTimeoutMs: 60_000,
}

export const ada = { id: 1, email: 'ada@example.com' }

export const intent: DeliveryIntent = {
  kind: 'reset_password',
  token: 'T0ken-abcdefghijklmnop',
  user: ada,
  recipient: 'ada@example.com',
  factor: 'email',
  expiresInSeconds: 3600,
  redirectTo: '/notes?tab=2',
}

/** A logger that collects its lines as text, with the stacks of errors. */
export function captureLog() {
  const lines: string[] = []
  const write = (level: string) => (details: object, message: string) => {
    const { err } = details as { err?: Error }
    const told = err
      ? { ...err, name: err.name, message: err.message, stack: err.stack }
      : undefined
    lines.push(`${level} ${message} ${JSON.stringify({ ...details, err: told })}`)
  }
  return { lines, log: { warn: write('warn'), error: write('error') } }
}

/** A dispatch with one user. Its log lines are in `lines`. */
export function testDispatch(options: Partial<DispatchOptions> = {}) {
  const { lines, log } = captureLog()
  const dispatch = createDispatch({
    channels: [],
    limits,
    keys,
    viewOf: (user) => user,
    encodeUser: (user) => `n${user.id}`,
    findUser: async (id) => (id === 'n1' ? ada : null),
    log,
    ...options,
  })
  return { ...dispatch, lines }
}

/** A promise with the functions that settle it. */
export function deferred<T = void>() {
  let resolve: (value: T) => void = () => {}
  let reject: (cause: unknown) => void = () => {}
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
