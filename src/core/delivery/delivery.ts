import type { FastifyInstance, FastifyRequest } from 'fastify'
import { shortHmac } from '../../crypto/digest.js'
import type { EmitWithoutRequest } from '../../events.js'
import type { CounterStore } from '../../ports/counter-store.js'
import type { DeliveryJob } from '../../ports/delivery-channel.js'
import type { CoreSettings } from '../options.js'
import { decodeUserId, encodeUserId } from '../users/user-id.js'
import type { Row, Users } from '../users/users.js'
import { createDispatch } from './dispatch.js'
import { emailChannel } from './email-channel.js'
import type { Outbox, RecipientLimit } from './outbox.js'
import { createDeliveryQueue, type QueueReports } from './retry-queue.js'

/** Delivery of messages to users, and deferred work. */
export interface Delivery {
  readonly outbox: Outbox
  readonly withinRecipientLimit: RecipientLimit
  /**
   * Runs work after the response and retries it, without reports: restoring tokens after an outage.
   */
  readonly runLater: (work: () => Promise<void>) => void
  /** Delivers a job from the app's own queue. */
  readonly deliver: (job: DeliveryJob) => Promise<void>
  /** Resolves when nothing is waiting or running. */
  readonly settled: () => Promise<void>
}

interface Dependencies {
  readonly app: FastifyInstance
  readonly settings: CoreSettings
  readonly users: Users
  readonly counters: CounterStore
  readonly counterKey: Buffer
  readonly emitWithoutRequest: EmitWithoutRequest
}

/**
 * Creates delivery, which is closed with the app. Null if neither `email` nor `channels` is
 * configured.
 */
export function createDelivery({
  app,
  settings: { delivery, keys, rateLimits },
  users,
  counters,
  counterKey,
  emitWithoutRequest,
}: Dependencies): Delivery | null {
  if (!delivery) return null
  const { limits, drainMs, enqueue, email, channels } = delivery

  const findUser = async (id: string): Promise<Row | null> => {
    const userId = decodeUserId(id)
    const user = userId === null ? null : await users.findById(userId)
    return user && users.isActive(user) ? user : null
  }
  const dispatch = createDispatch({
    channels: [...(email ? [emailChannel(email)] : []), ...channels],
    limits,
    enqueue,
    keys: keys('delivery'),
    viewOf: users.publicView,
    encodeUser: (user) => encodeUserId(users.idOf(user)),
    findUser,
    log: app.log,
    onGivenUp: (lost) => emitWithoutRequest('onDeliveryFailed', lost),
  })

  // Looking up recipients must not wait for a mail server, so it has its own queue.
  const lost = (reason: 'failed' | 'full' | 'closed', attempts: number) =>
    void emitWithoutRequest('onDeliveryFailed', { kind: null, channel: null, reason, attempts })
  const reports: QueueReports<FastifyRequest> = {
    onRetry: (request, err) => request.log.warn({ err }, 'could not prepare a message; retrying'),
    onFailed(request, err, attempts) {
      request.log.error({ err, attempts }, 'could not prepare a message')
      lost('failed', attempts)
    },
    onDropped(request, reason) {
      request.log.error({ reason }, 'dropped a message before it was prepared')
      lost(reason, 0)
    },
  }
  const preparing = createDeliveryQueue(limits, reports)
  const alerts = createDeliveryQueue(limits, reports)
  // No reports: the holder of the token simply tries it again.
  const givingBack = createDeliveryQueue<null>(limits)
  app.addHook('onClose', async function closeDelivery() {
    const startMs = performance.now()
    await Promise.all([preparing, alerts, givingBack].map((queue) => queue.close(drainMs)))
    // Even if preparing took all the time, messages prepared last get one attempt.
    await dispatch.close(Math.max(drainMs / 10, drainMs - (performance.now() - startMs)))
  })

  return {
    outbox: { defer: preparing.defer, alert: alerts.defer, send: dispatch.dispatch },
    async withinRecipientLimit(kind, recipient) {
      const limit = rateLimits.recipient
      if (limit === false || typeof limit === 'function') return true
      try {
        const { count } = await counters.hit(
          `rate:${shortHmac(counterKey, `recipient ${kind} ${recipient}`)}`,
          limit.windowSeconds * 1000,
        )
        return count <= limit.max
      } catch {
        // Fails open, like limits that only reduce load. A message with a token still needs the
        // store.
        return true
      }
    },
    runLater: (work) => givingBack.defer(null, work),
    deliver: dispatch.deliver,
    async settled() {
      // In this order, because prepared messages are passed on to `dispatch`.
      await Promise.all([preparing, alerts, givingBack].map((queue) => queue.idle()))
      await dispatch.idle()
    },
  }
}
