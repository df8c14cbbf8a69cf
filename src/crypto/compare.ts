import { timingSafeEqual } from 'node:crypto'

/** Compares two texts without a timing side channel. Only their lengths affect the time. */
export function equalConstantTime(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}
