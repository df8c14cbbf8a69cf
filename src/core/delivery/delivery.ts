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

/** The ways to people. */
export interface Delivery {
  readonly outbox: Outbox
  readonly withinRecipientLimit: RecipientLimit
  /** Does work that nobody is told of, again when it fails: tokens given back after an outage. */
  readonly later: (work: () => Promise<void>) => void
  /** Delivers a job of the app's own queue. */
  readonly deliver: (job: DeliveryJob) => Promise<void>
  /** Resolves when nothing is waiting or under way. */
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

/** Null without a way to send. Closed with the app. */
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

  // Looking up who is written to waits for no mail server, so it has a queue of its own.
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
  // No report: nobody is told of it but who holds the token, and tries it again.
  const givingBack = createDeliveryQueue<null>(limits)
  app.addHook('onClose', async function closeDelivery() {
    await Promise.all([preparing, alerts, givingBack].map((queue) => queue.close(drainMs)))
    await dispatch.close(drainMs)
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
        // Like every window; what a token needs of the store decides.
        return true
      }
    },
    later: (work) => givingBack.defer(null, work),
    deliver: dispatch.deliver,
    async settled() {
      // What is prepared hands its messages over, so in this order.
      await Promise.all([preparing, alerts, givingBack].map((queue) => queue.idle()))
      await dispatch.idle()
    },
  }
}
