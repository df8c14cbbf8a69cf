import { randomUUID } from 'node:crypto'
import type { UserId } from '../../ports/user-store.js'

const UUID = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/i

/** An id of the same type that no row has. */
export function unknownId(id: UserId): UserId {
  if (typeof id === 'number') return id + 100_000
  if (typeof id === 'bigint') return id + 100_000n
  if (/^\d+$/.test(id)) return String(BigInt(id) + 100_000n)
  return UUID.test(id) ? randomUUID() : `${id}x`
}

/**
 * Values that aren't `id`. A database may convert some of them to `id`, and fail for the others.
 */
export function foreignIds(id: UserId): unknown[] {
  const text = String(id)
  const others: unknown[] = [
    `${text}abc`,
    `${text} `,
    ` ${text}`,
    `+${text}`,
    `0${text}`,
    `${text}.0`,
    `${text}\0`,
    `{${text}}`,
    text.replaceAll('-', ''),
  ]
  if (typeof id !== 'string') others.push(text)
  if (typeof id !== 'number' && /^\d+$/.test(text)) others.push(Number(text))
  if (typeof id !== 'bigint' && /^\d+$/.test(text)) others.push(BigInt(text))
  others.push(
    caseFolded(text),
    '',
    '0',
    'abc',
    '%',
    '\0',
    '\ud800',
    '😀',
    "' or 1=1 --",
    '9'.repeat(40),
    'x'.repeat(10_000),
  )
  others.push(
    0,
    -1,
    -0,
    0.5,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 31,
    2 ** 53,
    2 ** 63,
    0n,
    -1n,
    2n ** 31n,
    2n ** 63n,
    2n ** 80n,
  )
  others.push(
    null,
    undefined,
    true,
    false,
    {},
    [],
    [id],
    { id },
    { toString: () => text },
    new Date(0),
    Buffer.from(text),
    () => id,
  )
  return others.filter((other) => other !== id)
}

/** The text in the other letter case. */
export const caseFolded = (text: string): string =>
  text === text.toUpperCase() ? text.toLowerCase() : text.toUpperCase()

/** Texts that a store must either keep unchanged or refuse. */
export const HOSTILE_TEXTS: readonly string[] = [
  'Zoë Łódź 山田太郎 Ω',
  '😀👩‍👩‍👧‍👦',
  'é (composed)',
  'é (decomposed)',
  'ＦＵＬＬ　ｗｉｄｔｈ',
  "O'Brien",
  '"quoted" `ticked` [bracketed]',
  "'; drop table users; --",
  "' or '1'='1",
  '\\',
  "\\' or 1=1 -- ",
  '?',
  '$1 :name @name',
  '%_*',
  'null',
  'undefined',
  'true',
  ' leading and trailing ',
  'line\nbreak\r\nand\ttab',
  "it's taken for key 'email'",
  'Key (username)=(x) already exists.',
  'UNIQUE constraint failed: users.id',
  '\u202eright to left\u200b',
  '\ufeffmark',
  '\u0001\u001f\u007f',
  'nul\0byte',
  'half\ud800pair',
  'x'.repeat(255),
  'x'.repeat(256),
  'x'.repeat(5_000),
  'ü'.repeat(70_000),
  '2026-01-31 10:00:00',
  '9'.repeat(30),
  '{"a":1}',
  '__proto__',
]
