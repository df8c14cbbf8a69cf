import type { Core } from '../../core/core.js'
import type { SignInMethods } from '../../core/credentials/sign-in-methods.js'
import type { CrudAuthOptions } from '../../core/option-types.js'
import type { CoreSettings } from '../../core/options.js'
import { verifySchemaAtStart } from '../../core/users/verify-schema.js'
import { createSeal } from '../../crypto/seal.js'
import type { CreatedFeature, Feature, RouteLimits } from '../../groups/feature.js'
import { createJudgeAssertion } from './assertions.js'
import { createPasskeyChallenges } from './challenges.js'
import { createPasskeyEvents } from './events.js'
import { createPasskeyFactor } from './factor.js'
import { createPasskeyManagement } from './management.js'
import { type PasskeyOptions, type PasskeySettings, resolvePasskeys } from './options.js'
import { createPasskeyRegistration } from './registration.js'
import { passkeyRoutes } from './routes.js'
import type { PasskeyServices } from './services.js'
import { createPasskeySignIn } from './sign-in.js'
import { createStoredPasskeys } from './stored-passkeys.js'
import { createPasskeysToolbox } from './toolbox.js'
import { createWebAuthn } from './webauthn.js'

export type { PasskeyOptions } from './options.js'
export { passkeyRoutes } from './routes.js'
export type { PasskeysToolbox } from './toolbox.js'

declare module '../../core/option-types.js' {
  interface CrudAuthOptions {
    /**
     * Passkeys (WebAuthn): to sign in, as a second factor, and for sudo mode. They live in a table
     * of their own.
     * @defaultValue off
     */
    readonly passkeys?: PasskeyOptions | undefined
  }

  interface RouteGroups {
    passkeys: true
  }
}

declare module '../../core/rate-limits.js' {
  interface LimitedActions {
    /**
     * Options to sign in with a passkey, or to answer the challenge of a second factor with one, by
     * IP address.
     * @defaultValue 100 per 60 s
     */
    passkey_options: true
  }
}

function create(core: Core, settings: PasskeySettings, limits: RouteLimits): CreatedFeature {
  const { app, users, emit, credentials, signIns, passwords, hooks } = core
  const { keys, identity, timeouts, trustedOrigins, transports } = core.settings
  const { store } = settings
  verifySchemaAtStart(app, 'passkeys', timeouts.usersMs, store.verifySchema)
  const passkeys = createStoredPasskeys(users, store, timeouts.usersMs)
  const challenges = createPasskeyChallenges({
    store: core.state.oneTime,
    seal: createSeal(keys('passkey-challenge')),
    settings,
  })
  const webauthn = createWebAuthn(settings)
  const events = createPasskeyEvents(emit, credentials, app.log)
  const shared = { users, passkeys, challenges, webauthn, events }
  const judge = createJudgeAssertion(shared)
  const factor = createPasskeyFactor({ ...shared, judge })
  signIns.passkeys = factor
  const method: SignInMethods = {
    cleared: {},
    clearedFactors: {},
    isUsable: passkeys.has,
    detachAll: async () => {},
    // With the second factors, not with the provider links: who merely has access to the mailbox
    // must not get rid of a passkey.
    async detachFactors(user) {
      await passkeys.store.deleteAllOfUser(users.idOf(user))
    },
    detachRecent: async () => {},
    undoable: false,
  }
  credentials.methods.push(method)
  const management = createPasskeyManagement({
    users,
    passwords,
    passkeys,
    events,
    hasOtherMethod: (user) => credentials.hasOtherMethod(user, method),
    needsAsFactor: async (user) => (await signIns.secondFactor?.needsPasskey(user)) === true,
  })
  const services: PasskeyServices = {
    ...limits,
    users,
    recoveryField: identity.recovery,
    signIn: createPasskeySignIn({
      ...shared,
      judge,
      signIns,
      countAddress: core.countAddress,
      hooks,
      trustedOrigins,
      transports: transports.map(({ name }) => name),
    }),
    registration: createPasskeyRegistration({ ...shared, maxPerUser: settings.maxPerUser }),
    management,
    signIns,
  }
  return { services, toolbox: { passkeys: createPasskeysToolbox({ users, management, factor }) } }
}

/** URLs of the app, which are where its pages are. */
function urlsOf({ oauth, email }: CrudAuthOptions, { delivery }: CoreSettings): URL[] {
  const texts = [
    (oauth as { baseUrl?: unknown } | undefined)?.baseUrl,
    delivery?.email?.frontendUrl ?? email?.frontendUrl,
  ]
  return texts.flatMap((text) =>
    typeof text === 'string' && URL.canParse(text) ? new URL(text) : [],
  )
}

/** Passkeys. */
export const passkeys: Feature = {
  name: 'passkeys',
  options: ['passkeys'],
  limits: { passkey_options: { max: 100, windowSeconds: 60 } },
  routes: passkeyRoutes,
  configure(options, core) {
    const settings = resolvePasskeys(options.passkeys, urlsOf(options, core))
    return {
      missing: () => (settings ? null : '"passkeys"'),
      create: (created, limits) =>
        settings
          ? create(created, settings, limits)
          : { services: null, toolbox: { passkeys: createPasskeysToolbox(null) } },
    }
  },
}
