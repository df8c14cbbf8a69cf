import { checkFunction, checkStrings, describe, fail } from '../../../lib/option-checks.js'
import type { OAuthProvider } from '../../../ports/oauth-provider.js'

/** Parameters of the protocol. Overriding one would disable a check. */
const reserved = new Set(
  [
    ...[
      'claims',
      'client_id',
      'client_secret',
      'code_challenge',
      'code_challenge_method',
      'nonce',
      'redirect_uri',
      'request',
    ],
    ...['request_uri', 'response_mode', 'response_type', 'scope', 'state'],
  ].sort(),
)

const endpoints = [
  'metadataUrl',
  'authorizationEndpoint',
  'tokenEndpoint',
  'jwksUri',
  'userinfoEndpoint',
  'emailsEndpoint',
] as const

function checkUrl(name: string, value: unknown, allowInsecure: boolean): void {
  if (typeof value !== 'string') fail(`"${name}" must be a URL, got ${describe(value)}`)
  if (!URL.canParse(value)) fail(`"${name}" must be a URL, as in "https://login.example.com/token"`)
  const url = new URL(value)
  if (url.protocol !== 'https:' && !(allowInsecure && url.protocol === 'http:')) {
    fail(`"${name}" must be an https URL; http is for development, with "allowInsecure"`)
  }
  if (url.username !== '' || url.password !== '' || url.hash !== '') {
    fail(`"${name}" must be a URL without credentials and without a fragment`)
  }
}

/** `scope-token` of RFC 6749, 3.3. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/**
 * Checks a provider, whether or not a builder created it.
 * @param name name of the option in messages, such as `oauth.providers.google`
 * @throws CRUDAUTH_CONFIG
 */
export function checkProvider(name: string, provider: OAuthProvider): void {
  if (
    typeof provider !== 'object' ||
    provider === null ||
    !['oidc', 'oauth2'].includes(provider.protocol)
  ) {
    fail(
      `"${name}" must be an OAuthProvider, got ${describe(provider)}; create one with google(), oidc(), oauth2() or another builder`,
    )
  }
  const { protocol, clientId, allowInsecure, responseMode } = provider
  if (typeof clientId !== 'string' || clientId === '')
    fail(`"${name}.clientId" must be a non-empty string, got ${describe(clientId)}`)
  for (const option of ['allowInsecure', 'requireIss', 'useUserinfo'] as const) {
    const value = provider[option]
    if (value !== undefined && typeof value !== 'boolean') {
      fail(`"${name}.${option}" must be true or false, got ${describe(value)}`)
    }
  }
  const insecure = allowInsecure === true
  for (const endpoint of endpoints) {
    if (provider[endpoint] !== undefined)
      checkUrl(`${name}.${endpoint}`, provider[endpoint], insecure)
  }
  if (protocol === 'oidc' || provider.issuer !== undefined) {
    checkUrl(`${name}.issuer`, provider.issuer, insecure)
    if (provider.issuer?.includes('?')) fail(`"${name}.issuer" must be a URL without a query`)
  }
  if (protocol === 'oauth2') {
    for (const endpoint of [
      'authorizationEndpoint',
      'tokenEndpoint',
      'userinfoEndpoint',
    ] as const) {
      if (provider[endpoint] === undefined)
        fail(`"${name}.${endpoint}" must be a URL, got undefined; plain OAuth 2.0 has no discovery`)
    }
    if (provider.requireIss && provider.issuer === undefined)
      fail(`"${name}.requireIss" needs "issuer", which "iss" must equal`)
  }
  const scopes = checkStrings(`${name}.scopes`, provider.scopes, [])
  if (!scopes.every((scope) => scopeToken.test(scope)))
    fail(`"${name}.scopes" must be a list of scopes, each without spaces`)
  if (responseMode !== undefined && responseMode !== 'query' && responseMode !== 'form_post') {
    fail(`"${name}.responseMode" must be "query" or "form_post", got ${describe(responseMode)}`)
  }
  const params: unknown = provider.authorizationParams ?? {}
  if (typeof params !== 'object' || Array.isArray(params)) {
    fail(`"${name}.authorizationParams" must be an object of strings, got ${describe(params)}`)
  }
  for (const [parameter, value] of Object.entries(params as object)) {
    if (reserved.has(parameter)) {
      fail(
        `"${name}.authorizationParams" must not set "${parameter}"; the plugin sets ${[...reserved].join(', ')}`,
      )
    }
    if (typeof value !== 'string')
      fail(`"${name}.authorizationParams.${parameter}" must be a string, got ${describe(value)}`)
  }
  const { max_age: maxAge, acr_values: acrValues } = provider.authorizationParams ?? {}
  if (maxAge !== undefined && !/^\d{1,9}$/.test(maxAge))
    fail(`"${name}.authorizationParams.max_age" must be whole seconds such as "3600"`)
  if (protocol === 'oauth2' && (maxAge ?? acrValues) !== undefined)
    fail(
      `"${name}.authorizationParams" has "max_age" or "acr_values", which only ID tokens confirm; use oidc()`,
    )
  checkFunction(`${name}.issuerOf`, provider.issuerOf)
  if (typeof provider.mapProfile !== 'function') {
    fail(`"${name}.mapProfile" must be a function, got ${describe(provider.mapProfile)}`)
  }
}
