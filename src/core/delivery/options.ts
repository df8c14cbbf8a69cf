import {
  checkFunction,
  checkInteger,
  checkObject,
  checkPositive,
  describe,
  fail,
  isLoopback,
} from '../../lib/option-checks.js'
import type { DeliveryChannel } from '../../ports/delivery-channel.js'
import type { EmailSender } from '../../ports/email-sender.js'
import type { DeliveryOptions, EmailOptions, EmailPaths } from './option-types.js'

const emailOptions = [
  'sender',
  'frontendUrl',
  'paths',
  'verifySeconds',
  'resetSeconds',
  'changeSeconds',
  'revertSeconds',
  'render',
]
const deliveryOptions = [
  'enqueue',
  'maxQueued',
  'concurrency',
  'attempts',
  'firstRetrySeconds',
  'attemptSeconds',
  'drainSeconds',
]

/** Longer than any sensible lifetime, and below the limits of timers and TTLs. */
const maxSeconds = 30 * 86_400
const maxRetryMs = 300_000
const pathOfPage = /^(?:\/[\w.~!$&'()*+,;=:@%-]+)+\/?$/

function resolveFrontendUrl(value: unknown): string {
  const example = 'such as "https://app.example.com"'
  if (typeof value !== 'string')
    fail(`"email.frontendUrl" must be a URL ${example}, got ${describe(value)}`)
  const url = URL.canParse(value) ? new URL(value) : null
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    fail(
      `"email.frontendUrl" must be an absolute URL ${example}, got ${value === '' ? 'an empty string' : 'another text'}`,
    )
  }
  if (url.username !== '' || url.password !== '')
    fail('"email.frontendUrl" must not carry a user or a password')
  if (value.includes('?') || value.includes('#')) {
    fail('"email.frontendUrl" must not have a query or a fragment; the links add theirs to it')
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    fail(
      '"email.frontendUrl" must be https: its links carry secrets; http is for "http://localhost:…" in development',
    )
  }
  return url.href.replace(/\/+$/, '')
}

function resolvePath(name: keyof EmailPaths, value: unknown, fallback: string): string {
  if (value === undefined) return fallback
  if (
    typeof value !== 'string' ||
    !pathOfPage.test(value) ||
    /(?:^|\/)\.{1,2}(?:\/|$)/.test(value)
  ) {
    fail(
      `"email.paths.${name}" must be a path such as "${fallback}", without query and fragment, got ${describe(value)}`,
    )
  }
  return value
}

function resolveSender(value: unknown): EmailSender {
  const sender = value as EmailSender | undefined
  if (typeof sender?.send !== 'function') {
    fail(
      `"email.sender" must have a "send" function, got ${describe(value)}; try smtpSender(), or logSender() in development`,
    )
  }
  if (sender.close !== undefined) checkFunction('email.sender.close', sender.close)
  return sender
}

function resolveLifetimes(options: Partial<EmailOptions>) {
  const seconds = (
    name: 'verifySeconds' | 'resetSeconds' | 'changeSeconds' | 'revertSeconds',
    fallback: number,
  ) => checkInteger(`email.${name}`, options[name], fallback, 1, maxSeconds)
  return Object.freeze({
    verifySeconds: seconds('verifySeconds', 86_400),
    resetSeconds: seconds('resetSeconds', 3600),
    changeSeconds: seconds('changeSeconds', 3600),
    revertSeconds: seconds('revertSeconds', 259_200),
  })
}

function resolveEmail(options: EmailOptions) {
  checkObject('email', options, emailOptions)
  const paths = options.paths ?? {}
  checkObject('email.paths', paths, ['verify', 'reset', 'change', 'revert'])
  return Object.freeze({
    sender: resolveSender(options.sender),
    frontendUrl: resolveFrontendUrl(options.frontendUrl),
    paths: Object.freeze({
      verify: resolvePath('verify', paths.verify, '/verify-email'),
      reset: resolvePath('reset', paths.reset, '/reset-password'),
      change: resolvePath('change', paths.change, '/confirm-email-change'),
      revert: resolvePath('revert', paths.revert, '/revert-email'),
    }),
    render: checkFunction('email.render', options.render),
  })
}

/** Channels with their names resolved. */
function resolveChannels(
  value: unknown,
  hasEmail: boolean,
): readonly (DeliveryChannel & { readonly name: string })[] {
  if (value === undefined) return Object.freeze([])
  if (!Array.isArray(value)) fail(`"channels" must be an array of channels, got ${describe(value)}`)
  const names = new Set(hasEmail ? ['email'] : [])
  return Object.freeze(
    (value as DeliveryChannel[]).map((channel, at) => {
      if (typeof channel?.deliver !== 'function') {
        fail(
          `"channels" takes objects with a "deliver" function; the one at ${at} is ${describe(channel)}`,
        )
      }
      const name = channel.name ?? `channel-${at + 1}`
      if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name)) {
        fail(
          `"name" of the channel at ${at} must be at most 64 letters, digits and "._-", such as "sms"`,
        )
      }
      if (names.has(name)) fail(`"channels" has two of the name "${name}"; give each its own`)
      names.add(name)
      const close = channel.close?.bind(channel)
      return Object.freeze({
        name,
        deliver: channel.deliver.bind(channel),
        ...(close && { close }),
      })
    }),
  )
}

