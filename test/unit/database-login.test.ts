import { describe, expect, it } from 'vitest'
import { databaseLogin } from '../../src/database/database-login.js'

describe('a login to the database', () => {
  it('takes on its role by the options of the connection, after those that the URL has', () => {
    const url = 'postgres://login:secret@db.example.com/conclave?options=-c%20search_path%3Dchat&sslmode=require'
    const { connectionString, options } = databaseLogin(url, 'conclave_api')
    expect(connectionString).toBe('postgres://login:secret@db.example.com/conclave?sslmode=require')
    expect(options).toMatch(/^-c search_path=chat -c .* -c role=conclave_api$/)
  })
})
