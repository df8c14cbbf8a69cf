import { stateKits } from '../helpers/state.js'
import { openSqlite } from '../helpers/tables.js'

stateKits('SQLite', 'sqlite', () => openSqlite())
