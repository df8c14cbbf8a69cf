import type { SessionRecord } from '../../ports/session-store.js'
import { parseRecord, recordText } from '../session-codec.js'
import { restored, storable } from './storable.js'

/** Digits of a number in the head of a value. Enough for every safe integer. */
export const DIGITS = 16
/** Positions, from 1, of the numbers in the head of a value. */
export const LAST = 1
export const IDLE = 1 + 2 * DIGITS
export const ABSOLUTE = 1 + 3 * DIGITS
const headLength = 4 * DIGITS

const whole = (ms: number) => Math.min(Math.max(Math.trunc(ms) || 0, 0), Number.MAX_SAFE_INTEGER)
export const digits = (ms: number) => String(whole(ms)).padStart(DIGITS, '0')

/**
 * A session as text: last activity, creation, idle timeout and absolute expiry as 16 digits each,
 * then the handle and the record. SQL reads the numbers to choose which session to evict and to
 * extend the idle timeout, so those need no read before the write.
 */
export const sessionValue = (record: SessionRecord): string =>
  digits(record.lastActivityAtMs) +
  digits(record.createdAtMs) +
  digits(record.idleMs) +
  digits(record.absoluteExpiresAtMs) +
  storable(`${record.handle}|${recordText(record)}`)

/** Parses a value. Null for a text in another format. */
export function parseSession(value: string): SessionRecord | null {
  const end = value.indexOf('|', headLength)
  if (end < 0) return null
  const record = parseRecord(handleOf(value), restored(value.slice(end + 1)))
  const lastActivityAtMs = Number(value.slice(0, DIGITS))
  return record && Number.isSafeInteger(lastActivityAtMs) ? { ...record, lastActivityAtMs } : null
}

export const handleOf = (value: string): string =>
  restored(value.slice(headLength, value.indexOf('|', headLength)))

export const endsAtMs = (record: SessionRecord): number =>
  Math.min(record.lastActivityAtMs + record.idleMs, record.absoluteExpiresAtMs)
