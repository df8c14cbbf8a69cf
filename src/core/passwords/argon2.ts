import {
  type Options as ArgonOptions,
  hash as argonHash,
  verify as argonVerify,
} from '@node-rs/argon2'
import { randomToken } from '../../crypto/random.js'

/** Cost parameters of argon2id (RFC 9106). */
export interface PasswordCost {
  /**
   * Memory in KiB, at least 8 per lane.
   * @defaultValue `19456`
   */
  readonly memoryKiB: number
  /**
   * Number of passes.
   * @defaultValue `2`
   */
  readonly iterations: number
  /**
   * Number of lanes.
   * @defaultValue `1`
   */
  readonly parallelism: number
}

const encoded = /^\$argon2id\$v=19\$(m=(\d+),t=(\d+),p=(\d+))\$/
const parametersOf = (cost: PasswordCost) =>
  `m=${cost.memoryKiB},t=${cost.iterations},p=${cost.parallelism}`

/** Costs of older hashes that are imitated for accounts that have none. Few configurations have seen more. */
const maxOlderCosts = 3
const maxOlderKiB = 1_048_576

/** argon2id with one cost for new hashes, and the means to make a failure cost what any stored hash costs. */
export interface Argon2 {
  /** @param salt base64; default random */
  hash(password: string, salt?: string): Promise<string>
  /** Null when the hash is malformed, so that no work was done. */
  verify(hash: string, password: string): Promise<boolean | null>
  /** Parameters of a hash, as it spells them; null for what is no argon2id hash. */
  parameters(hash: string): string | null
  /** Whether the hash has the present cost. */
  isCurrent(hash: string): boolean
  /** Does the work of a verification for each cost in use, but the one that was done. */
  imitate(password: string, done: string | null): Promise<void>
}

/** Makes a dummy hash, so it takes one hash's time. */
export async function createArgon2(cost: PasswordCost): Promise<Argon2> {
  // Algorithm 2 is argon2id; the package exports its names as a const enum, which isolated modules cannot read.
  const optionsOf = ({ memoryKiB, iterations, parallelism }: PasswordCost): ArgonOptions => ({
    algorithm: 2,
    memoryCost: memoryKiB,
    timeCost: iterations,
    parallelism,
  })
  const options = optionsOf(cost)
  const current = parametersOf(cost)
  const dummies = new Map([[current, await argonHash(randomToken(), options)]])

  /** From the first account seen with an older cost on, accounts that do not exist pay for it too. */
  const learn = async (hash: string): Promise<void> => {
    const [, parameters, memory, iterations, parallelism] = encoded.exec(hash) ?? []
    if (parameters === undefined || dummies.has(parameters) || dummies.size > maxOlderCosts) return
    const older = {
      memoryKiB: Number(memory),
      iterations: Number(iterations),
      parallelism: Number(parallelism),
    }
    if (older.memoryKiB > maxOlderKiB) return
    dummies.set(parameters, await argonHash(randomToken(), optionsOf(older)))
  }

  const verify = async (hash: string, password: string): Promise<boolean | null> => {
    try {
      return await argonVerify(hash, password.normalize('NFC'))
    } catch {
      return null
    }
  }

  const parameters = (hash: string) => encoded.exec(hash)?.[1] ?? null

  return {
    hash: (password, salt) =>
      argonHash(
        password.normalize('NFC'),
        salt === undefined ? options : { ...options, salt: Buffer.from(salt, 'base64') },
      ),
    async verify(hash, password) {
      const result = await verify(hash, password)
      if (result !== null) await learn(hash)
      return result
    },
    parameters,
    isCurrent: (hash) => parameters(hash) === current,
    async imitate(password, done) {
      for (const [parameters, dummy] of dummies)
        if (parameters !== done) await verify(dummy, password)
    },
  }
}
