import { isUtf8 } from 'node:buffer'
import { parse } from 'node:querystring'
import { pipeline, Transform } from 'node:stream'
import { Busboy, type BusboyInstance } from '@fastify/busboy'
import formbody from '@fastify/formbody'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { BadRequestError } from '../errors.js'

/** Largest body of any of the plugin's routes, in bytes. */
export const maxBodyBytes = 16_384

const formType = 'application/x-www-form-urlencoded'

const notUtf8 = () => new BadRequestError('The body is not valid UTF-8')

/** A field that a person left empty is as good as absent. */
const withoutEmpty = (fields: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''))

const parseForm = (text: string) => withoutEmpty(parse(text))

/** Whether the bytes, and those of its percent-escapes, are UTF-8. */
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

const badForm = (why: string) => new BadRequestError(`The form cannot be read: ${why}`)

/** The fields of a multipart form as a URL-encoded one would give them. @throws BadRequestError for files, and for a body that is not a form */
function parseMultipart(contentType: string, bytes: Buffer): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    if (!isUtf8(bytes)) return reject(notUtf8())
    const fields = new Map<string, string[]>()
    let form: BusboyInstance
    try {
      form = new Busboy({
        headers: { 'content-type': contentType },
        limits: { fieldSize: maxBodyBytes, fields: 100, parts: 100 },
      })
    } catch {
      return reject(badForm('its content type has no boundary'))
    }
    form.on('field', (name, value) => fields.set(name, [...(fields.get(name) ?? []), value]))
    form.on('file', (_name, file) => {
      file.resume()
      reject(badForm('files are not accepted'))
    })
    form.on('error', () => reject(badForm('it is malformed')))
    form.on('finish', () => {
      const single = [...fields].map(([name, values]) => [
        name,
        values.length === 1 ? values[0] : values,
      ])
      resolve(withoutEmpty(Object.fromEntries(single)))
    })
    form.end(bytes)
  })
}

/**
 * Takes `multipart/form-data` of plain fields, which is what `FormData` posts, within the size of any other body. By
 * @fastify/busboy and not by @fastify/multipart: that one's decorators are the app's, which may have registered it around us.
 */
export function acceptMultipart(app: FastifyInstance): void {
  app.addContentTypeParser(
    'multipart/form-data',
    { parseAs: 'buffer', bodyLimit: maxBodyBytes },
    async (request: FastifyRequest, body: Buffer) =>
      parseMultipart(request.headers['content-type'] ?? '', body),
  )
}
