/** Compiled, never run: what the documented names let an app write, and what they keep it from writing. */
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import Fastify, { type FastifyTypeProvider } from 'fastify'
import crudAuth, {
  type AuthEvent,
  accountRoutes,
  type CrudAuthOptions,
  createRegistrationGate,
  currentUser,
  type DeliveryChannel,
  DuplicateUserError,
  type EmailSender,
  emailRoutes,
  google,
  logSender,
  managementRoutes,
  memoryUsers,
  type OAuthAccountStore,
  type OAuthProvider,
  type Principal,
  requireFresh,
  requireSudo,
  type SessionStore,
  sessionRoutes,
  sessionTransport,
  type Transport,
  UnauthenticatedError,
  type UserStore,
} from '../../src/index.js'

type Equals<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const is = <T extends true>(): T => true as T

const secret = 'never used'
const users = memoryUsers()

// HTTP/1: registration, every place of a gate, alone and in arrays, from the app and from the module.
{
  const app = Fastify({ trustProxy: ['10.0.0.0/8'] })
  await app.register(crudAuth, { secret, users })
  app.register(crudAuth, {
    secret: [secret, Buffer.from(secret)],
    users,
    prefix: '/auth',
    logLevel: 'warn',
  })
  app.get('/dashboard', { preHandler: app.currentUser() }, async (request) => ({
    hello: request.principal.userId,
  }))
  app.get(
    '/reports',
    { preHandler: app.currentUser({ scopes: ['reports:read'], transport: 'bearer' }) },
    async () => ({}),
  )
  app.delete('/account', { preHandler: [app.currentUser(), app.requireSudo] }, async () => ({}))
  for (const gate of [
    app.currentUser(),
    app.requireSudo,
    app.requireFresh,
    app.crudAuth.rateLimit('x', { max: 1, windowSeconds: 1 }),
  ]) {
    app.get('/a', { onRequest: gate }, async () => ({}))
    app.get('/b', { preValidation: gate }, async () => ({}))
    app.get('/c', { preHandler: gate }, async () => ({}))
    app.get(
      '/d',
      { onRequest: [gate], preValidation: [gate, gate], preHandler: [gate] },
      async () => ({}),
    )
    app.addHook('onRequest', gate)
    app.addHook('preHandler', gate)
  }
  for (const gate of [currentUser(), requireSudo, requireFresh, currentUser({ optional: true })]) {
    app.get('/a', { onRequest: gate, preValidation: gate, preHandler: [gate] }, async () => ({}))
    app.addHook('onRequest', gate)
    app.addHook('preValidation', gate)
  }

  // Generics and schemas of the route stay what they are beside a gate.
  app.get<{ Params: { id: string }; Querystring: { page?: string } }>(
    '/things/:id',
    { onRequest: app.currentUser(), preHandler: [app.requireFresh] },
    async (request) => {
      is<Equals<typeof request.params.id, string>>()
      is<Equals<typeof request.query, { page?: string }>>()
      return request.principal.userId
    },
  )
  app.post<{ Body: { password: string } }>(
    '/sudo',
    { preHandler: currentUser() },
    async (request) => ({
      until: await app.crudAuth.sudo.elevate(request, { password: request.body.password }),
    }),
  )
  app.post<{ Body: { name: string; password: string } }>('/enter', async (request, reply) => {
    const user = await app.crudAuth.authenticatePassword(
      request,
      request.body.name,
      request.body.password,
    )
    const session = await app.crudAuth.sessions.create(request, user, {
      rememberMe: true,
      metadata: { tenant: 1 },
    })
    app.crudAuth.sessions.setCookies(request, reply, session)
    return { csrf: session.csrfToken }
  })
  app.route({
    method: 'GET',
    url: '/maybe',
    onRequest: app.currentUser({ optional: true }),
    handler: async (request) => {
      is<Equals<typeof request.maybePrincipal, Principal | null>>()
      is<Equals<typeof request.principal, Principal>>()
      return {}
    },
  })
  await app.register(accountRoutes, { prefix: '/users' })
  await app.register(sessionRoutes, { prefix: '/web' })
  await app.register(managementRoutes)
  await app.register(emailRoutes, { prefix: '/mail' })
  app.post<{ Body: { email: string; token: string } }>('/forgotten', async (request) => {
    app.crudAuth.recovery.requestPasswordReset(request, request.body.email, { redirectTo: '/' })
    const { redirectTo } = await app.crudAuth.recovery.resetPassword(
      request,
      request.body.token,
      'x',
    )
    is<Equals<typeof redirectTo, string | undefined>>()
  })
  is<Equals<typeof app.sessionStore, SessionStore>>()

  // Without a word from the app its rows are records.
  app.get('/row', { onRequest: app.currentUser() }, async (request) => {
    is<Equals<typeof request.principal.user, Record<string, unknown>>>()
    return request.principal.user.anything
  })
}

