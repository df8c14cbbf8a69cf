import {
  checkFunction,
  checkInteger,
  checkObject,
  checkPositive,
  describe,
  fail,
  isLoopback,
} from '../../lib/option-checks.js'
import type { DeliveryChannel, DeliveryJob } from '../../ports/delivery-channel.js'
import type { EmailSender, RenderEmail } from '../../ports/email-sender.js'

/** Pages of the front end, as paths under `frontendUrl`. */
export interface EmailPaths {
  /** Confirms an address. Default `/verify-email`. */
  readonly verify?: string | undefined
  /** Sets a new password; without a token, asks for the link. Default `/reset-password`. */
  readonly reset?: string | undefined
  /** Confirms a new address. Default `/confirm-email-change`. */
  readonly change?: string | undefined
  /** Takes a change of address back. Default `/revert-email`. */
  readonly revert?: string | undefined
}

/** Emails that carry a link into the front end, where a page posts the link's token to the confirm routes. */
export interface EmailOptions {
  /** Sends them: `smtpSender()`, `logSender()` in development, or the app's own. The app's closing closes it. */
  readonly sender: EmailSender
  /** Where links lead, such as `https://app.example.com`; https, or http on this machine alone. */
  readonly frontendUrl: string
  readonly paths?: EmailPaths | undefined
  /** Seconds that a link to confirm an address works. Default 86400. */
  readonly verifySeconds?: number | undefined
  /** Seconds that a link to reset a password works. Default 3600. */
  readonly resetSeconds?: number | undefined
  /** Seconds that a link to confirm a new address works. Default 3600. */
  readonly changeSeconds?: number | undefined
  /** Seconds that a change of address can be taken back from the old one. Default 259200. */
  readonly revertSeconds?: number | undefined
  /** Words the emails, in the user's language for instance. Default: English. */
  readonly render?: RenderEmail | undefined
}

/** How messages get to their channels. All numbers are for each channel of this process. */
export interface DeliveryOptions {
  /** Gives messages to a queue of the app's, sealed, which has them delivered by `app.crudAuth.recovery.deliver(job)`. */
  readonly enqueue?: ((job: DeliveryJob) => unknown) | undefined
  /** Messages that may be unfinished; a further one is dropped, and that is logged. Default 1000. */
  readonly maxQueued?: number | undefined
  /** Messages under way at a time. Default 4. */
  readonly concurrency?: number | undefined
  /** Attempts at a message, the first included. Default 6. */
  readonly attempts?: number | undefined
  /** Seconds before the first retry; each further one waits four times longer, at most 5 minutes. Default 1. */
  readonly firstRetrySeconds?: number | undefined
  /** Seconds that an attempt may take. Default 30. */
  readonly attemptSeconds?: number | undefined
  /** Seconds that closing the app waits for what is unfinished. Default 10. */
  readonly drainSeconds?: number | undefined
}

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

/** Longer than the longest lifetime that makes sense, shorter than what a timer or a TTL can hold. */
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

/** Channels with their names settled. */
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
 * Checks `email`, `channels` and `delivery`; null when there is nothing to deliver with.
 * @param recovery the factor that messages have to reach, or null
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
      `"identity.recovery" is "${recovery}", which no email reaches; add a channel that does to "channels"`,
    )
  }
  if (!email && channels.length === 0) {
    if (options.delivery !== undefined)
      fail('"delivery" needs "email" or "channels"; leave it out where nothing is delivered')
    return null
  }
  return Object.freeze({
    email,
    /** The app's own; the email channel is not among them. */
    channels,
    lifetimes: resolveLifetimes(options.email ?? {}),
    ...queue,
  })
}
