import type { Dialect } from '../dialect.js'
import { type Failure, failureOf } from '../driver-errors.js'

interface AdapterCause {
  readonly originalCode?: string
  readonly originalMessage?: string
  readonly constraint?: { readonly fields?: readonly string[]; readonly index?: string }
}

interface PrismaError {
  readonly name?: string
  readonly code?: string
  readonly message?: string
  readonly cause?: AdapterCause
  readonly meta?: {
    readonly target?: string | readonly string[]
    readonly constraint?: string | readonly string[]
    readonly driverAdapterError?: { readonly cause?: AdapterCause }
  }
}

/** Meaning of Prisma's codes, where there is no error of a driver adapter. */
const CODES: Readonly<Record<string, Failure['kind']>> = {
  P2000: 'value',
  P2002: 'duplicate',
  P2004: 'value',
  P2005: 'value',
  P2006: 'value',
  P2007: 'value',
  P2011: 'null',
  P2019: 'value',
  P2020: 'value',
  P2023: 'value',
  P2033: 'value',
  P2034: 'again',
}

const listed = (names: string | readonly string[] | undefined): string[] =>
  names === undefined ? [] : typeof names === 'string' ? [names] : [...names]

/** The columns in the name that Prisma or PostgreSQL gives an index: `accounts_email_key`. */
const named = (index: string): string[] =>
  /_pkey$/.test(index) ? ['PRIMARY'] : [index.replace(/_(?:key|idx|unique)$/, ''), index]

/** The meaning of an error of Prisma, with and without a driver adapter. */
export function prismaFailure(dialect: Dialect, error: unknown): Failure {
  if (typeof error !== 'object' || error === null) return { kind: 'other', columns: [] }
  const { name, code = '', message = '', meta } = error as PrismaError
  if (name === 'PrismaClientValidationError') {
    const empty = /Argument `(\w+)` must not be null/.exec(message)?.[1]
    if (empty !== undefined) return { kind: 'null', columns: [empty] }
    return { kind: /is missing\.?$/.test(message) ? 'other' : 'value', columns: [] }
  }
  // A conflict that shows at the end of a transaction is thrown as the adapter has made it.
  const adapterError =
    name === 'DriverAdapterError' ? (error as PrismaError) : meta?.driverAdapterError
  const cause = adapterError?.cause
  if (cause?.originalCode !== undefined) {
    const { originalCode, originalMessage, constraint } = cause
    const failure = failureOf(dialect, {
      code: originalCode,
      errno: originalCode,
      message: originalMessage,
      constraint: constraint?.index,
      column: constraint?.fields?.[0],
    })
    return code === 'P2034' ? { ...failure, kind: 'again' } : failure
  }
  const kind = CODES[code]
  if (kind !== undefined)
    return { kind, columns: listed(meta?.target ?? meta?.constraint).flatMap(named) }
  // Prisma's own engine puts what it has no code for into the message.
  const native = /\bcode: "?(\w+)"?/.exec(message)?.[1]
  return failureOf(dialect, { code: native, errno: native, message })
}

/**
 * The error without the call in its message, which repeats all values. For a request that Prisma
 * refuses itself, only the sentence at the end is left.
 */
export function withoutValues(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'PrismaClientValidationError') return error
  const sentence = error.message.trim().split('\n').at(-1) ?? ''
  return Object.assign(new Error(sentence), { name: error.name })
}
