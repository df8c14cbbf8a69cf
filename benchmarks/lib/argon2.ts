import { hash } from '@node-rs/argon2'
import { password } from './me.js'

/** The default cost of the plugin: argon2id with 19,456 KiB and two passes. */
const cost = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** All users share one hash. A million hashes would take hours and not change the result. */
export const hashedPassword = await hash(password, cost)