// HTTP/2, with the same names.
{
  const app = Fastify({ http2: true })
  await app.register(crudAuth, { secret, users })
  app.get(
    '/x',
    {
      onRequest: app.currentUser(),
      preValidation: [app.requireFresh],
      preHandler: app.requireSudo,
    },
    async (request) => {
      is<Equals<typeof request.principal.transport, string>>()
      return request.principal.userId
    },
  )
  app.get(
    '/y',
    { onRequest: currentUser(), preHandler: [requireSudo, requireFresh] },
    async (request) => request.maybePrincipal,
  )
  app.post<{ Body: { password: string } }>(
    '/sudo',
    { preHandler: app.currentUser() },
    async (request) => {
      is<Equals<typeof request.body.password, string>>()
      return app.crudAuth.sudo.elevate(request, { password: request.body.password })
    },
  )
  app.addHook('onRequest', app.currentUser())
  await app.register(sessionRoutes)
}

// A type provider: what it infers of body and query stays inferred beside gates of either kind.
interface TypeBoxProvider extends FastifyTypeProvider {
  validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown
  serializer: this['schema'] extends TSchema ? Static<this['schema']> : unknown
}
for (const app of [Fastify().withTypeProvider<TypeBoxProvider>()]) {
  await app.register(crudAuth, { secret, users })
  const body = Type.Object({ amount: Type.Integer(), note: Type.Optional(Type.String()) })
  app.post(
    '/pay',
    { schema: { body }, onRequest: app.currentUser(), preHandler: [app.requireSudo] },
    async (request) => {
      is<Equals<typeof request.body.amount, number>>()
      is<Equals<typeof request.body.note, string | undefined>>()
      return request.principal.userId
    },
  )
  app.post(
    '/pay-too',
    {
      schema: { body },
      onRequest: currentUser(),
      preValidation: requireFresh,
      preHandler: [requireSudo],
    },
    async (request) => {
      is<Equals<typeof request.body.amount, number>>()
      // @ts-expect-error: the body has no such member
      return request.body.amounts
    },
  )
  app.get(
    '/typed',
    {
      schema: { response: { 200: Type.Object({ ok: Type.Boolean() }) } },
      onRequest: app.currentUser(),
    },
    async () => ({ ok: true }),
  )
}
{
  const app = Fastify({ http2: true }).withTypeProvider<TypeBoxProvider>()
  await app.register(crudAuth, { secret, users })
  app.post(
    '/pay',
    {
      schema: { body: Type.Object({ amount: Type.Integer() }) },
      onRequest: [app.currentUser()],
      preHandler: requireSudo,
    },
    async (request) => {
      is<Equals<typeof request.body.amount, number>>()
      return {}
    },
  )
}

// A provider of the app's own, and a table of its own for links.
export const acme: OAuthProvider = {
  protocol: 'oauth2',
  authorizationEndpoint: 'https://acme.example/authorize',
  tokenEndpoint: 'https://acme.example/token',
  userinfoEndpoint: 'https://acme.example/me',
  clientId: 'app',
  clientAuthentication: { method: 'client_secret_post', clientSecret: async () => 'secret' },
  scopes: ['me'],
  mapProfile: (claims) => ({
    id: claims.id,
    email: claims.email,
    emailVerified: claims.verified === true,
  }),
}
export const linked: OAuthAccountStore = {
  find: async (provider, subject) => ({
    provider,
    subject,
    userId: 1,
    email: null,
    linkedAt: new Date(),
  }),
  list: async () => [],
  add: async ({ userId }) => userId === 1,
  remove: async (_userId, _provider, keepLast) => (keepLast ? 'last' : 'removed'),
}

