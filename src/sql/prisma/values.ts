import { UserValueError } from '../../errors.js'
import type { Dialect } from '../dialect.js'
import { encoder } from '../values.js'
import type { ModelField } from './model.js'

const whole = /^-?\d{1,40}$/

const isInt32 = (value: number): boolean => (value | 0) === value

/** A whole number, also written as text; undefined for anything else. */
function wholeNumber(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value
  if (typeof value === 'string') return whole.test(value) ? BigInt(value) : undefined
  return Number.isSafeInteger(value) ? BigInt(value as number) : undefined
}

/** The value in the type that Prisma wants for a field. Undefined if it has none. */
function converted({ type }: ModelField, value: unknown): unknown {
  switch (type) {
    case 'Int': {
      const number = wholeNumber(value)
      return number !== undefined && isInt32(Number(number)) ? Number(number) : undefined
    }
    case 'BigInt': {
      const number = wholeNumber(value)
      return number !== undefined && BigInt.asIntN(64, number) === number ? number : undefined
    }
    case 'Boolean':
      if (value === 0 || value === 1) return value === 1
      return typeof value === 'boolean' ? value : undefined
    case 'DateTime':
      return value instanceof Date ? value : undefined
    case 'Float':
      return typeof value === 'number' ? value : undefined
    case 'Bytes':
      return value instanceof Uint8Array ? value : undefined
    case 'String':
      if (value instanceof Date) return value.toISOString()
      if (typeof value === 'boolean') return undefined
      return typeof value === 'object' ? JSON.stringify(value) : String(value)
    default:
      return value
  }
}

/**
 * Turns values into what Prisma takes for a field, so that its own check, whose message repeats all
 * values, never refuses one.
 * @throws UserValueError for a value that the field can't hold unchanged
 */
export function prismaEncoder(dialect: Dialect) {
  const check = encoder(dialect, { dates: 'native', booleans: 'native' })
  return (field: ModelField, value: unknown, name: string): unknown => {
    if (value === null) return null
    if (field.isList || field.type === 'Json') return value
    check(name, value)
    const own = converted(field, value)
    if (own === undefined) throw new UserValueError(name)
    return own
  }
}
