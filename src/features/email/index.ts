import { factorSchema } from '../../../schemas/email.js'
import type { Core } from '../../core/core.js'
import type { Delivery } from '../../core/delivery/delivery.js'
import { createRedeem } from '../../core/one-time-tokens/redeem.js'
import { createRecoveryTokens } from '../../core/one-time-tokens/tokens.js'
import type { CoreSettings } from '../../core/options.js'
import { hasPasskey } from '../../core/sign-in/passkey-factor.js'
import type { Row } from '../../core/users/users.js'
import { createSeal } from '../../crypto/seal.js'
import type { Feature, RouteLimits } from '../../groups/feature.js'
import { createReservations } from './address-reservations.js'
import { createEmailChange } from './email-change.js'
import { createFactorMessages } from './factor-messages.js'
import { createNotifications } from './notifications.js'
import { createPasswordReset } from './password-reset.js'
import { createFactor } from './recovery-factor.js'
import { createMayRevert } from './revert-rules.js'
import { type EmailServices, emailRoutes } from './routes.js'
import { createRecoveryToolbox } from './toolbox.js'
import { createUndoLink } from './undo-link.js'
import { createVerification } from './verification.js'

export { emailRoutes } from './routes.js'
export type { RecoveryToolbox, RedirectOption } from './toolbox.js'

declare module '../../core/option-types.js' {
  interface RouteGroups {
    email: true
  }
}

declare module '../../core/rate-limits.js' {
  interface LimitedActions {
    /**
     * Requests for a verification link, by IP address.
     * @defaultValue 5 per 3600 s
     */
    email_verify_request: true
    /**
     * Requests for a password reset link, by IP address.
     * @defaultValue 5 per 3600 s
     */
    password_reset_request: true
    /**
     * Requests to change the email address, by session. All sessions of a user together may use ten
     * times as many.
     * @defaultValue 3 per 3600 s
     */
    email_change_request: true
  }
}

/**
 * Services of the routes; null without a recovery field. Also registers the notifications for what
 * other features do.
 */
function createPart(
  core: Core,
  delivery: Delivery,
  settings: NonNullable<CoreSettings['delivery']>,
  limits: RouteLimits,
): EmailServices | null {
  const { users, identity, emit, credentials, replaceCredential, passwords, policy } = core
  const { keys } = core.settings
  const { lifetimes, channels } = settings
  const { outbox, withinRecipientLimit } = delivery
  const seal = createSeal(keys('one-time'))
  const tokens = createRecoveryTokens(core.state.oneTime, users, seal, delivery.runLater)
  const reservations = createReservations(core.state.oneTime, users, seal, keys('reservations'))
  const shared = {
    users,
    identity,
    passwords,
    policy,
    emit,
    hooks: core.hooks,
    methods: credentials.allMethods,
    replaceCredential,
    passwordChanged: credentials.notifyPasswordChanged,
    tokens,
    redeem: createRedeem(users, tokens),
    outbox,
    withinRecipientLimit,
    reservations,
  }
  const field = identity.recovery
  const factor = field === null ? null : createFactor(identity, users, field)
  const seconds = { verify: lifetimes.verifySeconds, reset: lifetimes.resetSeconds }
  const messages = factor && createFactorMessages({ ...shared, factor, seconds })
  const verification = factor && messages && createVerification({ ...shared, factor, messages })
  const offerReset = async (user: Row) => {
    const value = factor?.read(user) ?? null
    if (messages && value !== null && users.isActive(user))
      await messages.send('reset_password', user, value)
  }
  const emailChange =
    factor && messages && users.has('email')
      ? createEmailChange({
          ...shared,
          // Another recovery field hasn't changed, so its owner can request a reset as before.
          offerReset: async (user) => {
            if (field === 'email') await offerReset(user)
          },
          mayRevert: createMayRevert({
            users,
            reservations,
            hasSecondFactor: async (user) =>
              core.signIns.secondFactor?.isEnrolled(user) === true ||
              hasPasskey(core.signIns, user),
          }),
          seconds: { change: lifetimes.changeSeconds, revert: lifetimes.revertSeconds },
        })
      : null

  const notices = createNotifications({
    ...shared,
    emailChange,
    undoSeconds: lifetimes.revertSeconds,
  })
  credentials.passwordChangedListeners.push(notices.passwordChanged)
  credentials.deletedListeners.push(async (user) => {
    const [first] = await reservations.of(user)
    if (first) await reservations.releaseSince(user, first.email)
  })
  credentials.linkChangedListeners.push(notices.linkChanged)
  credentials.factorChangedListeners.push(notices.factorChanged)
  core.signUp.messages = {
    // A phone number is private if a channel can reach it.
    fields: [
      ...new Set([
        'email',
        ...(channels.length > 0 ? ['phone'] : []),
        ...(field === null ? [] : [field]),
      ]),
    ],
    reservedFor: reservations.referenceAt,
    sendVerification: (request, user) => verification?.requestFor(request, user),
    existingAccount: notices.existingAccount,
    reservedAddress: notices.reservedAddress,
  }
  if (!factor || !messages || !verification) return null
  if (factor.verifiedField === null) {
    core.app.log.warn(
      `fastify-crudauth: the user model has no "${field}Verified", so nothing can be verified, which allows account pre-hijacking; add the column`,
    )
  }
  return {
    ...limits,
    users,
    recoveryField: field,
    verification,
    passwordReset: createPasswordReset({ ...shared, factor, messages }),
    factor,
    schema: core.settings.factorSchema ?? factorSchema(factor.field),
    emailChange,
    emailSchema: core.settings.emailSchema,
    undoLink: createUndoLink({ ...shared, offerReset }),
    methods: credentials.allMethods,
  }
}

/** Verification, password reset and change of the email address. */
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
    missing: () =>
      delivery !== null && identity.recovery !== null
        ? null
        : '"email" or "channels", and a recovery field in "identity"',
    create(core, limits) {
      const services =
        core.delivery && delivery && createPart(core, core.delivery, delivery, limits)
      return {
        services,
        toolbox: {
          recovery: createRecoveryToolbox(
            core.users,
            identity.recovery,
            services,
            core.delivery?.deliver ?? null,
          ),
        },
      }
    },
  }),
}
