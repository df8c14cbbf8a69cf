import type { SessionPatch, SessionRecord } from '../ports/session-store.js'

/**
 * A record as text: fields in a fixed order, separated by `|`, with times in base 36. The scripts
 * in `sessions.ts` use the same order for the fields before `remember` and don't parse the rest.
 * The format is a third shorter than JSON. It is exact in Lua, whose JSON rejects some strings and
 * rounds large numbers.
 *
 *     2 | created | idle | absolute | last | authenticated | sudo | epoch | csrf | remember | userId | client | metadata
 */
const FIELDS = 13
type T = string
type Fields = [T, T, T, T, T, T, T, T, T, T, T, T, T]

/** Marks a field that isn't named in a patch. Escaped texts never contain it. */
export const ABSENT = '|'

/** Whole milliseconds from 0 to the largest safe integer. */
const timeText = (ms: number) =>
  Math.min(Math.max(Math.trunc(ms) || 0, 0), Number.MAX_SAFE_INTEGER).toString(36)

const escapeText = (text: string) =>
  text.includes('|') || text.includes('%')
    ? text.replace(/[%|]/g, (found) => (found === '%' ? '%25' : '%7C'))
    : text

const unescapeText = (text: string) =>
  text.includes('%') ? text.replace(/%(25|7C)/g, (_, code) => (code === '25' ? '%' : '|')) : text

export function recordText(record: SessionRecord): string {
  return [
    '2',
    timeText(record.createdAtMs),
    timeText(record.idleMs),
    timeText(record.absoluteExpiresAtMs),
    timeText(record.lastActivityAtMs),
    timeText(record.authenticatedAtMs),
    timeText(record.sudoUntilMs),
    escapeText(record.epoch),
    escapeText(record.csrfDigest),
    record.remember ? '1' : '',
    escapeText(record.userId),
    escapeText(record.client),
    escapeText(record.metadata),
  ].join('|')
}

/** Parses a record. Null for a text in another format. */
export function parseRecord(handle: string, text: string): SessionRecord | null {
  const fields = text.split('|', FIELDS + 1)
  if (fields.length !== FIELDS || fields[0] !== '2') return null
  const [
    ,
    created,
    idle,
    absolute,
    last,
    authenticated,
    sudo,
    epoch,
    csrf,
    remember,
    userId,
    client,
    metadata,
  ] = fields as Fields
  const record = {
    handle,
    userId: unescapeText(userId),
    epoch: unescapeText(epoch),
    csrfDigest: unescapeText(csrf),
    createdAtMs: Number.parseInt(created, 36),
    lastActivityAtMs: Number.parseInt(last, 36),
    idleMs: Number.parseInt(idle, 36),
    absoluteExpiresAtMs: Number.parseInt(absolute, 36),
    authenticatedAtMs: Number.parseInt(authenticated, 36),
    sudoUntilMs: Number.parseInt(sudo, 36),
    remember: remember === '1',
    client: unescapeText(client),
    metadata: unescapeText(metadata),
  }
  // NaN compares as false. Written without a loop, because every request with a session runs it.
  const whole =
    record.createdAtMs >= 0 &&
    record.lastActivityAtMs >= 0 &&
    record.idleMs >= 0 &&
    record.absoluteExpiresAtMs >= 0 &&
    record.authenticatedAtMs >= 0 &&
    record.sudoUntilMs >= 0
  return whole ? record : null
}

/** Texts of the five changeable fields, in the order of the record. */
export function patchTexts(patch: SessionPatch | undefined): string[] {
  const time = (ms: number | undefined) => (ms === undefined ? ABSENT : timeText(ms))
  const text = (value: string | undefined) => (value === undefined ? ABSENT : escapeText(value))
  return [
    time(patch?.lastActivityAtMs),
    time(patch?.authenticatedAtMs),
    time(patch?.sudoUntilMs),
    text(patch?.epoch),
    text(patch?.csrfDigest),
  ]
}

export const epochText = (epoch: string | undefined) =>
  epoch === undefined ? ABSENT : escapeText(epoch)
