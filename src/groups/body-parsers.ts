import { isUtf8 } from 'node:buffer'
import { parse as parseForm } from 'node:querystring'
import { pipeline, Transform } from 'node:stream'
import formbody from '@fastify/formbody'
import type { FastifyInstance } from 'fastify'
import { BadRequestError } from '../errors.js'

/** Largest body of any of the plugin's routes, in bytes. */
export const maxBodyBytes = 16_384

const formType = 'application/x-www-form-urlencoded'

const notUtf8 = () => new BadRequestError('The body is not valid UTF-8')

/** Whether the bytes, and those that its escapes stand for, are UTF-8. */
function isUtf8Form(bytes: Buffer): boolean {
  if (!isUtf8(bytes)) return false
  try {
    decodeURIComponent(bytes.toString('utf8'))
    return true
  } catch {
    return false
  }
}

/**
 * Lets a form through, and refuses it at its end when a parser could only read it with U+FFFD for some of its bytes: two
 * passwords must not become one. Fastify bounds what comes out of it.
 */
function createFormCheck(): Transform {
  const chunks: Buffer[] = []
  let length = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      length += chunk.length
      if (length <= maxBodyBytes) chunks.push(chunk)
      done(null, chunk)
    },
    flush(done) {
      done(length > maxBodyBytes || isUtf8Form(Buffer.concat(chunks)) ? null : notUtf8())
    },
  })
}

/**
 * The group's own parsers, JSON and form alone: what the app has registered (another JSON parser, `*`) does not matter, and
 * anything else is 415. Bytes that are no UTF-8 are refused, not replaced. @fastify/formbody reads them as text before its
 * parser sees them, so forms are checked on their way to it.
 */
export async function useOwnParsers(app: FastifyInstance): Promise<void> {
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
  await app.register(formbody, { parser: parseForm, bodyLimit: maxBodyBytes })
  app.addHook('preParsing', function checkForm(request, _reply, payload, done) {
    const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
    if (type !== formType) return done(null, payload)
    // An error of the request comes out of the check, where Fastify hears it.
    const check = pipeline(payload, createFormCheck(), () => {})
    done(null, check)
  })
}
