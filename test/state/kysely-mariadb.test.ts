import { test } from 'node:test'
import { openAsMysql, openMariadb, serverOf } from '../helpers/databases.js'
import { stateKits } from '../helpers/state.js'

const { url, skip } = serverOf('TEST_MARIADB_URL')

for (const [name, open] of [
  ['MariaDB', openMariadb],
  ['MySQL', openAsMysql],
] as const)
  stateKits(
    name,
    'mysql',
    () => open(url),
    (title, run) => test(title, { skip }, run),
  )
