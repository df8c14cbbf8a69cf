import { testSchema } from './schema-tests.js'

testSchema('mysql')
