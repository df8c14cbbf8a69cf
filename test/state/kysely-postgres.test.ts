import { test } from 'node:test'
import { openPostgres, serverOf } from '../helpers/databases.js'
import { stateKits } from '../helpers/state.js'

const { url, skip } = serverOf('TEST_POSTGRES_URL')

stateKits(
  'PostgreSQL',
  'postgres',
  () => openPostgres(url),
  (title, run) => test(title, { skip }, run),
)
