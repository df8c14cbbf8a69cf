import type { PurposeKeys } from '../../crypto/keys.js'
import { createSeal } from '../../crypto/seal.js'
import { unavailableError } from '../../lib/unavailable.js'
import type {
  DeliveryChannel,
  DeliveryIntent,
  DeliveryJob,
  DeliveryKind,
} from '../../ports/delivery-channel.js'
import type { RegisteredUser } from '../../ports/fastify.js'
import { DeliveryFailedError, deliveryFailure } from './delivery-error.js'
import { type JobContent, openJob, sealJob } from './jobs.js'
import {
  createDeliveryQueue,
  type DeliveryQueue,
  type DropReason,
  type QueueLimits,
  type QueueReports,
} from './retry-queue.js'
import { attempt } from './with-timeout.js'

/**
 * Where failures are logged; Fastify's loggers fit. Details contain neither tokens nor addresses.
 */
interface DeliveryLog {
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** A channel with its name resolved. */
export type NamedChannel = DeliveryChannel & { readonly name: string }

interface DispatchOptions {
  readonly channels: readonly NamedChannel[]
  /** Limits of each channel, and of handing jobs to the app's queue. */
  readonly limits: QueueLimits
  /**
   * Adds a job to the app's own queue, whose worker calls `deliver`. Absent: this process delivers.
   */
  readonly enqueue?: ((job: DeliveryJob) => unknown) | undefined
  /** Keys that encrypt jobs, derived for this purpose alone. */
  readonly keys: PurposeKeys
  /** A user without credential columns, for channels. */
  viewOf(user: RegisteredUser): RegisteredUser
  /** The id of a row, as text. */
  encodeUser(user: RegisteredUser): string
  /** The row of an encoded id; null if the user was deleted or disabled. */
  findUser(userId: string): Promise<RegisteredUser | null>
  readonly log: DeliveryLog
  /** Called for each message that this process will not deliver. */
  readonly onGivenUp?: ((lost: LostMessage) => unknown) | undefined
}

/** A message that was not delivered. */
interface LostMessage {
  readonly channel: string
  readonly kind: DeliveryKind
  readonly reason: 'failed' | DropReason
  readonly attempts: number
}

/** Sends messages to every channel. */
interface Dispatch {
  /** Accepts a message. Never throws and never waits. */
  dispatch(intent: DeliveryIntent): void
  /**
   * Delivers a job that was passed to `enqueue`, once. Silently drops a message that has expired,
   * or whose user was deleted or disabled. The queue retries, except after an error with
   * `permanent: true`.
   * @throws CRUDAUTH_BAD_REQUEST for an invalid job; the channel's failure; CRUDAUTH_UNAVAILABLE
   * when the users' database fails or the app has closed
   */
  deliver(job: unknown): Promise<void>
  /** Resolves when nothing is waiting or running in this process. */
  idle(): Promise<void>
  /** Waits at most `drainMs` for unfinished messages, then closes the channels. */
  close(drainMs: number): Promise<void>
}

interface Label {
  readonly channel: string
  readonly kind: DeliveryKind
}

/**
 * Messages that warn of an account takeover. They have their own queues, so that other people's
 * sign-ups cannot crowd them out.
 */
const alerts: ReadonlySet<DeliveryKind> = new Set([
  'password_changed',
  'email_changed',
  'provider_linked',
  'provider_unlinked',
  'mfa_enabled',
  'mfa_disabled',
  'recovery_code_used',
  'passkey_added',
  'passkey_removed',
])
const isAlert = ({ kind }: DeliveryIntent): boolean => alerts.has(kind)

/** A younger message states the token's full lifetime instead of the remaining seconds. */
const roundedMs = 60_000

const endOf = ({ token, expiresInSeconds }: DeliveryIntent): number | null =>
  token === null ? null : Date.now() + expiresInSeconds * 1000

/** Remaining seconds of a token; null if it has expired. */
function secondsLeft(
  { expiresInSeconds }: Pick<DeliveryIntent, 'expiresInSeconds'>,
  endsAtMs: number | null,
): number | null {
  if (endsAtMs === null) return expiresInSeconds
  const leftMs = endsAtMs - Date.now()
  if (leftMs <= 0) return null
  return expiresInSeconds * 1000 - leftMs < roundedMs ? expiresInSeconds : Math.ceil(leftMs / 1000)
}

function reportsTo({ log, onGivenUp }: DispatchOptions): QueueReports<Label> {
  return {
    onRetry: (label, err, attempts) =>
      log.warn({ err, ...label, attempts }, 'could not deliver a message; retrying'),
    onFailed(label, err, attempts) {
      log.error({ err, ...label, attempts }, 'gave up delivering a message')
      onGivenUp?.({ ...label, reason: 'failed', attempts })
    },
    onDropped(label, reason, attempts) {
      log.error(
        { ...label, attempts },
        reason === 'full'
          ? 'dropped a message: too many are waiting'
          : 'dropped a message: the app closed before it was delivered',
      )
      onGivenUp?.({ ...label, reason, attempts })
    },
  }
}

export function createDispatch(options: DispatchOptions): Dispatch {
  const { limits, enqueue, log } = options
  const seal = createSeal(options.keys)
  const reports = reportsTo(options)
  // A queue for each, so that a channel that hangs does not block the others.
  const newQueue = () => createDeliveryQueue<Label>(limits, reports)
  const channelQueues = new Map(
    options.channels.map(
      (channel) => [channel.name, { channel, queue: newQueue(), alerts: newQueue() }] as const,
    ),
  )
  const jobs = enqueue ? newQueue() : undefined
  const alertJobs = enqueue ? newQueue() : undefined
  const delivering = new Set<Promise<void>>()
  let closing: Promise<void> | undefined

  /** One attempt at one channel. */
  const deliverTo = async (
    channel: DeliveryChannel,
    intent: DeliveryIntent,
    endsAtMs: number | null,
  ) => {
    const expiresInSeconds = secondsLeft(intent, endsAtMs)
    if (expiresInSeconds === null) return
    try {
      const user = options.viewOf(intent.user)
      await channel.deliver(Object.freeze({ ...intent, user, expiresInSeconds }))
    } catch (cause) {
      throw deliveryFailure(cause, intent)
    }
  }

  const contentOf = (
    channel: string,
    { user, ...intent }: DeliveryIntent,
    endsAtMs: number | null,
  ): JobContent => ({
    ...intent,
    channel,
    userId: options.encodeUser(user),
    endsAtMs,
  })

  const take = (channel: NamedChannel, queue: DeliveryQueue<Label>, intent: DeliveryIntent) => {
    const label = { channel: channel.name, kind: intent.kind }
    const endsAtMs = endOf(intent)
    if (!enqueue || !jobs) {
      queue.defer(label, () => deliverTo(channel, intent, endsAtMs))
      return
    }
    // Sealed once: a retry after a timeout sends the same id, so the queue can detect the
    // duplicate.
    let job: DeliveryJob | undefined
    const places = isAlert(intent) ? (alertJobs ?? jobs) : jobs
    places.defer(label, async () => {
      job ??= sealJob(seal, contentOf(channel.name, intent, endsAtMs))
      try {
        await enqueue(job)
      } catch (cause) {
        throw deliveryFailure(cause, intent)
      }
    })
  }

  const deliverJob = async (job: unknown) => {
    const { channel: name, userId, endsAtMs, ...content } = openJob(seal, job)
    const channel = channelQueues.get(name)?.channel
    if (!channel) throw new DeliveryFailedError(`This app has no channel "${name}"`)
    if (secondsLeft(content, endsAtMs) === null) return
    const user = await options.findUser(userId)
    if (!user) return
    await attempt(() => deliverTo(channel, { ...content, user }, endsAtMs), limits.attemptTimeoutMs)
  }

  const queues = () => [
    ...[...channelQueues.values()].flatMap(({ queue, alerts }) => [queue, alerts]),
    ...[jobs, alertJobs].filter((queue) => queue !== undefined),
  ]
  const idle = async () => {
    await Promise.all([...queues().map((queue) => queue.idle()), ...delivering])
  }

  const end = async (drainMs: number) => {
    const startMs = performance.now()
    const leftMs = () => Math.max(0, drainMs - (performance.now() - startMs))
    await Promise.all([
      ...queues().map((queue) => queue.close(drainMs)),
      attempt(() => Promise.allSettled(delivering), drainMs, { keepAlive: true }).catch(() => {}),
    ])
    const closeChannel = ({ channel }: { channel: NamedChannel }) =>
      // Even if draining took all the time, connections get a moment to close cleanly.
      attempt(() => channel.close?.(), Math.max(1000, leftMs()), { keepAlive: true }).catch(
        (cause) => {
          const err = deliveryFailure(cause, { token: null, recipient: '' })
          log.warn({ err, channel: channel.name }, 'could not close a channel')
        },
      )
    await Promise.all([...channelQueues.values()].map(closeChannel))
  }

  return {
    dispatch(intent) {
      for (const { channel, queue, alerts } of channelQueues.values())
        take(channel, isAlert(intent) ? alerts : queue, intent)
    },
    async deliver(job) {
      if (closing) throw unavailableError()
      const delivery = deliverJob(job)
      delivering.add(delivery)
      try {
        await delivery
      } finally {
        delivering.delete(delivery)
      }
    },
    idle,
    close: (drainMs) => (closing ??= end(drainMs)),
  }
}
