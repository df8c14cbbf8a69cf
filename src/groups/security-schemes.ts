import type { CrudAuthOptions } from '../core/option-types.js'
import {
  isSessionTransport,
  resolveSession,
  sessionScheme,
  sessionTransport,
} from '../core/sessions/options.js'
import { createCookie } from '../http/cookies.js'
import type { SecurityScheme } from '../ports/transport.js'
import { schemesOf } from './openapi.js'

/**
 * OpenAPI security schemes of the transports by name, for a document that the app builds itself.
 * @param options the options that the plugin gets; default: sessions with the default cookies
 * @throws CRUDAUTH_CONFIG for invalid options
 * @example
 * const components = { securitySchemes: securitySchemes({ transports: [sessionTransport()] }) }
 */
export function securitySchemes(
  options: Pick<CrudAuthOptions, 'transports' | 'cookies'> = {},
): Record<string, SecurityScheme> {
  const transports = options.transports ?? [sessionTransport()]
  const session = transports.find(isSessionTransport)
  const settings = session && resolveSession(session.options, options.cookies)
  const described = transports.map((transport) =>
    transport === session && settings
      ? {
          ...transport,
          securityScheme: sessionScheme(
            createCookie(settings.cookies.names.session, settings.cookies.policy, true).name,
          ),
        }
      : transport,
  )
  return schemesOf(described, settings?.csrf ?? false)
}
