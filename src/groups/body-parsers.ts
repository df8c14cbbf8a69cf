import { isUtf8 } from 'node:buffer'
import { parse } from 'node:querystring'
import { pipeline, Transform } from 'node:stream'
import { Busboy, type BusboyInstance } from '@fastify/busboy'
import formbody from '@fastify/formbody'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { BadRequestError } from '../errors.js'

/** Largest request body of the plugin's routes, in bytes. */
export const maxBodyBytes = 16_384

const formType = 'application/x-www-form-urlencoded'

const notUtf8 = () => new BadRequestError('The body is not valid UTF-8')

/** Drops empty fields, because browsers also submit inputs that were left blank. */
const withoutEmpty = (fields: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''))

const parseForm = (text: string) => withoutEmpty(parse(text))

/** Whether the bytes and their percent-escapes are valid UTF-8. */
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
 * Passes a form through, and rejects it at the end if it isn't valid UTF-8. A parser would replace
 * invalid bytes with U+FFFD, so that different passwords could become the same one. Fastify
 * enforces the size limit on the output.
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
 * Replaces the app's parsers (another JSON parser, `*`) with the group's own, for JSON and forms.
 * Any other content type gets 415. Invalid UTF-8 is rejected, not replaced. @fastify/formbody
 * decodes the body before it calls the parser, so forms are checked in `preParsing`.
 */
export async function useOwnParsers(app: FastifyInstance): Promise<void> {
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: maxBodyBytes },
    (request, body, done) => {
      const bytes = body as Buffer
      // A client that always sends the JSON content type also posts empty bodies, as to /logout.
      if (bytes.length === 0) done(null, undefined)
      else if (!isUtf8(bytes)) done(notUtf8())
      else parseJson(request, bytes.toString('utf8'), done)
    },
  )
  await app.register(formbody, { parser: parseForm, bodyLimit: maxBodyBytes })
  app.addHook('preParsing', function checkForm(request, _reply, payload, done) {
    const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
    if (type !== formType) return done(null, payload)
    // `pipeline` passes an error of the request on to the check, where Fastify handles it.
    const check = pipeline(payload, createFormCheck(), () => {})
    done(null, check)
  })
}

const badForm = (why: string) => new BadRequestError(`The form cannot be read: ${why}`)

/**
 * Parses a multipart form into the same fields as a URL-encoded one.
 * @throws BadRequestError for files and for a malformed form
 */
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
      // Emitted if the body ends inside the file. Without a listener it would end the process.
      file.on('error', () => {})
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
 * Accepts `multipart/form-data` without files, which `FormData` posts, up to the size limit of any
 * other body. Uses @fastify/busboy because the decorators of @fastify/multipart would conflict with
 * those of an app that has registered it.
 */
export function acceptMultipart(app: FastifyInstance): void {
  app.addContentTypeParser(
    'multipart/form-data',
    { parseAs: 'buffer', bodyLimit: maxBodyBytes },
    async (request: FastifyRequest, body: Buffer) =>
      parseMultipart(request.headers['content-type'] ?? '', body),
  )
}