function resolveQueue(options: DeliveryOptions = {}) {
  checkObject('delivery', options, deliveryOptions)
  const milliseconds = (name: 'firstRetrySeconds' | 'attemptSeconds', fallback: number) => {
    const value = checkPositive(`delivery.${name}`, options[name], fallback)
    if (value > 3600)
      fail(`"delivery.${name}" must be a number above 0 and at most 3600, got ${describe(value)}`)
    return Math.max(1, value * 1000)
  }
  const firstRetryMs = milliseconds('firstRetrySeconds', 1)
  return {
    enqueue: checkFunction('delivery.enqueue', options.enqueue),
    limits: Object.freeze({
      maxQueued: checkInteger('delivery.maxQueued', options.maxQueued, 1000, 1, 1_000_000),
      concurrency: checkInteger('delivery.concurrency', options.concurrency, 4, 1, 1000),
      attempts: checkInteger('delivery.attempts', options.attempts, 6, 1, 100),
      firstRetryMs,
      maxRetryMs: Math.max(firstRetryMs, maxRetryMs),
      attemptTimeoutMs: milliseconds('attemptSeconds', 30),
    }),
    drainMs: checkInteger('delivery.drainSeconds', options.drainSeconds, 10, 0, 3600) * 1000,
  }
}

/**
 * Checks `email`, `channels` and `delivery`. Returns null if there is no channel.
 * @param recovery the recovery field, which messages must reach, or null
 * @throws CRUDAUTH_CONFIG saying what to change
 */
export function resolveDelivery(
  options: {
    readonly email?: EmailOptions | undefined
    readonly channels?: readonly DeliveryChannel[] | undefined
    readonly delivery?: DeliveryOptions | undefined
  },
  recovery: string | null = null,
) {
  const email = options.email === undefined ? null : resolveEmail(options.email)
  const channels = resolveChannels(options.channels, email !== null)
  const queue = resolveQueue(options.delivery)
  if (email && channels.length === 0 && recovery !== null && recovery !== 'email') {
    fail(
      `"identity.recovery" is "${recovery}", which email cannot reach; add a channel that can to "channels"`,
    )
  }
  if (!email && channels.length === 0) {
    if (options.delivery !== undefined)
      fail('"delivery" needs "email" or "channels"; remove it if nothing is delivered')
    return null
  }
  return Object.freeze({
    email,
    /** The app's own channels, without the email channel. */
    channels,
    lifetimes: resolveLifetimes(options.email ?? {}),
    ...queue,
  })
}
