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

/** Maximum number of older costs that failures imitate. Few deployments have had more. */
const maxOlderCosts = 3
const maxOlderKiB = 1_048_576

/**
 * argon2id with one cost for new hashes. It can imitate the cost of every stored hash, so that the
 * time of a failure does not reveal accounts.
 */
export interface Argon2 {
  /** @param salt base64; default random */
  hash(password: string, salt?: string): Promise<string>
  /** Null if the hash is malformed; no work was done then. */
  verify(hash: string, password: string): Promise<boolean | null>
  /** Parameters of a hash, as it spells them; null if it is not an argon2id hash. */
  parameters(hash: string): string | null
  /** Whether the hash has the configured cost. */
  isCurrent(hash: string): boolean
  /** Does the work of a verification for each cost in use, except `done`. */
  imitate(password: string, done: string | null): Promise<void>
}

/** Computes a dummy hash, so it takes as long as one hash. */
export async function createArgon2(cost: PasswordCost): Promise<Argon2> {
  // 2 is argon2id. The package exports the names as a const enum, which isolated modules cannot
  // read.
  const optionsOf = ({ memoryKiB, iterations, parallelism }: PasswordCost): ArgonOptions => ({
    algorithm: 2,
    memoryCost: memoryKiB,
    timeCost: iterations,
    parallelism,
  })
  const options = optionsOf(cost)
  const current = parametersOf(cost)
  const dummies = new Map([[current, await argonHash(randomToken(), options)]])

  /**
   * Once an account with an older cost has been seen, sign-ins to unknown accounts pay that cost
   * too.
   */
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
