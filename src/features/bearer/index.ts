import type { Core } from '../../core/core.js'
import { completeSignInWith } from '../../core/sign-in/complete.js'
import type { CreatedFeature, Feature } from '../../groups/feature.js'
import { createCookie } from '../../http/cookies.js'
import { createAccessTokens } from './access-tokens.js'
import { isBearerTransport, resolveBearer } from './options.js'
import { createRotation } from './refresh-rotation.js'
import { type BearerServices, bearerRoutes, jwksRoutes } from './routes.js'
import { createBearerSignIn } from './sign-in.js'
import { createBearer } from './tokens.js'
import { createBearerToolbox } from './toolbox.js'
import { bindBearerTransport } from './transport.js'

export { type BearerTransport, type BearerTransportOptions, bearerTransport } from './options.js'
export { bearerRoutes } from './routes.js'
export type { TokenKey } from './signing-keys.js'
export type { IssuedTokens } from './tokens.js'

declare module '../../core/option-types.js' {
  interface RouteGroups {
    bearer: true
  }
}

async function create(
  core: Core,
  settings: ReturnType<typeof resolveBearer>,
): Promise<CreatedFeature> {
  const { users, emit, families, credentials } = core
  const { keys, identity, state, timeouts, trustedOrigins } = core.settings
  const { recovery } = identity
  // Loaded only if tokens are configured: fast-jwt takes a tenth of the import time of the package.
  const { asymmetricKeys, secretKeys } = await import('./signing-keys.js')
  const tokenKeys =
    settings.keys === undefined
      ? secretKeys(keys('access-token'), settings)
      : asymmetricKeys(settings.keys, settings)
  const tokens = createAccessTokens(tokenKeys, users, { ...settings, recovery })
  const rotation = createRotation({
    store: core.state.sessions,
    users,
    families,
    revokeEverything: core.revokeEverything,
    clients: core.clients,
    successorKeys: keys('refresh'),
    settings: { ...settings, waitMs: state ? timeouts.stateMs : timeouts.redisMs },
  })
  const cookie = createCookie(settings.cookies.names.refresh, settings.cookies.policy, true)
  const bearer = createBearer({ tokens, users, rotation, families, settings, cookie })
  const { list, revoke, revokeAll, carried, end, clearCookie } = bearer
  credentials.revocables.push({ kind: 'refresh', list, revoke, revokeAll })
  credentials.carriers.push({
    carried,
    end,
    clear: clearCookie,
    inBody: settings.refresh === 'body',
  })
  core.signIns.transports.set('bearer', {
    establish: createBearerSignIn({
      bearer,
      emit,
      trustedOrigins,
      rememberDevice: core.rememberDevice,
    }),
    prepare: ({ scopes }) => ({ scopes: scopes && bearer.grantable(scopes) }),
    setsCookies: settings.refresh === 'cookie',
  })
  const services: BearerServices = {
    emit,
    authenticate: core.authenticate,
    loginContext: core.loginContext,
    complete: completeSignInWith(core, 'bearer'),
    hasSecondFactor: () => core.signIns.secondFactor !== null,
    trustedOrigins,
    bearer,
    publicKeys: tokenKeys.publicKeys,
    takesCookie: settings.refresh === 'cookie',
    canIssue: settings.canIssue,
  }
  return {
    services,
    toolbox: createBearerToolbox(bearer, emit),
    transport: bindBearerTransport({ ...settings, tokens, users, recovery }),
    challenges: true,
    grantsAccount: settings.grantableScopes.includes('account'),
    ...(settings.jwks && { rootRoutes: jwksRoutes }),
  }
}

/** JWT access tokens with rotating refresh tokens: `/token`, `/refresh`, the bearer transport. */
export const bearer: Feature = {
  name: 'bearer',
  options: [],
  limits: {},
  routes: bearerRoutes,
  configure(options, { transports, mountPath }) {
    const transport = transports.find(isBearerTransport)
    if (!transport) {
      return {
        missing: () => 'bearerTransport() among the "transports"',
        create: ({ emit }) => ({ toolbox: createBearerToolbox(null, emit) }),
      }
    }
    const settings = resolveBearer(transport.options, options.cookies, mountPath)
    const { cookies, refresh, canIssue } = settings
    return {
      missing: () =>
        canIssue
          ? null
          : 'a "privateKey" among the "keys" of bearerTransport: public keys verify tokens but cannot issue them',
      hasRefreshCredential: true,
      // Unlike the refresh cookie, the device cookie uses the path `/`, because every kind of
      // sign-in must recognize the device.
      deviceCookies: { ...cookies, policy: { ...cookies.policy, path: '/' } },
      insecureCookies: refresh === 'cookie' && !cookies.policy.secure ? 'refresh tokens' : null,
      create: (core) => create(core, settings),
    }
  },
}
