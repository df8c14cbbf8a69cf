import { createUsers, openDatabase, openPool, openSqlite } from './databases.js'
import type { Me } from './me.js'
import type { Settings } from './settings.js'

export interface UserRow {
  /** Text where the driver returns a 64-bit integer as text. */
  readonly id: number | string
  readonly email: string
  readonly username: string
  readonly is_active: number | boolean
  readonly is_superuser: number | boolean
}

/** As long as the plugin's hashes, so that the rows of both cost the same to read. */
const storedHash = `$argon2id$v=19$m=19456,t=2,p=1$${'x'.repeat(22)}$${'x'.repeat(43)}`

/** The users of the hand-written servers: one prepared statement of the driver. */
export async function handWrittenUsers(settings: Settings) {
  const db = openDatabase(settings)
  await createUsers(db, settings, storedHash)
  await db.destroy()
  return settings.postgresUrl === undefined
    ? findInSqlite(settings.folder)
    : findInPostgres(settings.postgresUrl)
}

function findInSqlite(folder: string) {
  const select = openSqlite(folder).prepare('select * from users where id = ? limit 1')
  return async (id: number) => select.get(id) as UserRow | undefined
}

/** A named statement is parsed and planned once a connection. */
function findInPostgres(url: string) {
  const pool = openPool(url)
  const statement = { name: 'user', text: 'select * from users where id = $1 limit 1' }
  return async (id: number) => (await pool.query<UserRow>({ ...statement, values: [id] })).rows[0]
}

export const meOf = (user: UserRow, via: string): Me => ({
  user_id: Number(user.id),
  username: user.username,
  email: user.email,
  is_superuser: Boolean(user.is_superuser),
  scopes: [],
  via,
})
