import type { FastifyRequest } from 'fastify'
import { factorSchema } from '../../../schemas/email.js'
import type { Core } from '../../core/core.js'
import { createDispatch } from '../../core/delivery/dispatch.js'
import { emailChannel } from '../../core/delivery/email-channel.js'
import type { Outbox } from '../../core/delivery/outbox.js'
import { createDeliveryQueue, type QueueReports } from '../../core/delivery/retry-queue.js'
import { createRedeem } from '../../core/one-time-tokens/redeem.js'
import { createRecoveryTokens } from '../../core/one-time-tokens/tokens.js'
import { decodeUserId, encodeUserId } from '../../core/users/user-id.js'
import type { Row } from '../../core/users/users.js'
import { shortHmac } from '../../crypto/digest.js'
import { createSeal } from '../../crypto/seal.js'
import type { Feature, RouteLimits } from '../../groups/feature.js'
import { createReservations } from './address-reservations.js'
import { createEmailChange } from './email-change.js'
import { createNotifications } from './notifications.js'
import { createRecovery } from './recovery.js'
import { createFactor } from './recovery-factor.js'
import { type EmailPart, emailRoutes } from './routes.js'
import { createRecoveryToolbox } from './toolbox.js'

export { emailRoutes } from './routes.js'
export type { RecoveryToolbox, RedirectOption } from './toolbox.js'

declare module '../../core/options.js' {
  interface RouteGroups {
    email: true
  }
}

declare module '../../core/rate-limits.js' {
  interface LimitedActions {
    email_verify_request: true
    password_reset_request: true
    email_change_request: true
  }
}

/** Everything that reaches users by message. Null without a way to send. Closed with the app. */
function createEmail(core: Core, limits: RouteLimits) {
  const { app, users, identity, passwords, policy, emit, emitWithoutRequest, credentials } = core
  const { counters, oneTime } = core.state
  const { delivery, keys, rateLimits } = core.settings
  if (!delivery) return null
  const endAll = (user: Row) => core.revokeEverything(users.idOf(user))
  const { log } = app
  const { lifetimes, limits: queueLimits, drainMs, enqueue, email } = delivery

  const findUser = async (id: string): Promise<Row | null> => {
    const userId = decodeUserId(id)
    const user = userId === null ? null : await users.findById(userId)
    return user && users.isActive(user) ? user : null
  }
  const dispatch = createDispatch({
    channels: [...(email ? [emailChannel(email)] : []), ...delivery.channels],
    limits: queueLimits,
    enqueue,
    keys: keys('delivery'),
    encodeUser: (user) => encodeUserId(users.idOf(user)),
    findUser,
    log,
    onGivenUp: (lost) => emitWithoutRequest('onDeliveryFailed', lost),
  })

  // Looking up who is written to waits for no mail server, so it has a queue of its own.
  const reports: QueueReports<FastifyRequest> = {
    onRetry: (request, err) =>
      request.log.warn({ err }, 'a message could not be prepared; trying again'),
    onFailed(request, err, attempts) {
      request.log.error({ err, attempts }, 'a message could not be prepared')
      void emitWithoutRequest('onDeliveryFailed', {
        kind: null,
        channel: null,
        reason: 'failed',
        attempts,
      })
    },
    onDropped(request, reason) {
      request.log.error({ reason }, 'a message was dropped before it was prepared')
      void emitWithoutRequest('onDeliveryFailed', {
        kind: null,
        channel: null,
        reason,
        attempts: 0,
      })
    },
  }
  const preparing = createDeliveryQueue(queueLimits, reports)
  const alerts = createDeliveryQueue(queueLimits, reports)
  // Tokens of an outage. No report: nobody is told of them but who holds one, and tries it again.
  const givingBack = createDeliveryQueue<null>(queueLimits)
  app.addHook('onClose', async function closeDelivery() {
    await Promise.all([preparing, alerts, givingBack].map((queue) => queue.close(drainMs)))
    await dispatch.close(drainMs)
  })
  const outbox: Outbox = {
    defer: preparing.defer,
    alert: alerts.defer,
    send: dispatch.dispatch,
  }

  const counterKey = keys('counters')[0]
  const withinRecipientLimit = async (kind: string, recipient: string): Promise<boolean> => {
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
  }

  const seal = createSeal(keys('one-time'))
  const tokens = createRecoveryTokens(oneTime, users, seal, (work) => givingBack.defer(null, work))
  const redeem = createRedeem(users, tokens)
  const reservations = createReservations(oneTime, users, seal, keys('reservations'))
  const links = credentials.allMethods
  const shared = {
    users,
    identity,
    passwords,
    policy,
    emit,
    emitWithoutRequest,
    links,
    endAll,
    oneTime,
    tokens,
    redeem,
    outbox,
    withinRecipientLimit,
  }

  const emailChange =
    users.has('email') && identity.recovery !== null
      ? createEmailChange({
          ...shared,
          reservations,
          // A factor that is not the email is as it was, and so is what its owner can do with it.
          offerReset: async (user: Row) =>
            identity.recovery === 'email' ? recovery?.offerReset(user) : undefined,
          seconds: { change: lifetimes.changeSeconds, revert: lifetimes.revertSeconds },
        })
      : null
  const notices = createNotifications({ ...shared, reservations, emailChange })
  const field = identity.recovery
  const factor = field === null ? null : createFactor(identity, users, field)
  const recovery =
    factor &&
    createRecovery({
      ...shared,
      factor,
      seconds: { verify: lifetimes.verifySeconds, reset: lifetimes.resetSeconds },
      passwordChanged: notices.passwordChanged,
    })
  if (factor && factor.verifiedField === null) {
    log.warn(
      `fastify-crudauth: the user model has no "${factor.field}Verified", so nothing is verified and an account stays with whoever registered it first; add the column`,
    )
  }

  credentials.onPasswordChanged.push(notices.passwordChanged)
  const isReserved = async (address: string) => (await reservations.holderOf(address)) !== null
  core.signUp.messages = {
    // A phone is private where something reaches it.
    fields: [
      ...new Set([
        'email',
        ...(delivery.channels.length > 0 ? ['phone'] : []),
        ...(field === null ? [] : [field]),
      ]),
    ],
    // Without the store registration goes on, as it does without its rate limit.
    isHeld: (address) => isReserved(address).catch(() => false),
    isReserved,
    welcome: (request, user) => recovery?.welcome(request, user),
    known: notices.existingAccount,
    held: notices.heldAddress,
  }
  const part: EmailPart | null =
    recovery && factor
      ? {
          ...limits,
          users,
          recoveryField: field,
          principals: core.principals,
          recovery,
          factor,
          schema: core.settings.factorSchema ?? factorSchema(factor.field),
          emailChange,
        }
      : null
  return { part, deliver: dispatch.deliver }
}

/** Verification, password reset and change of address. */
export const email: Feature = {
  name: 'email',
  options: [],
  limits: {
    email_verify_request: { max: 5, windowSeconds: 3600 },
    password_reset_request: { max: 5, windowSeconds: 3600 },
    email_change_request: { max: 3, windowSeconds: 3600 },
  },
  routes: emailRoutes,
  configure: (_options, { delivery, identity }) => ({
    lacks: () =>
      delivery !== null && identity.recovery !== null
        ? null
        : '"email" or "channels", and a recovery factor in "identity"',
    create(core, limits) {
      const made = createEmail(core, limits)
      const part = made?.part ?? null
      return {
        part,
        toolbox: {
          recovery: createRecoveryToolbox(
            core.users,
            identity.recovery,
            part,
            made?.deliver ?? null,
          ),
        },
      }
    },
  }),
}
