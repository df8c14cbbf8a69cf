import { isUtf8 } from 'node:buffer'
import { parse as parseForm } from 'node:querystring'
import type { FastifyInstance } from 'fastify'
import { BadRequestError } from '../errors.js'

/** Largest body of any of the plugin's routes, in bytes. */
export const maxBodyBytes = 16_384

const notUtf8 = () => new BadRequestError('The body is not valid UTF-8')

/** Null when an escape is broken or its bytes are no UTF-8: `node:querystring` alone would read U+FFFD, for any of them. */
function parseStrictForm(text: string): Record<string, unknown> | null {
  let isValid = true
  const decode = (part: string) => {
    try {
      return decodeURIComponent(part)
    } catch {
      isValid = false
      return ''
    }
  }
  const fields = parseForm(text, '&', '=', { decodeURIComponent: decode })
  return isValid ? fields : null
}

/**
 * The group's own parsers, JSON and form alone: what the app has registered (another JSON parser, `*`) does not matter, and
 * anything else is 415. Bytes that are no UTF-8 are refused, not replaced: two passwords must not become one.
 */
export function useOwnParsers(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: maxBodyBytes },
    (request, body, done) => {
      const bytes = body as Buffer
      // A client that always says JSON also posts empty bodies, to /logout for one.
      if (bytes.length === 0) done(null, undefined)
      else if (!isUtf8(bytes)) done(notUtf8())
      else parseJson(request, bytes.toString('utf8'), done)
    },
  )
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer', bodyLimit: maxBodyBytes },
    (_request, body, done) => {
      const bytes = body as Buffer
      const fields = isUtf8(bytes) ? parseStrictForm(bytes.toString('utf8')) : null
      if (fields) done(null, fields)
      else done(notUtf8())
    },
  )
}
