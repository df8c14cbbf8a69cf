/** The sections of `docs/configuration.md`: their order, texts and tables. */

interface Row {
  readonly name: string
  readonly type: string
  readonly defaultValue: string
  readonly text: string
}

export interface Section {
  readonly title: string
  readonly text?: string
  /** Interface, prefix for the names of its members, and the members to list (default: all). */
  readonly interfaces: readonly (readonly [string, string, (readonly string[])?])[]
  /** Options that none of our interfaces declares. */
  readonly further?: readonly Row[]
}

export const introduction = `# Configuration

<!-- This page is generated from the TSDoc of the option types. Run "npm run docs:configuration" after a change. -->

Pass options to \`app.register(crudAuth, options)\`. Only \`secret\` and \`users\` are required.

The plugin checks all options at registration, before it opens a connection. An unknown name, a wrong type or a contradiction throws \`CRUDAUTH_CONFIG\` with a message that names the option and says how to fix it. Error messages never contain secrets. The plugin doesn't modify your options object, and later changes to it have no effect.

Names that end in \`Seconds\`, \`Days\`, \`Ms\` or \`KiB\` are in that unit. Seconds and milliseconds are whole numbers unless the description says otherwise.`

const top = 'CrudAuthOptions'

export const sections: readonly Section[] = [
  {
    title: 'State and users',
    text: 'See [State and outages](state.md) and [User stores](users.md).',
    interfaces: [[top, '', ['secret', 'users', 'redis', 'state', 'keyPrefix']]],
  },
  {
    title: 'Routes and transports',
    text: 'The route groups are `account`, `session`, `management`, `bearer`, `email`, `oauth` and `mfa`. See [Several prefixes](guides/prefixes.md) for mounting groups one by one, and [Gates](gates.md#custom-transports) for transports of your own.',
    interfaces: [
      [top, '', ['prefix', 'routes', 'transports', 'trustedOrigins', 'freshSeconds', 'hooks']],
    ],
    further: [
      {
        name: 'logLevel',
        type: 'string',
        defaultValue: "the app's",
        text: "Fastify's log level for the routes of this plugin.",
      },
      {
        name: 'logSerializers',
        type: 'object',
        defaultValue: "the app's",
        text: "Fastify's log serializers for the routes of this plugin.",
      },
    ],
  },
  {
    title: 'Identity and registration',
    text: 'See [Account](account.md).',
    interfaces: [
      [top, '', ['identity']],
      ['IdentityOptions', 'identity.'],
      [top, '', ['account']],
      ['AccountOptions', 'account.'],
      [top, '', ['registration']],
      ['RegistrationOptions', 'registration.'],
    ],
  },
  {
    title: 'Passwords',
    text: 'See [Password rules](account.md#password-rules).',
    interfaces: [
      [top, '', ['passwords']],
      ['PasswordOptions', 'passwords.'],
      ['PasswordCost', 'passwords.cost.'],
    ],
  },
  {
    title: 'Brute-force protection',
    text: 'See [Lockout and rate limits](security.md#lockout-and-rate-limits).',
    interfaces: [
      [top, '', ['lockout']],
      ['LockoutPolicy', 'lockout.'],
    ],
  },
  {
    title: 'Rate limits',
    text: 'A request beyond a limit gets 429 with `Retry-After`. For limits on your own routes see [rateLimit](gates.md#ratelimit).',
    interfaces: [
      [top, '', ['rateLimits']],
      ['LimitedActions', 'rateLimits.'],
    ],
  },
  {
    title: 'Email',
    text: 'See [Email and recovery](email.md).',
    interfaces: [
      [top, '', ['email']],
      ['EmailOptions', 'email.'],
      ['EmailPaths', 'email.paths.'],
    ],
  },
  {
    title: 'Delivery',
    text: 'See [Delivery](email.md#delivery).',
    interfaces: [
      [top, '', ['channels', 'delivery']],
      ['DeliveryOptions', 'delivery.'],
    ],
  },
  {
    title: 'OAuth',
    text: 'See [OAuth and OpenID Connect](oauth.md).',
    interfaces: [
      [top, '', ['oauth']],
      ['OAuthOptions', 'oauth.'],
    ],
  },
  {
    title: 'Second factor',
    text: 'See [Second factor (MFA)](mfa.md).',
    interfaces: [
      [top, '', ['mfa']],
      ['MfaOptions', 'mfa.'],
    ],
  },
  {
    title: 'Passkeys',
    text: 'See [Passkeys](passkeys.md).',
    interfaces: [
      [top, '', ['passkeys']],
      ['PasskeyOptions', 'passkeys.'],
    ],
  },
  {
    title: 'Sudo mode',
    text: 'See [requireSudo](gates.md#requiresudo).',
    interfaces: [
      [top, '', ['sudo']],
      ['SudoPolicy', 'sudo.'],
    ],
  },
  {
    title: 'Cookies',
    text: 'See [Cookies](session.md#cookies).',
    interfaces: [
      [top, '', ['cookies']],
      ['CookieOptions', 'cookies.'],
      ['CookieNames', 'cookies.names.'],
    ],
  },
  {
    title: 'Time limits',
    text: 'Anything that takes longer fails the request with 503 `CRUDAUTH_UNAVAILABLE`.',
    interfaces: [
      [top, '', ['timeouts']],
      ['TimeoutOptions', 'timeouts.'],
    ],
  },
  {
    title: 'sessionTransport()',
    text: 'One of the `transports`. See [Session](session.md).',
    interfaces: [['SessionTransportOptions', 'sessionTransport.']],
  },
  {
    title: 'bearerTransport()',
    text: 'One of the `transports`. See [Bearer](bearer.md).',
    interfaces: [['BearerTransportOptions', 'bearerTransport.']],
  },
  {
    title: 'currentUser()',
    text: 'See [Gates](gates.md#currentuser).',
    interfaces: [['CurrentUserOptions', '']],
  },
  {
    title: 'kyselyUsers()',
    text: 'See [User stores](users.md), also for `memoryUsers()` and `cachedStatements()`.',
    interfaces: [['KyselyUsersOptions', '']],
  },
  {
    title: 'drizzleUsers()',
    text: 'See [Drizzle](users.md#drizzle).',
    interfaces: [['DrizzleUsersOptions', '']],
  },
  {
    title: 'prismaUsers()',
    text: 'See [Prisma](users.md#prisma).',
    interfaces: [['PrismaUsersOptions', '']],
  },
  {
    title: 'kyselyOAuthAccounts()',
    text: 'See [A table for links](oauth.md#a-table-for-links).',
    interfaces: [['KyselyOAuthAccountsOptions', '']],
  },
  {
    title: 'drizzleOAuthAccounts()',
    interfaces: [['DrizzleOAuthAccountsOptions', '']],
  },
  {
    title: 'prismaOAuthAccounts()',
    interfaces: [['PrismaOAuthAccountsOptions', '']],
  },
  {
    title: 'kyselyPasskeys()',
    text: 'See [Passkeys](passkeys.md#set-up), also for `memoryPasskeys()`.',
    interfaces: [['KyselyPasskeysOptions', '']],
  },
  {
    title: 'drizzlePasskeys()',
    interfaces: [['DrizzlePasskeysOptions', '']],
  },
  {
    title: 'prismaPasskeys()',
    interfaces: [['PrismaPasskeysOptions', '']],
  },
  {
    title: 'smtpSender()',
    text: 'See [SMTP](email.md#smtp).',
    interfaces: [['SmtpSenderOptions', '']],
  },
  {
    title: 'logSender()',
    text: 'For development: it writes each email to the log and sends nothing.',
    interfaces: [['LogSenderOptions', '']],
  },
  {
    title: 'Every provider',
    text: 'Options that all provider builders take. See [OAuth and OpenID Connect](oauth.md).',
    interfaces: [['ProviderOptions', '']],
  },
  {
    title: 'google()',
    interfaces: [['GoogleOptions', '', ['clientSecret', 'issuer', 'trustEmail']]],
  },
  { title: 'github()', interfaces: [['GithubOptions', '', ['clientSecret', 'emailsEndpoint']]] },
  {
    title: 'microsoft()',
    interfaces: [['MicrosoftOptions', '', ['clientSecret', 'tenant', 'issuer']]],
  },
  {
    title: 'apple()',
    interfaces: [['AppleOptions', '', ['clientId', 'teamId', 'keyId', 'privateKey', 'issuer']]],
  },
  { title: 'gitlab()', interfaces: [['GitlabOptions', '', ['clientSecret', 'issuer']]] },
  { title: 'discord()', interfaces: [['DiscordOptions', '', ['clientSecret']]] },
  {
    title: 'oidc()',
    interfaces: [
      ['OidcOptions', '', ['issuer', 'requireIss', 'useUserinfo']],
      ['OidcEndpoints', ''],
      ['ClientCredentials', ''],
    ],
  },
  {
    title: 'oauth2()',
    text: 'It also takes `clientSecret`, `privateKey`, `keyId` and `clientAuthentication` of [oidc()](#oidc).',
    interfaces: [
      [
        'OAuth2Options',
        '',
        [
          'authorizationEndpoint',
          'tokenEndpoint',
          'userinfoEndpoint',
          'emailsEndpoint',
          'issuer',
          'requireIss',
          'mapProfile',
        ],
      ],
    ],
  },
]