// Options in the app's own hands.
export const options: CrudAuthOptions = {
  secret: process.env.AUTH_SECRET,
  users,
  redis: process.env.REDIS_URL,
  transports: [
    sessionTransport({ managementRoutes: true, maxSessionsPerUser: Number.POSITIVE_INFINITY }),
  ],
  identity: { login: ['email'], recovery: null },
  registration: {
    schema: Type.Object({ plan: Type.String() }),
    extraFields: ['plan'],
    defaults: { tenant: 1 },
    fields: async ({ source, request, values }) => ({
      host: request.hostname,
      source,
      plan: values.plan,
    }),
  },
  passwords: {
    minLength: 12,
    check: async (password, { email }) => (password === email ? 'Not that' : true),
  },
  lockout: false,
  email: {
    sender: logSender(),
    frontendUrl: 'https://app.example.com',
    paths: { verify: '/v' },
    render: (kind, { link, expiresInSeconds }) => ({
      subject: kind,
      text: `${link} ${expiresInSeconds.toFixed()}`,
    }),
  },
  channels: [
    { name: 'sms', deliver: async ({ kind, token, recipient }) => [kind, token, recipient] },
  ],
  delivery: { enqueue: ({ id, payload }) => [id, payload], attempts: 3 },
  oauth: {
    baseUrl: 'https://app.example.com',
    providers: { google: google({ clientId: 'app', clientSecret: 'secret' }), acme },
    defaultRedirect: '/start',
    accounts: linked,
  },
  timeouts: { oauthMs: 5000 },
  sudo: false,
  rateLimits: {
    register: false,
    export: { max: 1, windowSeconds: 60 },
    logout_all: async (request) => (request.ip === '::1' ? false : { max: 1, windowSeconds: 1 }),
  },
  hooks: {
    async onAfterRegister(user, { request, source }) {
      is<Equals<typeof source, 'register' | 'oauth'>>()
      request.log.info({ id: user.id }, 'registered')
    },
    onLoginFailed({ identifier, reason }, { request }) {
      request.log.info({ identifier, reason })
    },
    onAfterSudo: (_user, { until }) => until.getTime(),
    onAfterOAuth: (_user, { provider, profile, created, linked }) => [
      provider,
      profile.email,
      created,
      linked,
    ],
    onProviderTokens: (_user, { provider, tokens }) => [provider, tokens.refreshToken],
    onAfterRecoveryVerified: (_user, { factor }) => factor.length,
    onDeliveryFailed: ({ kind, channel, reason, attempts }) => [kind, channel, reason, attempts],
    onBeforeLogin() {
      throw new UnauthenticatedError()
    },
  },
}

// The union of events narrows by its type.
export const tell = (event: AuthEvent): string => {
  if (event.type === 'onLoginFailed') return event.identifier
  if (event.type === 'onAfterSudo') return event.until.toISOString()
  return 'user' in event ? String(event.user.id) : event.reason
}

// Ports.
export const apiKey: Transport = {
  name: 'key',
  async authenticate(request, auth) {
    const key = request.headers['x-api-key']
    if (typeof key !== 'string') return null
    const user = await auth.users.findBy('apiKeyHash', key)
    return user && auth.createPrincipal(user, { transport: 'key', scopes: ['read'] })
  },
}
export const sender: EmailSender = {
  send: ({ to, subject, text, html }) => [to, subject, text, html],
}
export const channel: DeliveryChannel = {
  deliver({ token }) {
    is<Equals<typeof token, string | null>>()
  },
}
interface Row {
  id: number
  email: string
}
export const typedStore: UserStore<Row> = {
  fields: { columns: { id: 'id', email: 'email', hashedPassword: 'pw' }, unique: ['email'] },
  findById: async () => null,
  findBy: async () => null,
  create: async () => {
    throw new DuplicateUserError('email')
  },
  update: async () => false,
  compareAndSet: async () => false,
}
export const typedOptions: CrudAuthOptions = { secret, users: typedStore }
export const pick: (body: object) => Record<string, unknown> = createRegistrationGate({
  fields: users.fields,
  allow: ['email'],
})

// Misuse.
{
  const app = Fastify()
  // @ts-expect-error: users are required
  app.register(crudAuth, { secret })
  // @ts-expect-error: a misspelt option
  app.register(crudAuth, { secret, users, transport: [] })
  // @ts-expect-error: the transport is to be called
  app.register(crudAuth, { secret, users, transports: [sessionTransport] })
  // @ts-expect-error: a misspelt option of a gate
  app.currentUser({ superUser: true })
  // @ts-expect-error: scopes are a list
  app.currentUser({ scopes: 'read' })
  // @ts-expect-error: a check answers a boolean
  app.currentUser({ check: () => 'yes' })
  // @ts-expect-error: sudo is a hook itself
  app.requireSudo()
  // @ts-expect-error: the builder is not a hook: it would let every request pass
  app.get('/x', { preHandler: app.currentUser }, async () => ({}))
  // @ts-expect-error: a limit needs its window
  app.crudAuth.rateLimit('x', { max: 1 })
  // @ts-expect-error: no such key
  app.crudAuth.rateLimit('x', { max: 1, windowSeconds: 1 }, { key: 'device' })
  // @ts-expect-error: no such group
  app.register(crudAuth, { secret, users, routes: ['acount'] })
  // @ts-expect-error: no such hook
  app.register(crudAuth, { secret, users, hooks: { afterLogin() {} } })
  // @ts-expect-error: "Lax" is spelled in lower case
  app.register(crudAuth, { secret, users, cookies: { sameSite: 'Lax' } })
  // @ts-expect-error: links need a front end
  app.register(crudAuth, { secret, users, email: { sender } })
  const email = { sender: {}, frontendUrl: 'https://app.example.com' }
  // @ts-expect-error: a sender sends
  app.register(crudAuth, { secret, users, email })
  app.get('/y', async (request) => {
    // @ts-expect-error: a principal is set by gates alone
    request.principal = null
    // @ts-expect-error: the request may be anonymous
    return request.maybePrincipal.userId
  })
}
