import { type ScryptOptions, scrypt as scryptWithCallback } from 'node:crypto'

/** scrypt (RFC 7914) in the thread pool. */
export const scrypt = (
  password: string,
  salt: string | Buffer,
  length: number,
  { N, r, p }: { readonly N: number; readonly r: number; readonly p: number },
): Promise<Buffer> => {
  // The default limit is 32 MiB, exactly what N = 16384 and r = 16 need without the overhead.
  const options: ScryptOptions = { N, r, p, maxmem: 256 * N * r + 1024 * r * p }
  return new Promise((resolve, reject) => {
    scryptWithCallback(password, salt, length, options, (error, key) => {
      if (error) reject(error)
      else resolve(key)
    })
  })
}
