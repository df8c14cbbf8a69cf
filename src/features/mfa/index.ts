import type { Core } from '../../core/core.js'
import { createSeal } from '../../crypto/seal.js'
import type { CreatedFeature, Feature, RouteLimits } from '../../groups/feature.js'
import { createCookie } from '../../http/cookies.js'
import { fail } from '../../lib/option-checks.js'
import { MFA_FIELDS } from '../../ports/user-store.js'
import { createChallenges } from './challenges.js'
import { createCodeBudget } from './code-budget.js'
import { createEnrollment, noFactor } from './enrollment.js'
import { createMfaEvents } from './events.js'
import { createManagement } from './management.js'
import { type MfaOptions, type MfaSettings, resolveMfa } from './options.js'
import { createRememberedDevices } from './remembered-devices.js'
import { createIsRequired } from './requirement.js'
import { mfaRoutes } from './routes.js'
import { createSecondFactor, createSetupOf } from './second-factor.js'
import type { MfaServices } from './services.js'
import { createMfaToolbox } from './toolbox.js'
import { createTotpSecrets } from './totp-secrets.js'
import { createVerification } from './verification.js'

export type { MfaOptions, MfaRequired } from './options.js'
export { mfaRoutes } from './routes.js'
export type { MfaContext, MfaStatus, MfaToolbox, TotpSetup } from './toolbox.js'

declare module '../../core/option-types.js' {
  interface CrudAuthOptions {
    /**
     * Second factor: one-time codes from authenticator apps, and recovery codes. Needs four columns
     * in the users table.
     * @defaultValue off
     */
    readonly mfa?: MfaOptions | undefined
  }

  interface RouteGroups {
    mfa: true
  }
}

declare module '../../core/rate-limits.js' {
  interface LimitedActions {
    /**
     * Setup, confirmation and removal of a second factor and new recovery codes, together, by user.
     * @defaultValue 10 per 3600 s
     */
    mfa_manage: true
  }
}

function create(core: Core, settings: MfaSettings, limits: RouteLimits): CreatedFeature {
  const { app, users, emit, credentials, signIns, passwords, deviceCookies, deviceIdOf } = core
  const { keys, identity, freshSeconds, trustedOrigins } = core.settings
  const codeCount = settings.recoveryCodes
  // Someone who registers with another person's address must not keep a factor in the account.
  credentials.methods.push({
    cleared: {},
    clearedFactors: noFactor,
    isUsable: async () => false,
    detachAll: async () => {},
    detachFactors: async () => {},
    detachRecent: async () => {},
    undoable: false,
  })
  const secrets = createTotpSecrets(users, settings.keys('totp'))
  const enrollment = createEnrollment({ users, secrets, codeCount, log: app.log })
  const challenges = createChallenges({
    users,
    store: core.state.oneTime,
    counters: core.state.counters,
    seal: createSeal(settings.keys('mfa-challenge')),
    seconds: settings.challengeSeconds,
    maxAttempts: settings.maxAttempts,
  })
  if (settings.rememberDeviceSeconds > 0 && !deviceCookies)
    fail('"mfa.rememberDeviceDays" needs sessionTransport() or bearerTransport(): it uses a cookie')
  const remembered =
    deviceCookies && settings.rememberDeviceSeconds > 0
      ? createRememberedDevices({
          users,
          cookie: createCookie(deviceCookies.names.mfa, deviceCookies.policy, true),
          keys: keys('mfa-device'),
          seconds: settings.rememberDeviceSeconds,
        })
      : null
  const isRequired = createIsRequired(users, settings.required, app.log)
  const setupOf = createSetupOf(users, settings.issuer)
  const events = createMfaEvents(emit, credentials, app.log)
  const shared = { users, enrollment, challenges, remembered, isRequired, setupOf, events }
  const budget = createCodeBudget(users, core.state.counters, core.counterKey, core.loginContext)
  const secondFactor = createSecondFactor({ ...shared, settings, deviceIdOf, signIns, budget })
  signIns.secondFactor = secondFactor
  const verification = createVerification({
    ...shared,
    signIns,
    countAttempt: core.countAttempt,
    budget,
    loginContext: core.loginContext,
    deviceIdOf,
    trustedOrigins,
  })
  const management = createManagement({
    ...shared,
    passwords,
    codeCount,
    freshSeconds,
    signIns,
    budget,
  })
  if (!settings.afterProviders)
    app.log.warn(
      'fastify-crudauth: "mfa.oauth" is off, so a sign-in with a provider is not asked for the second factor; an account is as safe as the weakest provider it is linked to',
    )
  const services: MfaServices = {
    ...limits,
    ...shared,
    recoveryField: identity.recovery,
    verification,
    management,
    signIns,
  }
  return {
    services,
    toolbox: {
      mfa: createMfaToolbox({
        ...shared,
        secondFactor,
        verification,
        management,
        signIns,
        codeCount,
      }),
    },
  }
}

/** Lengths of the columns. A recovery code is stored as 64 hex digits, in a JSON array. */
const writtenFields = ({ recoveryCodes }: MfaSettings) => ({
  ...Object.fromEntries(MFA_FIELDS.map((field) => [field, 0])),
  totpSecretEncrypted: 80,
  mfaRecoveryCodes: 67 * recoveryCodes + 1,
})

/** The second factor: TOTP and recovery codes. */
export const mfa: Feature = {
  name: 'mfa',
  options: ['mfa'],
  limits: { mfa_manage: { max: 10, windowSeconds: 3600 } },
  routes: mfaRoutes,
  configure(options) {
    const settings = resolveMfa(options.mfa, options.users.fields, options.secret)
    return {
      missing: () => (settings ? null : '"mfa"'),
      ...(settings && { privilegedFields: MFA_FIELDS, writtenFields: writtenFields(settings) }),
      create: (core, limits) =>
        settings
          ? create(core, settings, limits)
          : { services: null, toolbox: { mfa: createMfaToolbox(null) } },
    }
  },
}
